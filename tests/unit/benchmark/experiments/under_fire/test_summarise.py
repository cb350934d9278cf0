"""What the record of a run under fire says: every request accounted for, recovery, overload beside its bounds."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.experiments.under_fire.measure import OFFERED
from benchmark.experiments.under_fire.schema import Bound, OverloadResult, TroubleResult, UnderFireSummary
from benchmark.load.arrivals import times_of
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.under_fire.synthetic import (
    CORES,
    LATENCY_MS,
    NOBODY,
    ONE,
    PAUSE,
    PLAN,
    TWO,
    Behaviour,
    record,
    without,
)
from tests.unit.benchmark.fakes import fake_stack
from tests.unit.said import said

FAULTY = without("other", "overload")
LOADED = replace(without("pause", "other"), overload=True)


def summary_of(run: Run) -> UnderFireSummary:
    return UnderFireSummary.model_validate(run.summary)


def paused(tmp_path: Path, patch: pytest.MonkeyPatch, how: Behaviour) -> TroubleResult:
    run = record(tmp_path, patch, [ONE], FAULTY, {"one": how})
    ((result,),) = (trouble.results for trouble in summary_of(run).troubles)
    return result


def loaded(tmp_path: Path, patch: pytest.MonkeyPatch, how: Behaviour) -> OverloadResult:
    (result,) = summary_of(record(tmp_path, patch, [ONE], LOADED, {"one": how})).overload
    return result


def bounds_of(result: OverloadResult) -> dict[str, Bound]:
    return {bound.name: bound for bound in result.bounds}


def test_every_request_is_accounted_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = paused(tmp_path, monkeypatch, Behaviour())
    load = PLAN.arrivals(PAUSE)
    due_s = [at_s - load.warmup_s for at_s in times_of(load) if at_s >= load.warmup_s]
    hit = sum(2.0 <= at_s < 3.0 for at_s in due_s)
    assert (result.sent, result.answers, result.no_answers) == (len(due_s), {"200": len(due_s) - hit, "503": hit}, {})
    assert (result.hanging, result.unexplained, result.orphans, result.valid) == (0, 0, 0, True)
    assert (result.begun_s, result.over_s) == (2.0, 3.0)
    assert result.recovery_s == 0
    assert result.before_rps == pytest.approx(sum(at_s < 2.0 - LATENCY_MS / 1e3 for at_s in due_s) / 2.0, abs=0.6)
    assert result.during_rps is not None
    assert result.during_rps < 10  # answers to what was asked just before
    assert result.memory_mb == 51.0


@pytest.mark.parametrize(
    ("how", "counted", "example"),
    [
        (Behaviour(502, "WrongAnswer: status 502"), "answers", "status 502, +0.0 s"),
        (Behaviour(200, "WrongAnswer: answer 9 s lies outside"), "answers", "answer 9 s lies outside, +0.0 s"),
        (Behaviour(503, "WrongAnswer: status 503 without Retry-After"), "answers", "status 503 without Retry-After"),
        (Behaviour(0, "WrongAnswer: no answer (status 0): ConnectionResetError: reset"), "no_answers", "no answer"),
    ],
    ids=["another status", "a wrong 200", "no Retry-After", "a reset"],
)
def test_what_the_contract_does_not_give_is_unexplained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Behaviour, counted: str, example: str
) -> None:
    result = paused(tmp_path, monkeypatch, how)
    assert result.unexplained > 20
    assert sum(getattr(result, counted).values()) >= result.unexplained
    assert result.example.startswith(example)
    assert result.valid


def test_refused_connections_are_counted_as_such_and_explained_where_the_contract_allows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = paused(tmp_path, monkeypatch, Behaviour(0, NOBODY))
    assert list(result.no_answers) == ["refused"]
    assert result.lost > 20
    assert result.unexplained == 0


def test_errors_that_go_on_delay_recovery_and_become_unexplained_after_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.experiments.under_fire.plan.deadline_s", lambda _: 1.0)
    result = paused(tmp_path, monkeypatch, Behaviour(after_s=1.5))
    assert result.recovery_s == pytest.approx(1.5, abs=0.15)
    assert 10 < result.unexplained < 40


def test_what_does_not_come_back_has_no_time_of_recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paused(tmp_path, monkeypatch, Behaviour(after_s=60)).recovery_s is None


def test_late_answers_do_not_count_as_full_speed_and_hang_after_their_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.experiments.under_fire.plan.deadline_s", lambda _: 0.5)
    run = record(tmp_path, monkeypatch, [ONE], FAULTY)
    path = run.file("samples", run.trials()[0], ".csv")
    rows = path.read_text().splitlines()
    # From the middle on, each right answer takes two seconds.
    slow = [row.replace(",50000000,200", ",2000000000,200") for row in rows[len(rows) // 2 :]]
    path.write_text("\n".join([*rows[: len(rows) // 2], *slow, ""]))
    from benchmark.experiments.experiment import write_summary
    from benchmark.experiments.under_fire.experiment import EXPERIMENT

    write_summary(EXPERIMENT, run)
    (result,) = summary_of(run).troubles[0].results
    assert result.recovery_s is None
    assert result.hanging > 50


def test_processes_that_were_left_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, monkeypatch, [ONE], FAULTY, orphans=2)
    assert summary_of(run).troubles[0].results[0].orphans == 2


def test_a_fault_leaves_the_trial_and_the_other_ones_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, monkeypatch)
    summary = summary_of(run)
    assert summary.valid, said(summary.reasons)
    assert summary.complete
    assert [each.name for each in summary.troubles] == ["pause", "other"]
    assert all(result.valid for trouble in summary.troubles for result in trouble.results)


def test_a_trial_that_failed_strikes_itself_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.errors import StackError

    run = record(tmp_path, monkeypatch, error=(("pause", "two"), StackError("it never came back")))
    summary = summary_of(run)
    pause, other = summary.troubles
    assert [result.valid for result in (*pause.results, *other.results)] == [True, False, True, True]
    assert said(summary.reasons) == ["two, pause: it never came back"]
    assert not pause.results[1].is_measured


def test_overload_is_held_to_its_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = loaded(tmp_path, monkeypatch, Behaviour())
    assert result.peak_users == 8
    assert result.peak_rps == pytest.approx(160, rel=0.06)
    assert result.offered_rps == pytest.approx(480, rel=0.1)
    assert result.refused_share == pytest.approx(2 / 3, abs=0.01)
    assert (result.hanging, result.unexplained, result.full_speed_s) == (0, 0, 0.0)
    bounds = bounds_of(result)
    assert {bound.held for bound in bounds.values()} == {True}
    assert bounds["goodput"].value == pytest.approx(1.0, abs=0.1)
    assert bounds["p95 of what was accepted"].value == pytest.approx(1.0)
    assert result.memory_growth_mb == 1.0


@pytest.mark.parametrize(
    ("how", "broken"),
    [
        (Behaviour(carries=0.5), {"goodput"}),
        (Behaviour(latency_ms=2 * LATENCY_MS), {"median of what was accepted", "p95 of what was accepted"}),
    ],
)
def test_a_bound_that_does_not_hold_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Behaviour, broken: set[str]
) -> None:
    bounds = bounds_of(loaded(tmp_path, monkeypatch, how))
    assert {name for name, bound in bounds.items() if bound.held is False} == broken


def test_a_saturated_generator_makes_overload_invalid_and_tells_no_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = loaded(tmp_path, monkeypatch, Behaviour(cores={**CORES, "load": 0.97}))
    assert "generator_saturated" in {reason.code for reason in result.reasons}
    assert {bound.held for bound in result.bounds} == {None}


def test_a_generator_that_sent_less_than_was_to_be_offered_makes_overload_invalid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record(tmp_path, monkeypatch, [ONE], LOADED)
    path = run.path / OFFERED
    rate = run.lines(OFFERED)[0]["load"]["later"][0][1]
    path.write_text(path.read_text().replace(str(rate), str(rate * 2)))
    from benchmark.experiments.experiment import write_summary
    from benchmark.experiments.under_fire.experiment import EXPERIMENT

    write_summary(EXPERIMENT, run)
    (result,) = summary_of(run).overload
    assert [reason.code for reason in result.reasons] == ["offered_less"]


def test_without_a_peak_there_is_no_overload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmark.errors import LoadError

    run = record(tmp_path, monkeypatch, [ONE], LOADED, error=(("peak", "one"), LoadError("no answer came")))
    summary = summary_of(run)
    (result,) = summary.overload
    assert not result.is_measured
    assert said(summary.reasons) == ["one, overload: no answer came"]


def test_a_busy_machine_condemns_all_of_it_and_every_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.record.provenance.busy_share", lambda: 0.5)
    monkeypatch.setattr("tests.unit.benchmark.experiments.under_fire.synthetic.fake_stack", _busy)
    summary = summary_of(record(tmp_path, monkeypatch, [ONE, TWO]))
    assert not summary.results
    assert not summary.loaded
    assert {bound.held for each in summary.overload for bound in each.bounds} == {None}
    assert [reason.code for reason in summary.reasons] == ["machine_busy"]


def _busy(patch: pytest.MonkeyPatch, measure: object) -> None:
    fake_stack(patch, measure)  # type: ignore[arg-type]
    patch.setattr("benchmark.record.provenance.busy_share", lambda: 0.5)
