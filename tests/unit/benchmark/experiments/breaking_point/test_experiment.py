"""What the experiment asks of Locust, without one: options, environment, warm-ups."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from benchmark.experiments.breaking_point import measure as module
from benchmark.experiments.breaking_point.measure import Examples
from benchmark.experiments.breaking_point.observations import Breaks, Held, LocustRun, Tried, of_kind, read_observations
from benchmark.experiments.breaking_point.plan import BreakingPointPlan, assign
from benchmark.experiments.breaking_point.summarise import OPEN_LOOP
from benchmark.load.arrivals import arrivals_until
from benchmark.load.shapes import EXAMPLES, LOAD_TEST, STRESS_TEST
from benchmark.load.slo import BreakingPoint
from benchmark.measure.locust_process import Issued
from benchmark.measure.trial import ParityError, Trial
from benchmark.record.columns import SAMPLE_COLUMNS
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.breaking_point.synthetic import locust_run
from tests.unit.benchmark.fakes import FakeStack, fake_stack, make_session, refusing
from tests.unit.benchmark.synthetic import make_contender

find_breaking_point, ramp_broke = Examples._breaking_point, Examples._ramp_broke
ONE, TWO = make_contender("one"), make_contender("two")
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
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    return fake_stack(monkeypatch)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, stack: FakeStack) -> list[Asked]:
    """Everything that was asked of Locust; each user gets its answer every second."""
    found: list[Asked] = []

    def issue(trial: Trial, env: Mapping[str, str], options: list[str], seconds: float, *_: Any) -> Issued:
        found.append(Asked(f"{trial.cell.contender}-{trial.cell.part}", env, options, seconds))
        users = float(env["USERS"]) if "USERS" in env else float(env["OPEN_RPS"])
        return Issued(answers(users / float(env.get("PACING_S", 1)), seconds), START_NS, 0.1, seconds)

    monkeypatch.setattr(module, "issue", issue)
    broke = BreakingPoint(POINT_RPS, POINT_RPS, POINT_RPS, broke=True, reason="p95")
    monkeypatch.setattr(Examples, "_ramp_broke", lambda *_: broke)
    monkeypatch.setattr(Examples, "_breaking_point", lambda *_: broke)
    return found


def measured(tmp_path: Path, scale: float, examples: tuple[str, ...] = (*EXAMPLES, OPEN_LOOP)) -> Run:
    session = make_session(Run.create(tmp_path, "locust", {}))
    Examples(session, BreakingPointPlan(examples, scale=scale)).measure(ONE)
    return session.run


def test_a_contender_is_asked_every_case_before_any_load(asked: list[Asked], tmp_path: Path, stack: FakeStack) -> None:
    before: list[int] = []
    stack.parity = lambda _: before.append(len(asked))
    measured(tmp_path, 0.01)
    assert before == [0]
    assert asked


def test_a_contender_that_fails_parity_is_not_measured_and_says_why(
    asked: list[Asked], tmp_path: Path, stack: FakeStack
) -> None:
    said = "Excluded: its answers violate the contract (status 500)"
    stack.parity = refusing("one", ParityError(said))
    session = make_session(Run.create(tmp_path, "locust", {}))
    module.measure(session, assign([ONE, TWO], BreakingPointPlan(("response-time",)), {}))
    found = {cell.contender: (cell.status, cell.code, cell.reason) for cell in session.run.cells()}
    assert found == {"one": ("failed", "parity", said), "two": ("measured", "", "")}
    assert {each.stem for each in asked} == {"two-response-time"}


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_locust_is_given_times_that_it_takes(asked: list[Asked], tmp_path: Path, scale: float) -> None:
    measured(tmp_path, scale)
    times = [each.options[each.options.index("-t") + 1] for each in asked if "-t" in each.options]
    assert len(times) == 2
    assert all(re.fullmatch(r"\d+s", time) for time in times), times


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_locusts_own_time_is_up_long_after_what_is_counted(asked: list[Asked], tmp_path: Path, scale: float) -> None:
    """Its clock starts before the first request, from which ours counts; who started it ends it."""
    planned = {each.stem: each.until_s for each in of_kind(read_observations(measured(tmp_path, scale)), LocustRun)}
    for each in asked:
        own = each.options[each.options.index("-t") + 1] if "-t" in each.options else each.env["DURATION_S"]
        until_s = planned[each.stem]
        assert until_s is not None
        assert float(own.removesuffix("s")) >= until_s + 10
        assert each.seconds >= until_s


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.01])
def test_what_is_counted_starts_when_all_users_ask_and_lasts(asked: list[Asked], tmp_path: Path, scale: float) -> None:
    findings = read_observations(measured(tmp_path, scale))
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
    monkeypatch.setattr(Examples, "_ramp_broke", ramp_broke)
    monkeypatch.setattr(Examples, "_breaking_point", breaking_point)
    measured(tmp_path, 0.1)
    assert guesses == [guess_rps]


@pytest.mark.parametrize(("until_s", "broke"), [(20.0, False), (30.0, True)])
def test_a_ramp_whose_load_ended_early_has_not_broken_there(tmp_path: Path, until_s: float, broke: bool) -> None:
    """Ten users more every second, each of whom is answered once a second for 20 of 30 s."""
    starts_ns = sorted(START_NS + int((k / 10 + s) * 1e9) for k in range(200) for s in range(20 - k // 10))
    write_answers(tmp_path / "samples" / "0-one-load-test.csv", starts_ns)
    nothing: Any = SimpleNamespace(run=SimpleNamespace(path=tmp_path))
    experiment = Examples(nothing, BreakingPointPlan(("load-test",), scale=0.1))
    found = locust_run(example="load-test", stem="one-load-test", start_ns=START_NS, until_s=until_s)
    point = ramp_broke(experiment, found, LOAD_TEST, 50.0)
    assert point is not None
    assert point.broke is broke


def test_a_ramp_that_is_shorter_than_its_users_wait_tells_nothing(tmp_path: Path) -> None:
    """At a hundredth of its time the stress test ends when its last users first ask."""
    write_answers(tmp_path / "samples" / "0-one-stress-test.csv", [START_NS])
    nothing: Any = SimpleNamespace(run=SimpleNamespace(path=tmp_path))
    examples = Examples(nothing, BreakingPointPlan(("stress-test",), scale=0.01))
    found = locust_run(example="stress-test", stem="one-stress-test", start_ns=START_NS, until_s=1.0)
    assert ramp_broke(examples, found, STRESS_TEST, 50.0) is None


def test_where_the_stress_test_tells_nothing_the_load_test_says_where_to_try_first(
    asked: list[Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broke(_: Any, found: LocustRun, *__: Any) -> BreakingPoint | None:
        unbroken = BreakingPoint(300.0, 300.0, 300.0, broke=False, reason="not reached")
        return None if found.example == "stress-test" else unbroken

    def breaking_point(_: Any, __: Any, guess: BreakingPoint, *___: Any) -> BreakingPoint:
        guesses.append(guess.rps)
        return guess

    guesses: list[float] = []
    monkeypatch.setattr(Examples, "_ramp_broke", broke)
    monkeypatch.setattr(Examples, "_breaking_point", breaking_point)
    measured(tmp_path, 0.01)
    assert guesses == [300.0]


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

    def issue(trial: Trial, env: Mapping[str, str], options: list[str], seconds: float, *rest: Any) -> Any:
        issued = ask_users(trial, env, options, seconds, *rest)
        if "OPEN_RPS" not in env:
            return issued
        rate_rps = float(env["OPEN_RPS"])
        due_s = arrivals_until(rate_rps, int(env["SEED"]), seconds)
        frame = answers(1, len(due_s))
        starts_ns = [START_NS + int(at_s * 1e9) for at_s in due_s]
        good = [rate_rps <= limit_rps or i % 2 == 0 for i in range(len(due_s))]
        return replace(issued, samples=frame.assign(scheduled_ns=starts_ns, start_ns=starts_ns, ok=good))

    monkeypatch.setattr(module, "issue", issue)
    monkeypatch.setattr(Examples, "_breaking_point", find_breaking_point)
    return measured(tmp_path, 1.0, ("load-test",))


def test_the_breaking_point_is_where_tries_stop_being_sustained(tried: Run) -> None:
    (breaks,) = of_kind(read_observations(tried), Breaks)
    assert breaks.point.broke
    assert breaks.point.rps == pytest.approx(250, rel=0.05)
    assert breaks.point.reason == "goodput"
    tries = list(of_kind(read_observations(tried), Tried))
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
