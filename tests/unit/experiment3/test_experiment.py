"""What the experiment asks of Locust, without one: options, environment, warm-ups."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from benchmark.experiment3_locust import run as module
from benchmark.experiment3_locust.breaking_point import BreakingPoint
from benchmark.experiment3_locust.examples import EXAMPLES
from benchmark.experiment3_locust.findings import Held, LocustRun, of_kind, read_findings
from benchmark.experiment3_locust.issue import Issued
from benchmark.experiment3_locust.run import Experiment, Plan
from benchmark.experiment3_locust.summary import OPEN_LOOP
from benchmark.record import Run
from tests.unit.benchmark.synthetic import make_contender

START_NS = 10**12
POINT_RPS = 821.0  # so many users take 8.2 s to be started


@dataclass
class Asked:
    """One Locust run that was asked for."""

    stem: str
    env: Mapping[str, str]
    options: list[str]
    seconds: float


def answers(rps: float, seconds: float) -> pd.DataFrame:
    """Return an answer of 50 ms for every moment of a constant rate."""
    starts_ns = [START_NS + int(i / rps * 1e9) for i in range(int(rps * seconds))]
    rows = {"start_ns": starts_ns, "scheduled_ns": starts_ns, "response_ms": 50.0, "latency_ms": 50.0, "status": 200}
    return pd.DataFrame(rows).assign(ok=True, error="", end_ns=[start + 50_000_000 for start in starts_ns])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Everything that was asked of Locust; each user gets its answer every second."""
    found: list[Asked] = []

    def issue(
        run: Run, stack: Any, stem: str, env: Mapping[str, str], options: list[str], seconds: float, *_: Any
    ) -> Any:
        found.append(Asked(stem, env, options, seconds))
        users = int(env["USERS"]) if "USERS" in env else int(env["OPEN_RPS"])
        return Issued(answers(users / float(env.get("PACING_S", 1)), seconds), START_NS, 0.1, seconds)

    @contextmanager
    def stack(*_: Any) -> Iterator[Any]:
        yield SimpleNamespace(base_url="", contender=None)

    monkeypatch.setattr(module, "issue", issue)
    monkeypatch.setattr(module, "running_stack", stack)
    broke = BreakingPoint(POINT_RPS, POINT_RPS, POINT_RPS, broke=True, reason="p95")
    monkeypatch.setattr(Experiment, "_breaking_point", lambda *_: broke)
    return found


def measured(tmp_path: Path, scale: float) -> Run:
    run = Run.create(tmp_path, "locust", {})
    progress: Any = SimpleNamespace(phase=lambda *_: None)
    guard: Any = None
    plan = Plan((*EXAMPLES, OPEN_LOOP), scale=scale)
    Experiment(run, plan, {}, guard, progress).measure(make_contender("one"))
    return run


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_locust_is_given_times_that_it_takes(asked: list[Asked], tmp_path: Path, scale: float) -> None:
    measured(tmp_path, scale)
    times = [each.options[each.options.index("-t") + 1] for each in asked if "-t" in each.options]
    assert len(times) == 2
    assert all(re.fullmatch(r"\d+s", time) for time in times), times


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_what_is_counted_starts_when_all_users_ask_and_lasts(asked: list[Asked], tmp_path: Path, scale: float) -> None:
    findings = read_findings(measured(tmp_path, scale))
    (held,) = (found for found in of_kind(findings, LocustRun) if found.example == "max-performance")
    assert held.plan is not None
    assert held.plan.warmup_s >= POINT_RPS / 100 + 2
    assert held.plan.duration_s - held.plan.warmup_s >= 6
    assert held.rps == pytest.approx(POINT_RPS, rel=0.02)
    assert [found.held for found in of_kind(findings, Held)] == [True]
    for found in of_kind(findings, LocustRun):
        if found.rate_rps:
            assert found.rps == pytest.approx(found.rate_rps, rel=0.02)


def test_at_a_tenth_of_the_time_the_single_user_asks_more_often(asked: list[Asked], tmp_path: Path) -> None:
    measured(tmp_path / "whole", 1.0)
    measured(tmp_path / "tenth", 0.1)
    first = [each for each in asked if each.stem == "one-response-time"]
    assert [(each.env["PACING_S"], each.seconds) for each in first] == [("1", 100.0), ("0.2", 10.0)]
