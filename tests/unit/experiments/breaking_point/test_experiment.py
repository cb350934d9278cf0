"""What the experiment asks of Locust, without one: options, environment, warm-ups."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from benchmark.experiments.breaking_point import measure as module
from benchmark.experiments.breaking_point.findings import Breaks, Held, LocustRun, Tried, of_kind, read_findings
from benchmark.experiments.breaking_point.measure import Experiment, Plan
from benchmark.experiments.breaking_point.summarise import OPEN_LOOP
from benchmark.load.arrivals import arrivals_until
from benchmark.load.shapes import EXAMPLES, LOAD_TEST
from benchmark.load.slo import BreakingPoint
from benchmark.measure.locust_process import Issued
from benchmark.measure.trial import ParityError
from benchmark.record.columns import SAMPLE_COLUMNS
from benchmark.record.run import Run
from tests.unit.benchmark.synthetic import make_contender
from tests.unit.experiments.breaking_point.synthetic import locust_run

find_breaking_point, ramp_broke = Experiment._breaking_point, Experiment._ramp_broke
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
        users = float(env["USERS"]) if "USERS" in env else float(env["OPEN_RPS"])
        return Issued(answers(users / float(env.get("PACING_S", 1)), seconds), START_NS, 0.1, seconds)

    @contextmanager
    def stack(*_: Any) -> Iterator[Any]:
        yield SimpleNamespace(base_url="", contender=None)

    monkeypatch.setattr(module, "issue", issue)
    monkeypatch.setattr(module, "running_stack", stack)
    monkeypatch.setattr(module, "check_parity_of", lambda _: None)
    broke = BreakingPoint(POINT_RPS, POINT_RPS, POINT_RPS, broke=True, reason="p95")
    monkeypatch.setattr(Experiment, "_ramp_broke", lambda *_: broke)
    monkeypatch.setattr(Experiment, "_breaking_point", lambda *_: broke)
    return found


def measured(tmp_path: Path, scale: float, examples: tuple[str, ...] = (*EXAMPLES, OPEN_LOOP)) -> Run:
    run = Run.create(tmp_path, "locust", {})
    progress: Any = SimpleNamespace(phase=lambda *_: None)
    guard: Any = None
    plan = Plan(examples, scale=scale)
    Experiment(run, plan, guard, progress).measure(make_contender("one"))
    return run


def test_a_contender_is_asked_every_case_before_any_load(
    asked: list[Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[int] = []
    monkeypatch.setattr(module, "check_parity_of", lambda _: before.append(len(asked)))
    measured(tmp_path, 0.01)
    assert before == [0]
    assert asked


def test_a_contender_that_fails_parity_is_not_measured_and_says_why(
    asked: list[Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> None:
        raise ParityError("not measured, it answers otherwise than the contract says: status 500")

    monkeypatch.setattr(module, "check_parity_of", fail)
    nothing: Any = SimpleNamespace(phase=lambda *_: None)
    experiment = Experiment(Run.create(tmp_path, "locust", {}), Plan(("load-test",)), nothing, nothing)
    cell = module._measure(experiment, make_contender("one"))
    assert (cell.status, cell.reason) == (
        "failed",
        "not measured, it answers otherwise than the contract says: status 500",
    )
    assert asked == []


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_locust_is_given_times_that_it_takes(asked: list[Asked], tmp_path: Path, scale: float) -> None:
    measured(tmp_path, scale)
    times = [each.options[each.options.index("-t") + 1] for each in asked if "-t" in each.options]
    assert len(times) == 2
    assert all(re.fullmatch(r"\d+s", time) for time in times), times


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_locusts_own_time_is_up_long_after_what_is_counted(asked: list[Asked], tmp_path: Path, scale: float) -> None:
    """Its clock starts before the first request, from which ours counts; who started it ends it."""
    planned = {each.stem: each.until_s for each in of_kind(read_findings(measured(tmp_path, scale)), LocustRun)}
    for each in asked:
        own = each.options[each.options.index("-t") + 1] if "-t" in each.options else each.env["DURATION_S"]
        until_s = planned[each.stem]
        assert until_s is not None
        assert float(own.removesuffix("s")) >= until_s + 10
        assert each.seconds >= until_s


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_what_is_counted_starts_when_all_users_ask_and_lasts(asked: list[Asked], tmp_path: Path, scale: float) -> None:
    findings = read_findings(measured(tmp_path, scale))
    (held,) = (found for found in of_kind(findings, LocustRun) if found.example == "max-performance")
    assert held.plan is not None
    assert held.plan.warmup_s >= POINT_RPS / 100 + 2
    assert held.plan.duration_s - held.plan.warmup_s >= 4
    assert held.rps == pytest.approx(POINT_RPS, rel=0.02)
    assert [found.held for found in of_kind(findings, Held)] == [True]
    for found in of_kind(findings, LocustRun):
        if found.rate_rps:
            assert found.rps == pytest.approx(found.rate_rps, rel=0.02)


@pytest.mark.parametrize(("breaks_at_rps", "guess_rps"), [(200.0, 200.0), (None, 420.0)])
def test_where_the_load_test_does_not_break_the_stress_test_tells_where_to_try_first(
    asked: list[Asked],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    breaks_at_rps: float | None,
    guess_rps: float,
) -> None:
    def ramp_broke(_: Any, found: LocustRun, *__: Any) -> BreakingPoint:
        rps = 420.0 if found.example == "stress-test" else breaks_at_rps or 300.0
        broke = found.example == "stress-test" or breaks_at_rps is not None
        return BreakingPoint(rps, rps, rps, broke=broke, reason="p95" if broke else "not reached")

    def breaking_point(_: Any, __: Any, guess: BreakingPoint, *___: Any) -> BreakingPoint:
        guesses.append(guess.rps)
        return guess

    guesses: list[float] = []
    monkeypatch.setattr(Experiment, "_ramp_broke", ramp_broke)
    monkeypatch.setattr(Experiment, "_breaking_point", breaking_point)
    measured(tmp_path, 0.1)
    assert guesses == [guess_rps]


@pytest.mark.parametrize(("until_s", "broke"), [(20.0, False), (30.0, True)])
def test_a_ramp_whose_load_ended_early_has_not_broken_there(tmp_path: Path, until_s: float, broke: bool) -> None:
    """Ten users more every second, each of whom is answered once a second for 20 of 30 s."""
    starts_ns = sorted(START_NS + int((k / 10 + s) * 1e9) for k in range(200) for s in range(20 - k // 10))
    write_answers(tmp_path / "samples" / "0-one-load-test.csv", starts_ns)
    nothing: Any = SimpleNamespace(path=tmp_path)
    experiment = Experiment(nothing, Plan(("load-test",), scale=0.1), nothing, nothing)
    found = locust_run(example="load-test", stem="one-load-test", start_ns=START_NS, until_s=until_s)
    assert ramp_broke(experiment, found, LOAD_TEST, 50.0).broke is broke


def write_answers(path: Path, starts_ns: Iterable[int]) -> None:
    path.parent.mkdir()
    rows = [f"1,{start_ns},{start_ns},50000000,200,20,1,0.045,," for start_ns in starts_ns]
    path.write_text("\n".join([",".join(SAMPLE_COLUMNS), *rows]) + "\n")


def test_an_arrival_of_the_warm_up_may_be_late() -> None:
    samples = answers(10, 10)
    samples["scheduled_ns"] -= [50_000_000 if i in {3, 80, 81} else 0 for i in range(len(samples))]
    found = module.describe(Issued(samples, START_NS, 0.1, 10.0), "one", OPEN_LOOP, "one-open-loop", 2.0, 10.0)
    assert found.late == 2


@pytest.fixture
def tried(asked: list[Asked], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A contender that answers everything up to 250 requests/s in 50 ms, and half of what is above that."""
    limit_rps = 250.0
    ask_users = module.__dict__["issue"]  # as `asked` has put it there

    def issue(
        run: Run, stack: Any, stem: str, env: Mapping[str, str], options: list[str], seconds: float, *rest: Any
    ) -> Any:
        issued = ask_users(run, stack, stem, env, options, seconds, *rest)
        if "OPEN_RPS" not in env:
            return issued
        rate_rps = float(env["OPEN_RPS"])
        due_s = arrivals_until(rate_rps, int(env["SEED"]), seconds)
        frame = answers(1, len(due_s))
        starts_ns = [START_NS + int(at_s * 1e9) for at_s in due_s]
        good = [rate_rps <= limit_rps or i % 2 == 0 for i in range(len(due_s))]
        return replace(issued, samples=frame.assign(scheduled_ns=starts_ns, start_ns=starts_ns, ok=good))

    monkeypatch.setattr(module, "issue", issue)
    monkeypatch.setattr(Experiment, "_breaking_point", find_breaking_point)
    return measured(tmp_path, 1.0, ("load-test",))


