"""Schedules: the same for the same seed, at the rate that was asked for, even or rising."""

import pytest

from benchmark.load.arrivals import arrivals_until, times_of
from benchmark.load.plan import Arrivals


def test_a_seed_gives_the_same_times_again_and_another_one_others() -> None:
    assert arrivals_until(50, 1, 2.0) == arrivals_until(50, 1, 2.0) != arrivals_until(50, 2, 2.0)


def test_a_load_is_due_from_its_warmup_to_its_end() -> None:
    load = Arrivals(50, measure_s=2.0, warmup_s=0.5, seed=3)
    assert times_of(load) == arrivals_until(50, 3, 2.5)


def test_later_rates_hold_from_their_second_on_and_repeat_with_the_seed() -> None:
    load = Arrivals(100, measure_s=29.0, warmup_s=1.0, seed=3, later=((10.0, 900.0), (20.0, 50.0)))
    due_s = times_of(load)
    assert due_s == times_of(load) == sorted(due_s)
    assert due_s[: len(arrivals_until(100, 3, 10.0))] == arrivals_until(100, 3, 10.0)
    for from_s, rate_rps in ((0.0, 100), (10.0, 900), (20.0, 50)):
        count = sum(from_s <= at_s < from_s + 10.0 for at_s in due_s)
        assert count == pytest.approx(10 * rate_rps, abs=4 * (10 * rate_rps) ** 0.5)


@pytest.mark.parametrize(("until_s", "expected"), [(5.0, 1_250), (10.0, 5_000), (20.0, 15_000)])
def test_a_ramp_rises_from_nothing_to_its_rate_and_stays_there(until_s: float, expected: int) -> None:
    due_s = times_of(Arrivals(1_000, measure_s=20.0, warmup_s=0.0, seed=1, ramp_s=10.0))
    assert due_s == sorted(due_s)
    assert sum(at_s < until_s for at_s in due_s) == pytest.approx(expected, abs=4 * expected**0.5)
