"""The load generator as a process of its own, against a server that does what a test wants."""

import http.server
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.load.peak import grows
from benchmark.load.plan import Level, LoadPlan
from benchmark.record.run import Run, TrialRecord, Window
from benchmark.stack.watchdog import Guard
from contract.schema import parse_scoring_numbers
from contract.timing import REQUEST_START_HEADER
from tests.conftest import SCORING
from tests.unit.benchmark.load.generator import generate, generator

pytestmark = pytest.mark.integration

GOOD = (200, b'{"detail": 0.045}')
WRONG = {
    "an error": (500, b'{"detail": 0.045}'),
    "a refusal": (503, b""),
    "another success": (204, b""),
    "not JSON": (200, b"<html>"),
    "outside of the law": (200, b'{"detail": 0.2}'),
}
CELL = TrialRecord(0, "a", 1)


class Server(http.server.ThreadingHTTPServer):
    """Answers in turn what it is told to, after as long as it is told to, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = cycle([GOOD])
        self.wait: Callable[[], None] = lambda: time.sleep(0.02)
        self.connections = 0
        self.asked: list[tuple[str, str, bytes, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.command, self.path, body, dict(self.headers)))
        self.server.wait()
        status, answer = next(self.server.answers)
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Server-Timing", "models;dur=20")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class Crowded:
    """Answers one request at a time, and the slower the more users there are."""

    def __init__(self, server: Server) -> None:
        self._server, self._lock = server, threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            time.sleep(0.1 * self._server.connections**2)  # so long that a busy machine adds little


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path, "bench", {})


def plan_for(run: Run, server: Server, levels: tuple[Level, ...], **changes: Any) -> LoadPlan:
    plan: dict[str, Any] = {
        "url": server.url,
        "endpoint": "/predict",
        "scenario": SCORING,
        "seed": 7,
        "stage_clock": True,
        "levels": levels,
        "climb": (),
        "answer_bounds_s": (0.04, 0.05),
        "samples": run.file("samples", CELL, ".csv"),
        "locust": run.file("locust", CELL),
    }
    return LoadPlan(**{**plan, **changes})


def samples(run: Run, *windows: Window) -> pd.DataFrame:
    return run.cell_samples(TrialRecord(0, "a", 1, windows=list(windows)))


@pytest.fixture
def slow_server(server: Server) -> Server:
    server.wait = lambda: time.sleep(0.05)
    return server


def test_a_wrong_answer_is_a_failure_and_never_a_fast_success(run: Run, server: Server, guard: Guard) -> None:
    server.answers = cycle([GOOD, *WRONG.values()])
    generate(plan_for(run, server, (Level(1, 0.1, 0.8),)), guard)
    frame = samples(run)
    good, wrong = frame[frame["ok"]], frame[~frame["ok"]]
    assert len(good) >= 2
    assert len(wrong) > len(good)
    assert set(good["status"]) == {200}
    assert set(good["detail_s"]) == {0.045}
    assert good["error"].isna().all()
    assert set(wrong["status"]) == {status for status, _ in WRONG.values()}
    assert wrong["detail_s"].isna().all()
    assert wrong["error"].str.len().gt(0).all()


def test_every_request_is_recorded_with_the_time_that_it_took(run: Run, server: Server, guard: Guard) -> None:
    (window,) = generate(plan_for(run, server, (Level(3, 0.1, 0.5),)), guard)
    frame = samples(run, window)
    assert window.seconds >= 0.5
    assert frame["measured"].sum() >= 2 * 3
    assert set(frame["users"]) == {3}
    assert (frame["latency_ns"] >= 20_000_000).all()
    assert (frame["scheduled_ns"] == frame["start_ns"]).all()
    assert set(frame["bytes"]) == {len(GOOD[1])}
    assert set(frame["server_timing"]) == {"models;dur=20"}
    assert all(REQUEST_START_HEADER in headers for *_, headers in server.asked)
    # One that was under way at the end may not have been recorded.
    assert 0 <= len(server.asked) - len(frame) <= 3


def test_the_load_goes_on_for_a_moment_after_a_window_so_that_its_end_can_be_sampled(
    run: Run, server: Server, guard: Guard
) -> None:
    (window,) = generate(plan_for(run, server, (Level(3, 0.1, 0.3),)), guard)
    assert (samples(run, window)["start_ns"] > window.end_ns).any()


def test_requests_are_those_that_the_plan_gives(run: Run, server: Server, guard: Guard) -> None:
    generate(plan_for(run, server, (Level(1, 0.1, 0.2),), stage_clock=False), guard)
    for method, path, body, headers in server.asked:
        assert (method, path, headers["Content-Type"]) == ("POST", "/predict", "application/json")
        assert len(parse_scoring_numbers(body)) == 4
        assert REQUEST_START_HEADER not in headers
    assert len({body for _, _, body, _ in server.asked}) > 1


def test_levels_are_held_one_after_the_other_and_climb_while_the_rate_grows(
    run: Run, slow_server: Server, guard: Guard
) -> None:
    levels = (Level(1, 0.1, 0.3), Level(2, 0.1, 0.3))
    climb = (Level(4, 0.1, 0.3), Level(8, 0.1, 0.3))
    windows = generate(plan_for(run, slow_server, levels, climb=climb), guard)
    assert [window.users for window in windows] == [1, 2, 4, 8]
    for window, later in pairwise(windows):
        assert window.start_ns < window.end_ns < later.start_ns


@pytest.mark.parametrize(
    ("rates_rps", "expected"),
    [([10.0], True), ([10.0, 11.1], True), ([10.0, 10.9], False), ([0.0], False), ([0.0, 0.0], False)],
)
def test_there_is_no_higher_level_for_who_does_not_grow_or_does_not_answer(
    rates_rps: list[float], expected: bool
) -> None:
    assert grows(rates_rps) is expected


def test_the_climb_ends_when_the_rate_does_not_grow(run: Run, server: Server, guard: Guard) -> None:
    server.wait = Crowded(server)
    levels = (Level(1, 0.1, 0.4), Level(2, 0.1, 0.4))
    windows = generate(plan_for(run, server, levels, climb=(Level(4, 0.1, 0.4), Level(8, 0.1, 0.4))), guard)
    assert [window.users for window in windows] == [1, 2]


def test_a_window_lasts_until_every_user_was_answered_twice(run: Run, server: Server, guard: Guard) -> None:
    server.wait = lambda: time.sleep(0.2)
    (window,) = generate(plan_for(run, server, (Level(2, 0.05, 0.05),)), guard)
    assert samples(run, window)["measured"].sum() >= 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_generator_that_cannot_write_its_samples_ends_at_once_and_fails(
    run: Run, server: Server, guard: Guard
) -> None:
    plan = plan_for(run, server, (Level(1, 0.1, 600.0),))
    plan.samples.symlink_to("/dev/full")
    with generator(plan, guard) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode not in (0, None)
    assert "No space left on device" in said


def test_a_generator_that_is_stopped_keeps_what_it_has_seen(run: Run, server: Server, guard: Guard) -> None:
    plan = plan_for(run, server, (Level(1, 0.1, 600.0),))
    with generator(plan, guard) as process:
        deadline_s = time.monotonic() + 30
        while len(server.asked) < 20:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        asked = len(server.asked)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert len(samples(run)) >= asked - 1
    assert samples(run)["ok"].all()
    assert Path(f"{plan.locust}.html").stat().st_size > 0


def test_a_generator_whose_harness_is_gone_before_it_began_ends_without_asking(
    run: Run, server: Server, guard: Guard
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "benchmark.load.runner", "no-plan.json"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, json.loads(answer.stdout)) == (0, {"event": "ready"})
