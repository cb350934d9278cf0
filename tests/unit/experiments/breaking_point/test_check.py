"""The check of a breaking point by two generators, on contenders whose breaking point is known."""

import asyncio
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.contenders.answer_law import law_of
from benchmark.errors import LoadError
from benchmark.experiments.breaking_point import check as module
from benchmark.experiments.breaking_point.measure import Examples
from benchmark.experiments.breaking_point.observations import append_observation
from benchmark.load.breaking_point_search import TryOutcome
from benchmark.load.protocols import Ask
from benchmark.load.scenario_requests import ask_contender
from benchmark.measure.trial import ParityError
from tests.unit.benchmark.fakes import FakeStack, fake_stack, refusing
from tests.unit.benchmark.synthetic import make_contender
from tests.unit.experiments.breaking_point.synthetic import CONTENDERS, findings_of, locust_run, recorded

GOOD, BAD = TryOutcome(1.0, 1.0), TryOutcome(1.0, 0.5)
ASKED = ask_contender(make_contender(), law_of(make_contender()), seed=1)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    return fake_stack(monkeypatch)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch, stack: FakeStack) -> list[tuple[str, float]]:
    """Every try: Locust sustains 100 requests/s, the other generator what `limits` says."""
    found: list[tuple[str, float]] = []

    def by_locust(self: Examples, contender: Any, rps: float, number: int, limit_ms: float) -> TryOutcome:
        with self._session.trial(contender, part=f"try-{number + 1}"):
            found.append((f"locust {contender.name}", rps))
        return GOOD if rps <= 100 else BAD

    async def offer(url: str, asked: Ask, rps: float, seed: int, limit_ms: float) -> TryOutcome:
        found.append((url, rps))
        assert limit_ms == pytest.approx(3 * 55.0)
        return GOOD if rps <= LIMITS[url] else BAD

    monkeypatch.setattr(Examples, "try_rate", by_locust)
    monkeypatch.setattr(module, "offer", offer)
    monkeypatch.setattr(module, "Guard", lambda: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(module, "freeze_startup_objects", lambda: None)
    monkeypatch.setattr(module, "discover", lambda: {contender.name: contender for contender in CONTENDERS})
    return found


LIMITS = {f"http://{name}.invalid": rps for name, rps in (("one", 104.0), ("two", 140.0))}


def checked(tmp_path: Path, *names: str) -> tuple[int, dict[str, Any]]:
    run = recorded(tmp_path, findings_of("one") + findings_of("two"))
    status = module.main([str(run.path), *names])
    return status, json.loads((run.path / "check.json").read_text())


def test_generators_that_agree_end_with_0(tmp_path: Path, tries: list[tuple[str, float]]) -> None:
    status, rows = checked(tmp_path, "one")
    assert status == 0
    assert rows["one"]["run_rps"] == 100.0
    assert rows["one"]["locust"]["rps"] == pytest.approx(100, rel=0.05)
    assert rows["one"]["locust_over_independent"] == pytest.approx(1, abs=0.1)
    # Side by side, not one after the other.
    who = [name.startswith("locust") for name, _ in tries]
    assert all(True in pair and False in pair for pair in (who[0:2], who[2:4], who[4:6]))


def test_generators_that_differ_end_with_1(
    tmp_path: Path, tries: list[tuple[str, float]], capsys: pytest.CaptureFixture[str]
) -> None:
    status, rows = checked(tmp_path)
    assert status == 1
    assert set(rows) == {"one", "two"}
    assert rows["two"]["locust_over_independent"] == pytest.approx(100 / 140, rel=0.08)
    assert "run 100.0" in capsys.readouterr().out


def test_a_run_without_a_breaking_point_has_nothing_to_check(tmp_path: Path, tries: list[tuple[str, float]]) -> None:
    run = recorded(tmp_path, [])
    assert module.main([str(run.path)]) == 0
    assert tries == []


def test_who_fails_parity_is_not_checked_and_the_others_are(
    tmp_path: Path,
    tries: list[tuple[str, float]],
    stack: FakeStack,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ParityError("Excluded: its answers violate the contract (status 500)")
    stack.parity = refusing("two", error)
    status, rows = checked(tmp_path)
    assert status == 1
    assert set(rows) == {"one"}
    assert not [who for who, _ in tries if "two" in who]
    assert "two: Excluded: its answers violate the contract (status 500)" in capsys.readouterr().out


def test_a_try_of_locust_that_is_not_to_be_believed_is_no_check(
    tmp_path: Path, tries: list[tuple[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_locust(self: Examples, contender: Any, rps: float, *_: Any) -> TryOutcome:
        append_observation(self._run, locust_run(example="try", generator_cpu=0.99))
        return GOOD if rps <= 100 else BAD

    monkeypatch.setattr(Examples, "try_rate", by_locust)
    with pytest.raises(LoadError, match=r"one: Locust's breaking point is INVALID: try: .* saturated \(99 %"):
        checked(tmp_path, "one")


@pytest.fixture
def prompt() -> Iterator[str]:
    """The URL of a service that answers at once, as if its models had taken 45 ms."""

    class Prompt(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"detail": 0.045}')

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prompt) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_answer_that_comes_too_early_is_not_the_contenders(prompt: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRY_WARMUP_S", 0.1)
    monkeypatch.setattr(module, "TRY_COUNTED_S", 0.3)
    with pytest.raises(LoadError, match="before its models can have finished"):
        asyncio.run(module.offer(prompt, ASKED, 20.0, seed=1, limit_ms=100.0))


def test_a_refused_connection_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRY_WARMUP_S", 0.1)
    monkeypatch.setattr(module, "TRY_COUNTED_S", 0.3)
    outcome = asyncio.run(module.offer("http://127.0.0.1:9", ASKED, 50.0, seed=1, limit_ms=100.0))
    assert outcome == TryOutcome(0.0, 0.0)


def test_the_check_runs_in_an_interpreter_that_locust_has_not_changed() -> None:
    """Locust replaces sockets, sleeping and selecting by those of gevent, on which an asyncio loop crawls."""
    program = "import sys, benchmark.experiments.breaking_point.check; sys.exit('gevent' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
