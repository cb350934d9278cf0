"""What a try says: who missed what, whether it was ended early, and whether the generator kept up."""

from pathlib import Path

import pandas as pd
import pytest

from benchmark.analysis.promises import Verdict
from benchmark.experiments.capacity.observed import due_in_window, observe, read_try
from benchmark.experiments.capacity.search import Kind, Offer, Tried
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals
from benchmark.record.run import TrialRecord, Window
from tests.unit.benchmark.experiments.capacity.synthetic import Misses, short_plan, write_try
from tests.unit.benchmark.synthetic import SECOND_NS, START_NS, make_contender, make_run

PLAN = short_plan(("p99<100ms", "errors<0.1%"))
ONE = make_contender("one")


def seen(
    folder: Path, misses: Misses, late_ms: float = 0.0, failing: bool = False, kind: Kind = Kind.FINE
) -> tuple[Tried, Arrivals]:
    offer = Offer(200.0, kind)
    load, cell, run = PLAN.load(offer, 1), TrialRecord(0, "one", 1, part="try-1"), make_run(folder, [ONE])
    write_try(run, cell, load, misses, late_ms, failing)
    return read_try(run, cell, offer, load, PLAN.objectives), load


def test_every_request_that_was_due_counts_and_each_objective_has_its_own_misses(tmp_path: Path) -> None:
    tried, load = seen(tmp_path, lambda _: 0.02)
    late, failed = tried.counts
    assert late.due == failed.due == due_in_window(load)
    assert late.missed / late.due == pytest.approx(0.02, abs=0.002)
    assert (failed.missed, tried.kept_each, tried.offered) == (0, (False, True), True)


def test_a_failed_request_misses_every_objective(tmp_path: Path) -> None:
    tried, _ = seen(tmp_path, lambda _: 0.005, failing=True)
    assert tried.counts[0].missed == tried.counts[1].missed > 0
    assert tried.kept_each == (True, False)


def test_beyond_its_bound_it_does_not_matter_how_many_more_missed(tmp_path: Path) -> None:
    tried, load = seen(tmp_path, lambda _: 0.8)
    assert (tried.counts[0].missed, tried.counts[0].at_least) == (load.bounds[0].most + 1, True)


def test_where_the_generator_was_late_and_not_the_service_the_try_says_nothing(tmp_path: Path) -> None:
    tried, _ = seen(tmp_path, lambda _: 0.0, late_ms=60.0)  # 50 ms, and sent 60 ms too late
    assert (tried.sustained, tried.offered) == (False, False)


def test_where_the_service_was_too_slow_by_itself_a_late_generator_does_not_excuse_it(tmp_path: Path) -> None:
    tried, _ = seen(tmp_path, lambda _: 0.5, late_ms=20.0)
    assert (tried.sustained, tried.offered) == (False, True)


def test_a_saturated_generator_excuses_the_service() -> None:
    offer = Offer(200.0, Kind.FINE)
    load = PLAN.load(offer, 1)
    tried = observe(offer, load, _nobody(), Window(0, 0, SECOND_NS), PLAN.objectives, cores=0.97)
    assert not tried.offered


def test_what_was_given_up_after_its_limit_missed_it() -> None:
    offer = Offer(200.0, Kind.FINE)
    load = PLAN.load(offer, 1)
    tried = observe(offer, load, _nobody(), Window(0, START_NS, START_NS + SECOND_NS), PLAN.objectives)
    overdue = sum(0 <= at_s - load.warmup_s <= 0.9 for at_s in times_of(load))
    assert tried.counts[0].missed == min(overdue, load.bounds[0].most + 1) > 0
    assert (tried.counts[1].missed, tried.counts[1].at_least) == (0, True)  # none of them has failed
    assert (tried.kept_each, tried.offered) == ((False, True), True)


@pytest.mark.parametrize(("share", "verdict"), [(0.0, Verdict.TOO_FEW), (0.2, Verdict.BROKEN)])
def test_a_confirming_run_has_a_verdict(tmp_path: Path, share: float, verdict: Verdict) -> None:
    tried, _ = seen(tmp_path, lambda _: share, kind=Kind.CONFIRM)  # 1,600 requests do not show errors < 0.1 %
    assert tried.verdict is verdict


def _nobody() -> pd.DataFrame:
    columns = ["scheduled_ns", "start_ns", "end_ns", "response_ms", "ok", "status"]
    return pd.DataFrame({column: pd.Series(dtype="int64") for column in columns})
