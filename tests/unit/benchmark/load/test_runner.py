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
from benchmark.load.arrivals import arrivals_until
from benchmark.load.peak import grows
from benchmark.load.plan import Arrivals, Bound, Level, LoadPlan, Pause, Scheduled, Waves
from benchmark.load.rates import parse_shape
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
    # So long that the rate still grows if the machine stands still for half a second of one.
    levels = (Level(1, 0.1, 0.8), Level(2, 0.1, 0.8))
    climb = (Level(4, 0.1, 0.8), Level(8, 0.1, 0.8))
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


def test_waves_are_sent_at_once_and_each_after_the_last_answer_of_the_one_before(
    run: Run, server: Server, guard: Guard
) -> None:
    server.wait = lambda: time.sleep(0.2)
    loads = (Waves(5, 3, warmup_count=1), Waves(1, 3, warmup_count=0, every_s=0.3))
    window, _ = generate(plan_for(run, server, (), loads=loads), guard)
    frame = samples(run)
    assert len(frame) == len(server.asked) == 5 * 4 + 3
    assert frame["ok"].all()
    paced = sorted(frame[frame["users"] == 1]["scheduled_ns"])
    assert all(later - wave >= 0.3e9 for wave, later in pairwise(paced))  # never faster than was asked for
    frame = frame[frame["users"] == 5]
    inside = frame[frame["scheduled_ns"] >= window.start_ns]
    waves = [wave for _, wave in inside.groupby("scheduled_ns")]
    assert [len(wave) for wave in waves] == [5, 5, 5]
    assert (window.users, inside["end_ns"].max() <= window.end_ns) == (5, True)
    for wave, later in pairwise(waves):
        assert wave["start_ns"].max() < wave["end_ns"].min()  # none waits for the answer of another
        assert wave["end_ns"].max() < later["scheduled_ns"].min()


def test_arrivals_are_sent_when_they_are_due_whether_or_not_the_earlier_ones_are_answered(
    run: Run, server: Server, guard: Guard
) -> None:
    server.wait = lambda: time.sleep(0.5)
    load = Arrivals(40, measure_s=0.6, warmup_s=0.2, seed=5)
    (window,) = generate(plan_for(run, server, (), loads=(load,)), guard)
    frame = samples(run).sort_values("scheduled_ns")
    due_s = arrivals_until(40, 5, 0.8)
    first_ns = window.start_ns - 200_000_000
    assert list((frame["scheduled_ns"] - first_ns) / 1e9) == pytest.approx(due_s, abs=1e-8)
    assert (frame["start_ns"] >= frame["scheduled_ns"]).all()
    assert (frame["scheduled_ns"] < frame["end_ns"].min()).sum() > 5
    assert window.end_ns >= frame["end_ns"].max()  # each was waited for
    assert frame["scheduled_ns"].between(window.start_ns, window.end_ns).sum() == sum(at_s >= 0.2 for at_s in due_s)


def test_a_log_is_replayed_with_its_own_bodies_in_their_order(
    run: Run, server: Server, guard: Guard, tmp_path: Path
) -> None:
    log, times = tmp_path / "log.jsonl", [0.0, 0.05, 0.05, 0.2, 0.3]
    log.write_text("".join(json.dumps({"t": t_s, "body": f"[{k}]"}) + "\n" for k, t_s in enumerate(times)))
    shape = parse_shape(f"60 for 200ms, replay {log} with bodies")
    due_s = tuple(shape.arrivals_s(seed=2))
    load = Scheduled(due_s, bodies=shape.logged_bodies(seed=2))
    (window,) = generate(plan_for(run, server, (), loads=(load,), stage_clock=True), guard)
    sent = samples(run).sort_values("scheduled_ns")
    assert list((sent["scheduled_ns"] - window.start_ns) / 1e9) == pytest.approx(due_s, abs=1e-8)
    in_order = sorted(server.asked, key=lambda asked: float(asked[3][REQUEST_START_HEADER].removeprefix("t=")))
    bodies = [body for _, _, body, _ in in_order]
    assert bodies[-len(times) :] == [b"[0]", b"[1]", b"[2]", b"[3]", b"[4]"]
    assert all(len(parse_scoring_numbers(body)) == 4 for body in bodies[: -len(times)])  # the scenario's


