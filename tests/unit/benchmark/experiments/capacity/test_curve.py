"""The capacity from the share of requests that missed an objective, in tries at known rates."""

import numpy as np
import pytest

from benchmark.experiments.capacity.curve import Count, estimate, estimate_of_block
from benchmark.experiments.capacity.curve import _log_density as log_density
from benchmark.experiments.capacity.curve import _log_more as log_more

ALLOWED, DUE = 0.01, 3000
RATES = (90.0, 95.0, 97.0, 100.0, 103.0, 105.0, 110.0)


def growing(power: float, repeats: int = 1) -> list[Count]:
    """Return tries whose share of misses is 1 % at 100 requests/s, and grows as a power of the rate."""
    return [Count(rate, DUE, round(DUE * ALLOWED * (rate / 100) ** power)) for rate in RATES for _ in range(repeats)]


@pytest.mark.parametrize("power", [12, 25, 50])
def test_the_capacity_is_where_as_many_miss_as_are_allowed(power: float) -> None:
    found = estimate(growing(power), ALLOWED)
    assert found.rps == pytest.approx(100, rel=0.02)
    assert found.low_rps < 100 < found.high_rps


def test_more_tries_and_a_steeper_curve_make_the_interval_narrower() -> None:
    few, many, steep = (estimate(each, ALLOWED) for each in (growing(15), growing(15, repeats=4), growing(50)))
    assert many.half_width < few.half_width
    assert steep.half_width < few.half_width


def test_a_service_that_is_good_up_to_a_rate_and_fails_beyond_it_has_its_capacity_between_the_two() -> None:
    good = [Count(rate, DUE, 0) for rate in (90.0, 96.0, 98.0, 99.0)]
    bad = [Count(rate, DUE, 301, at_least=True) for rate in (102.0, 103.0, 108.0)]
    found = estimate([*good, *bad], ALLOWED)
    assert 93 < found.rps < 102
    assert found.high_rps < 102


def test_a_block_that_misses_more_has_a_lower_capacity_than_one_that_misses_less() -> None:
    counts = growing(25, repeats=2)
    calm = [Count(each.rate_rps, DUE, each.missed // 2) for each in counts[:3]]
    rough = [Count(each.rate_rps, DUE, each.missed * 2) for each in counts[:3]]
    low, high = (estimate_of_block(block, counts, ALLOWED, 100.0).rps for block in (rough, calm))
    assert low < 100 < high


def test_the_law_of_the_misses_is_a_poisson_number_of_exponential_stretches() -> None:
    rng = np.random.default_rng(4)
    number, size = 2.5, 30.0
    drawn = np.array([rng.exponential(size, count).sum() for count in rng.poisson(number, 40_000)])
    steps = np.arange(1, 1500, dtype=float)
    density = np.exp(log_density(steps, np.full_like(steps, number), np.full_like(steps, size)))
    assert density[:100].sum() == pytest.approx(np.mean((drawn > 0.5) & (drawn <= 100.5)), abs=0.01)
    assert density.sum() + np.exp(-number) == pytest.approx(1, abs=0.02)
    more = np.exp(log_more(np.array([150.0]), np.array([number]), np.array([size])))
    assert more[0] == pytest.approx(np.mean(drawn > 150), abs=0.01)
