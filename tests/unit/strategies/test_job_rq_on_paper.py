"""The figures of jobs on RQ, from statistics that are known to be right: waits by the recursion, and Little's law."""

from statistics import fmean

import pytest

from benchmark.experiments.strategies.observed import Observed
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals
from strategies.job_rq.figures import DONE, LITTLE, OCCUPIED, SOJOURN, TOLD, wait_by_law
from strategies.job_rq.model import duration_ms
from strategies.job_rq.parameters import LONGEST_MS, SHORTEST_MS
from strategies.laws import waits_ms

LOAD = Arrivals(12.0, 10.0, warmup_s=0, seed=3)
OCCUPIED_MS, AT_WORK_MS = 60.0, 50.0


def observed(jobs: int | None = None, **changes: float) -> Observed:
    """Return what a service says that does exactly what the recursion says, of the first `jobs`."""
    waits = waits_ms(times_of(LOAD)[:jobs], OCCUPIED_MS)
    sojourns_s = (sum(waits) + AT_WORK_MS * len(waits)) / 1e3
    after = {
        "clock_s": 110.0, "samples": 500, "sampled_jobs": 500 * sojourns_s / 10, "effects": 3.0 + len(waits),
        "waited_ms": sum(waits), "worked_ms": AT_WORK_MS * len(waits), "occupied": 7, "occupied_ms": 7 * OCCUPIED_MS,
    }  # fmt: skip
    return Observed(before={"clock_s": 100.0, "effects": 3.0}, after={**after, **changes})


def test_waits_as_in_the_recursion_are_a_multiple_of_one() -> None:
    assert wait_by_law(LOAD).of(observed()) == pytest.approx(1.0)


def test_waits_are_compared_with_those_of_the_jobs_that_were_done() -> None:
    assert wait_by_law(LOAD).of(observed(jobs=20)) == pytest.approx(1.0)
    assert wait_by_law(LOAD).of(observed(jobs=20, waited_ms=observed().after["waited_ms"])) != pytest.approx(1.0)


def test_a_worker_that_is_occupied_longer_than_it_says_shows() -> None:
    ratio = wait_by_law(LOAD).of(observed(occupied_ms=7 * 45.0))
    assert ratio is not None
    assert ratio > 1.15


def test_littles_law_holds_where_it_must_and_not_where_jobs_are_missing() -> None:
    assert LITTLE.of(observed()) == pytest.approx(1.0)
    missed = observed().after["sampled_jobs"] * 0.9
    assert LITTLE.of(observed(sampled_jobs=missed)) == pytest.approx(0.9)


def test_the_times_of_a_job_add_up() -> None:
    waits = waits_ms(times_of(LOAD), OCCUPIED_MS)
    assert SOJOURN.of(observed()) == pytest.approx(fmean(waits) + AT_WORK_MS)
    assert OCCUPIED.of(observed()) == pytest.approx(OCCUPIED_MS)
    assert DONE.of(observed()) == pytest.approx(len(waits) / 10)


@pytest.mark.parametrize("figure", [LITTLE, OCCUPIED, DONE, SOJOURN, TOLD, wait_by_law(LOAD)])
def test_nothing_is_told_of_nothing(figure: object) -> None:
    assert figure.of(Observed()) is None  # type: ignore[attr-defined]


def test_a_job_takes_as_long_whenever_it_runs_and_jobs_differ() -> None:
    durations = [duration_ms(f"job-{n}", SHORTEST_MS, LONGEST_MS) for n in range(500)]
    assert durations == [duration_ms(f"job-{n}", SHORTEST_MS, LONGEST_MS) for n in range(500)]
    assert all(SHORTEST_MS <= each <= LONGEST_MS for each in durations)
    assert fmean(durations) == pytest.approx(45.0, abs=0.5)
    assert len(set(durations)) == 500