def test_an_open_loop_without_an_arrival_after_its_warmup_has_a_window(run: Run, server: Server, guard: Guard) -> None:
    load = Arrivals(0.001, measure_s=0.1, warmup_s=0.1)
    windows = generate(plan_for(run, server, (), loads=(load, Waves(2, 1))), guard)
    assert [window.users for window in windows] == [0, 2]
    assert len(server.asked) == 4


def test_arrivals_end_as_soon_as_a_bound_is_exceeded_and_what_is_under_way_is_given_up(
    run: Run, server: Server, guard: Guard
) -> None:
    answered = threading.Event()

    def wait() -> None:  # nobody gets an answer in time
        answered.wait(20)

    server.wait = wait
    load = Arrivals(50, measure_s=60.0, warmup_s=0.1, seed=5, bounds=(Bound(3, 100.0), Bound(10)))
    (window,) = generate(plan_for(run, server, (), loads=(load,)), guard)
    answered.set()
    assert window.seconds < load.measure_s
    assert samples(run).empty
    assert 4 <= len(server.asked) < 200


def test_nothing_is_asked_in_a_pause(run: Run, server: Server, guard: Guard) -> None:
    loads = (Waves(2, 1), Pause(0.4), Waves(3, 1))
    _, pause, _ = generate(plan_for(run, server, (), loads=loads), guard)
    assert pause.seconds >= 0.4
    frame = samples(run)
    assert not ((frame["start_ns"] < pause.end_ns) & (frame["end_ns"] > pause.start_ns)).any()
    assert len(frame) == 2 * 2 + 3 * 2


def test_loads_of_each_kind_follow_each_other_in_order(run: Run, server: Server, guard: Guard) -> None:
    loads = (Level(3, 0.1, 0.3), Waves(4, 2), Level(2, 0.1, 0.3), Arrivals(30, 0.3, 0.1), Pause(0.1))
    windows = generate(plan_for(run, server, (Level(1, 0.1, 0.2),), loads=loads), guard)
    assert [window.users for window in windows] == [1, 3, 4, 2, 0, 0]
    for window, later in pairwise(windows):
        assert window.start_ns < window.end_ns <= later.start_ns
    frame = samples(run)
    asked_in = [frame["scheduled_ns"].between(each.start_ns, each.end_ns).sum() for each in windows[1:]]
    assert all(asked_in[:4])
    assert (asked_in[1], asked_in[4]) == (8, 0)


def test_every_request_of_a_wave_is_accounted_for_also_one_that_is_never_answered(
    run: Run, server: Server, guard: Guard
) -> None:
    server.answers = cycle([GOOD, (503, b""), GOOD])
    generate(plan_for(run, server, (), loads=(Waves(6, 2, warmup_count=0),)), guard)
    frame = samples(run)
    assert (len(frame), (~frame["ok"]).sum()) == (12, 4)


def test_waves_begin_and_the_next_load_begins_when_the_harness_says_so(run: Run, server: Server, guard: Guard) -> None:
    with generator(plan_for(run, server, (), loads=(Waves(2, 1), Pause(0.1))), guard) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        seen = []
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "tick":
                continue
            seen.append((event["event"], len(server.asked)))
            if event["event"] == "waiting":
                process.stdin.write("go\n")
                process.stdin.flush()
        assert process.wait() == 0
    begin, end = [("measuring", 2), ("waiting", 2)], [("window", 4), ("waiting", 4)]
    silence = [("measuring", 4), ("waiting", 4), ("window", 4), ("waiting", 4)]
    assert seen == [("ready", 0), *begin, *end, *silence]


def test_a_generator_that_is_stopped_while_it_waits_keeps_what_it_has_seen(
    run: Run, server: Server, guard: Guard
) -> None:
    plan = plan_for(run, server, (), loads=(Waves(3, 600),))
    with generator(plan, guard) as process:
        assert process.stdout is not None
        assert next(json.loads(line) for line in process.stdout if "waiting" in line) == {"event": "waiting"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    assert len(samples(run)) == 3


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
