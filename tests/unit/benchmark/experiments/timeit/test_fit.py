"""Lines and intervals, on data whose truth is known."""

import numpy as np
import pytest

from benchmark.experiments.timeit import fit

CALLS = np.array([1, 5, 10, 20, 40, 60])


def repeats(slope_ms: float, count: int, seed: int = 1, intercept_ms: float = 0.0, sd_ms: float = 2.4) -> fit.Floats:
    """Return sums of repeats of n calls whose variance grows with n, as that of independent calls does."""
    draw = np.random.default_rng(seed)
    noise = sd_ms * np.sqrt(CALLS) * draw.standard_normal((count, CALLS.size))
    return np.array([fit.line_sums(CALLS, row / 1e3) for row in intercept_ms + slope_ms * CALLS + noise])


def test_a_line_without_noise_is_found_exactly() -> None:
    exact = repeats(51.5, 3, intercept_ms=7.0, sd_ms=0.0)
    assert fit.slope_ms(exact) == pytest.approx(51.5)
    assert fit.intercept_ms(exact) == pytest.approx(7.0)


def test_the_line_is_that_of_weighted_least_squares() -> None:
    seconds = np.array([0.06, 0.25, 0.53, 1.01, 2.11, 3.0])
    weighted = np.polyfit(CALLS, seconds * 1e3, 1, w=1 / np.sqrt(CALLS))
    sums = fit.line_sums(CALLS, seconds)[None]
    assert (fit.slope_ms(sums), fit.intercept_ms(sums)) == pytest.approx(tuple(weighted))


def test_one_number_of_calls_has_no_line() -> None:
    assert np.isnan(fit.slope_ms(fit.line_sums([7, 7], [0.3, 0.4])[None]))


@pytest.mark.parametrize("count", [3, 5, 8, 10])
def test_intervals_hold_the_truth_about_19_times_in_20(count: int) -> None:
    intervals = [fit.slope_interval(repeats(50.0, count, seed), seed) for seed in range(300)]
    held = np.mean([i.low is not None and i.high is not None and i.low <= 50.0 <= i.high for i in intervals])
    assert held >= 0.91


@pytest.mark.parametrize("count", [3, 10])
def test_percentages_have_the_right_value_and_sign(count: int) -> None:
    slow, fast = repeats(100.0, count, 1), repeats(50.0, count, 2)
    faster, slower = fit.faster_interval(slow, fast, 1), fit.faster_interval(fast, slow, 1)
    assert faster.value == pytest.approx(100.0, abs=2)
    assert slower.value == pytest.approx(-50.0, abs=1)
    for interval, truth in ((faster, 100.0), (slower, -50.0)):
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < interval.value < interval.high
        assert interval.high - interval.low < 10
        assert interval.low < truth < interval.high


def test_a_contender_against_itself_is_zero_percent_faster() -> None:
    own = repeats(50.0, 10)
    interval = fit.faster_interval(own, own, 1)
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.0, 0.0, 0.0))


def test_pairing_takes_out_what_a_repeat_does_to_both() -> None:
    weather = np.random.default_rng(3).uniform(0.9, 1.1, 10)
    base = np.array([fit.line_sums(CALLS, 0.1 * CALLS * w) for w in weather])
    other = np.array([fit.line_sums(CALLS, 0.05 * CALLS * w) for w in weather])
    interval = fit.faster_interval(base, other, 1)
    assert (interval.low, interval.high) == pytest.approx((100.0, 100.0))
    wide = fit.slope_interval(base, 1)
    assert wide.low is not None
    assert wide.low < 97


def test_the_same_seed_gives_the_same_interval() -> None:
    own = repeats(50.0, 10)
    assert fit.slope_interval(own, 4) == fit.slope_interval(own, 4)


def test_a_single_repeat_has_no_interval() -> None:
    own = repeats(50.0, 1)
    assert fit.slope_interval(own, 1).as_list() is None
    assert fit.faster_interval(own, own, 1).as_list() is None


def test_the_mean_of_a_call_and_its_error() -> None:
    draw = np.random.default_rng(1)
    calls = np.tile(CALLS, 50)
    seconds = (50 * calls + 2.4 * np.sqrt(calls) * draw.standard_normal(calls.size)) / 1e3
    mean, error = fit.mean_ms(calls.tolist(), seconds.tolist())
    assert error == pytest.approx(2.4 / np.sqrt(calls.sum()), rel=0.15)
    assert mean == pytest.approx(50.0, abs=4 * error)
