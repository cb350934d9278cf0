"""A promise is judged by every request that was due, as a whole, step by step, and second by second."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.promises import Verdict
from benchmark.errors import ObjectiveError, UnknownContender
from benchmark.experiments.promise.comparable import comparable
from benchmark.experiments.promise.schema import PromiseSummary
from tests.unit.benchmark.experiments.promise.synthetic import always, assigned, recorded, recorded_run, slow_between
from tests.unit.benchmark.synthetic import make_contender
from tests.unit.said import said

ONE, TWO = make_contender("one"), make_contender("two")
SHAPE = "0 -> 200 in 10s, hold 10s, 50 for 10s"


def test_what_keeps_every_objective_keeps_the_promise_and_what_is_too_slow_breaks_it(tmp_path: Path) -> None:
    summary = recorded(tmp_path, [ONE, TWO], SHAPE, ["p99<100ms", "errors<1%"], how={"two": {"latency": always(130.0)}})
    one, two = summary.contenders.values()
    assert (one.verdict, two.verdict) == (Verdict.KEPT, Verdict.BROKEN)
    assert [outcome.verdict for outcome in two.outcomes] == [Verdict.BROKEN, Verdict.KEPT]
    assert two.outcomes[0].bad == two.outcomes[0].requests > 3000
    assert (one.outcomes[0].measured_ms, two.outcomes[0].measured_ms) == (50.0, 130.0)
    assert summary.valid
    assert [each.text for each in summary.findings][:1] != []


def test_a_failed_request_misses_every_objective(tmp_path: Path) -> None:
    (entry,) = recorded(
        tmp_path, [ONE], SHAPE, ["p99<100ms", "errors<0.1%"], how={"one": {"failed": 100}}
    ).contenders.values()
    assert [outcome.bad for outcome in entry.outcomes] == [100, 100]
    assert entry.verdict is Verdict.BROKEN
    assert (entry.failed, entry.first_error) == (100, "status 503")
    assert entry.valid  # a contender that fails is a result


def test_few_requests_are_not_enough_to_tell(tmp_path: Path) -> None:
    (entry,) = recorded(tmp_path, [ONE], "20 for 5s").contenders.values()
    assert entry.verdict is Verdict.TOO_FEW
    assert [outcome.needed for outcome in entry.outcomes] == [459, 4603]


def test_the_step_in_which_it_broke_is_told_with_its_worst_second_and_when_it_held_again(tmp_path: Path) -> None:
    how = {"latency": slow_between(12, 14)}
    (entry,) = recorded(tmp_path, [ONE], SHAPE, ["p99<100ms"], how={"one": how}).contenders.values()
    ramp, hold, calm = entry.phases
    assert [phase.outcomes[0].verdict for phase in (ramp, hold, calm)] == [
        Verdict.KEPT, Verdict.BROKEN, Verdict.KEPT,
    ]  # fmt: skip
    assert (hold.from_s, hold.until_s) == (10.0, 20.0)
    assert hold.worst_s in (12, 13)
    assert (ramp.holds_again_s, hold.holds_again_s, calm.holds_again_s) == (0.0, 4.0, 0.0)
    (trouble,) = entry.troubles
    assert (trouble.from_s, trouble.until_s) == (12, 14)


def test_a_promise_that_is_broken_to_the_end_does_not_hold_again(tmp_path: Path) -> None:
    how = {"latency": slow_between(25, 31)}
    (entry,) = recorded(tmp_path, [ONE], SHAPE, ["p99<100ms"], how={"one": how}).contenders.values()
    assert entry.troubles[0].until_s is None
    assert entry.phases[-1].holds_again_s is None


def test_each_second_has_what_was_due_answered_and_in_flight(tmp_path: Path) -> None:
    summary = recorded(tmp_path, [ONE], "100 for 10s", how={"one": {"latency": always(500.0)}})
    (entry,) = summary.contenders.values()
    assert len(entry.seconds) == len(summary.expected) == 10
    assert all(60 < second.due < 140 and second.answered == second.due for second in entry.seconds)
    assert all(second.bad == second.due for second in entry.seconds)
    assert all(25 < second.in_flight < 80 for second in entry.seconds[1:])  # Little: 100/s x 0.5 s = 50


def test_what_is_answered_in_a_second_is_what_came_in_it_whenever_it_was_due(tmp_path: Path) -> None:
    how = {"latency": slow_between(2, 4, latency_ms=3000.0), "failed": 30}
    (entry,) = recorded(tmp_path, [ONE], "100 for 9s", how={"one": how}).contenders.values()
    due, done = [second.due for second in entry.seconds], [second.done for second in entry.seconds]
    assert sum(second.failed for second in entry.seconds) == entry.seconds[0].failed == 30
    assert done[0] <= due[0] - 30
    assert done[3] == 0  # what was due then came three seconds later
    assert sum(done[5:7]) == pytest.approx(sum(due[2:4] + due[5:7]), abs=20)


def test_the_p99_of_a_second_rests_on_as_many_requests_as_it_takes(tmp_path: Path) -> None:
    how = {"latency": slow_between(12, 13, latency_ms=400.0)}
    (entry,) = recorded(tmp_path, [ONE], "100 for 20s", how={"one": how}).contenders.values()
    assert [second.p99_ms for second in entry.seconds[:3]] == [None, None, None]
    assert [second.p99_ms for second in entry.seconds[6:12]] == [50.0] * 6
    assert [second.p99_ms for second in entry.seconds[12:15]] == [400.0] * 3
    assert [second.p99_ms for second in entry.seconds[18:]] == [50.0] * 2
    assert {second.accepted_p99_ms for second in entry.seconds} == {None}


def test_the_last_request_of_a_replayed_log_belongs_to_its_step(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("time\n" + "".join(f"{k / 4}\n" for k in range(13)))
    (entry,) = recorded(tmp_path, [ONE], f"replay {log}").contenders.values()
    assert entry.outcomes[0].requests == entry.phases[0].outcomes[0].requests == 13


def test_latency_counts_from_when_a_request_was_due_even_if_it_was_sent_late(tmp_path: Path) -> None:
    how = {"latency": always(60.0), "late_ms": 45.0}
    (entry,) = recorded(tmp_path, [ONE], SHAPE, ["p99<100ms"], how={"one": how}).contenders.values()
    assert entry.outcomes[0].measured_ms == pytest.approx(105.0)
    assert entry.late_p99_ms == pytest.approx(45.0)


def test_a_generator_that_was_late_or_saturated_strikes_the_contender_and_no_other(tmp_path: Path) -> None:
    how = {"one": {"late_ms": 45.0, "generator_cores": 0.97}}
    summary = recorded(tmp_path, [ONE, TWO], SHAPE, how=how)
    one, two = summary.contenders.values()
    assert [reason.code for reason in one.reasons] == ["late_arrivals", "generator_saturated"]
    assert two.valid
    assert not summary.valid
    assert "load generator was saturated" in " ".join(said(summary.reasons))


def test_where_a_result_comes_in_a_second_step_both_latencies_are_judged(tmp_path: Path) -> None:
    how = {"latency": always(300.0), "requests": 3, "accepted_ms": 8.0}
    (entry,) = recorded(tmp_path, [ONE], SHAPE, ["p99<100ms"], how={"one": how}).contenders.values()
    assert (entry.outcomes[0].verdict, entry.accepted[0].verdict) == (Verdict.BROKEN, Verdict.KEPT)
    assert entry.accepted[0].measured_ms == 8.0
    assert {second.accepted_p99_ms for second in entry.seconds[12:]} == {8.0}
    assert {second.p99_ms for second in entry.seconds[12:]} == {300.0}


def test_a_result_that_never_came_takes_nothing_from_its_first_answer(tmp_path: Path) -> None:
    how = {"requests": 3, "accepted_ms": 8.0, "failed": 500}
    (entry,) = recorded(tmp_path, [ONE], SHAPE, ["p99<100ms"], how={"one": how}).contenders.values()
    assert (entry.outcomes[0].bad, entry.outcomes[0].measured_ms) == (500, None)
    assert (entry.accepted[0].bad, entry.accepted[0].verdict) == (0, Verdict.KEPT)


def test_a_required_contender_that_does_not_keep_it_is_named(tmp_path: Path) -> None:
    how = {"two": {"latency": always(130.0)}}
    summary = recorded(tmp_path, [ONE, TWO], SHAPE, ["p99<100ms"], ["one", "two"], how=how)
    assert summary.broken_requirements == ["two breaks the promise"]


def test_two_runs_under_the_same_load_can_be_compared(tmp_path: Path) -> None:
    fast: dict[str, Any] = {
        "one": {"latency": always(60.0)},
        "two": {"requests": 2, "accepted_ms": 6.0, "latency": always(300.0)},
    }
    slow = {"one": {"latency": always(90.0)}, "two": fast["two"]}
    runs = [
        recorded_run(tmp_path / str(k), [ONE, TWO], "200 for 10s", ["p99<100ms"], how=how)
        for k, how in enumerate((fast, slow))
    ]
    first, second = ({figure.name: figure for figure in comparable(run, "one", None)} for run in runs)
    assert list(first) == ["kept p99<100ms", "p99", "CPU per request"]
    assert (first["p99"].values, second["p99"].values) == ((60.0,), (90.0,))
    assert first["p99"].key == second["p99"].key
    names = [figure.name for figure in comparable(runs[0], "two", None)]
    assert names == [
        *("kept p99<100ms", "p99"),
        *("kept p99<100ms of the first answer", "p99 of the first answer"),
        "CPU per request",
    ]
    other = recorded_run(tmp_path / "other", [ONE], "100 for 10s", ["p99<100ms"])
    assert {each.key for each in comparable(other, "one", None)}.isdisjoint(each.key for each in first.values())


def test_nobody_can_be_required_who_is_not_measured() -> None:
    with pytest.raises(UnknownContender, match="--require three: it is not measured, expected one of one, two"):
        assigned([ONE, TWO], SHAPE, required=["three"])


def test_an_objective_is_given_once() -> None:
    with pytest.raises(ObjectiveError, match="given twice"):
        assigned([ONE], SHAPE, ["p99<100ms", "p99<100ms"])


def test_a_summary_survives_its_file(tmp_path: Path) -> None:
    summary = recorded(tmp_path, [ONE], SHAPE)
    assert PromiseSummary.model_validate(summary.model_dump(mode="json", by_alias=True)) == summary
