"""Measuring under fire: when a fault is inflicted, what is recorded of it, and who goes on when one fails."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.errors import LoadError, RecordError
from benchmark.experiments.under_fire import measure as module
from benchmark.experiments.under_fire.measure import OFFERED
from benchmark.experiments.under_fire.plan import OVERLOAD, PEAK, Trouble
from benchmark.measure.faults import FAULTS, Fault, Inflicted
from tests.unit.benchmark.experiments.under_fire.synthetic import ONE, PAUSE, PLAN, TWO, record, without

DONE = Inflicted(1, 2)


def test_each_fault_is_recorded_with_its_true_begin_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, monkeypatch, plan=without(OVERLOAD))
    rows = run.lines(FAULTS)
    assert sorted((row["part"], row["contender"]) for row in rows) == [
        (part, label) for part in ("other", "pause") for label in ("one", "two")
    ]
    trials = {(trial.part, trial.contender): trial for trial in run.trials()}
    for row in rows:
        window = trials[row["part"], row["contender"]].windows[0]
        assert (row["start_ns"] - window.start_ns, row["end_ns"] - row["start_ns"]) == (2_000_000_000, 1_000_000_000)
        assert row["fault"]["kind"] == "stop"


def test_a_fault_comes_once_so_many_seconds_after_measuring_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    run_of = record(tmp_path, monkeypatch, [ONE], without(OVERLOAD, "other"))
    assert len(run_of.lines(FAULTS)) == 1
    monkeypatch.setattr("benchmark.experiments.under_fire.measure.time.sleep", slept.append)
    happened: list[Fault] = []

    class Watched:
        def inflict(self, _: object, fault: Fault) -> Inflicted:
            happened.append(fault)
            return DONE

    class Trial:
        def phase(self, _: str) -> None:
            pass

    watcher = module._Watcher(Watched(), PAUSE, 2.0)  # type: ignore[arg-type]
    for event in ("tick", "measuring", "tick", "window", "measuring", "waiting"):
        watcher(Trial(), event)  # type: ignore[arg-type]
    assert (slept, happened) == ([2.0], [PAUSE.fault])
    assert watcher.inflicted == DONE


def test_overload_offers_three_times_the_peak_that_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record(tmp_path, monkeypatch)
    rows = {row["contender"]: row for row in run.lines(OFFERED)}
    assert sorted(rows) == ["one", "two"]
    for row in rows.values():
        (_, most), (_, rest) = row["load"]["later"]
        assert (most, rest) == (pytest.approx(3 * row["peak_rps"]), pytest.approx(row["peak_rps"] / 4))
        assert row["generators"] == 1


def test_a_trial_that_fails_is_recorded_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, monkeypatch, error=((PEAK, "two"), LoadError("no answer came")))
    ends = {(trial.part, trial.contender): (trial.status, trial.reason) for trial in run.trials()}
    assert len(ends) == len(PLAN.parts(["one", "two"]))
    assert {part for part, (status, _) in ends.items() if status != "measured"} == {(PEAK, "two"), (OVERLOAD, "two")}
    assert ends[PEAK, "two"] == ("failed", "no answer came")
    assert "its peak is unknown" in ends[OVERLOAD, "two"][1]


def test_a_fault_that_cannot_happen_to_a_contender_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Trouble("slow", "Redis is slow", Fault("proxy", "redis", 1.0, "delay", 100))
    with pytest.raises(Exception, match="one has no process of the role 'redis'"):
        record(tmp_path, monkeypatch, [ONE, TWO], replace(PLAN, troubles=(slow,)))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecordError, match="full"):
        record(tmp_path, monkeypatch, error=(("pause", "one"), RecordError("the disk is full")))