def test_the_breaking_point_is_where_tries_stop_being_sustained(tried: Run) -> None:
    (breaks,) = of_kind(read_findings(tried), Breaks)
    assert breaks.point.broke
    assert breaks.point.rps == pytest.approx(250, rel=0.05)
    assert breaks.point.reason == "goodput"
    tries = list(of_kind(read_findings(tried), Tried))
    assert {each.sustained for each in tries if each.rps <= 250} == {True}
    assert {each.sustained for each in tries if each.rps > 250} == {False}


def test_every_try_has_a_schedule_of_its_own_and_is_given_whole_seconds(tried: Run, asked: list[Asked]) -> None:
    tries = [each for each in asked if "-try-" in each.stem]
    assert len({each.env["SEED"] for each in tries}) == len(tries) > 5
    assert len({each.stem for each in tries}) == len(tries)
    assert {each.options[each.options.index("-t") + 1] for each in tries} == {"22s"}  # ended by who watches, after 12
    assert all(each.options[-1] == "OneOpenLoop" for each in tries)


def test_at_a_tenth_of_the_time_the_single_user_asks_more_often(asked: list[Asked], tmp_path: Path) -> None:
    measured(tmp_path / "whole", 1.0)
    measured(tmp_path / "tenth", 0.1)
    first = [each for each in asked if each.stem == "one-response-time"]
    assert [(each.env["PACING_S"], each.seconds) for each in first] == [("1", 100.0), ("0.2", 10.0)]
