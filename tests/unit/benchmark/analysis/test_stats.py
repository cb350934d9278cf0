"""Percentiles, intervals and rates: what they are on data whose truth is known."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binom

from benchmark.analysis.stats import (
    Interval,
    block_interval,
    geometric_interval,
    holm,
    holm_levels,
    peak_interval,
    percentile,
    positive_interval,
    rate_in_window,
    ratio_interval,
    ratio_p_value,
    samples_needed,
    shares_in_window,
    tail_samples,
)

# A busy machine may take its time.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

SIMULATIONS = 2_000
BLOCKS = 3
SECOND_NS = 10**9

positive = st.floats(1e-3, 1e6)
blocks = st.lists(positive, min_size=2, max_size=12)
pairs_of_blocks = st.lists(st.tuples(positive, positive), min_size=2, max_size=12)
# Requests as (start, duration) in ns, around a window from 10 s to 20 s.
requests = st.lists(st.tuples(st.integers(0, 30 * SECOND_NS), st.integers(1, 15 * SECOND_NS)), max_size=40)


def binomial_error(share: float) -> float:
    """Return four standard deviations of a share that was counted in the simulations."""
    return 4 * math.sqrt(share * (1 - share) / SIMULATIONS)


@pytest.mark.parametrize(("over_limit", "samples"), [(0, 459), (1, 662), (2, 838), (10, 2010), (50, 6898)])
def test_the_samples_of_a_p99_are_those_of_the_published_table(over_limit: int, samples: int) -> None:
    assert tail_samples(0.99, over_limit) == samples


def test_the_samples_of_a_p999_are_those_of_the_published_table() -> None:
    assert tail_samples(0.999, 0) == 4603


@patient
@given(quantile=st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.999]), over_limit=st.integers(0, 60))
def test_the_samples_of_a_tail_are_the_fewest_that_show_it(quantile: float, over_limit: int) -> None:
    n = tail_samples(quantile, over_limit)
    # If the true quantile were above the limit, so few above it would be seen in one run of a hundred at most.
    assert binom.cdf(over_limit, n, 1 - quantile) <= 0.01 + 1e-12
    assert binom.cdf(over_limit, n - 1, 1 - quantile) > 0.01


@pytest.mark.parametrize(("percent", "samples"), [(50, 7), (95, 90), (99, 459), (99.9, 4603)])
def test_a_percentile_is_shown_from_its_number_of_samples_on_and_not_below(percent: float, samples: int) -> None:
    assert samples_needed(percent) == samples
    assert percentile(np.arange(samples - 1), percent) is None
    assert percentile(np.arange(samples), percent) == pytest.approx((samples - 1) * percent / 100)


def test_a_percentile_of_nothing_is_no_number() -> None:
    assert percentile([], 50) is None


@patient
@given(values=arrays(float, st.integers(90, 200), elements=st.floats(-1e9, 1e9)))
def test_a_percentile_lies_among_its_values_and_does_not_fall(values: np.ndarray) -> None:
    p50, p95 = percentile(values, 50), percentile(values, 95)
    assert p50 is not None
    assert p95 is not None
    assert values.min() <= p50 <= p95 <= values.max()


def test_an_interval_over_blocks_holds_the_truth_in_95_of_100_experiments() -> None:
    draws = np.random.default_rng(1).normal(50, 5, (SIMULATIONS, BLOCKS))
    intervals = [block_interval(list(row)) for row in draws]
    held = sum(i.low is not None and i.high is not None and i.low <= 50 <= i.high for i in intervals)
    assert held / SIMULATIONS == pytest.approx(0.95, abs=binomial_error(0.95))


@pytest.mark.parametrize("confidence", [0.8, 0.99])
def test_an_interval_keeps_whatever_confidence_is_asked_for(confidence: float) -> None:
    draws = np.random.default_rng(2).normal(50, 5, (SIMULATIONS, BLOCKS))
    intervals = [block_interval(list(row), confidence) for row in draws]
    held = sum(i.low is not None and i.high is not None and i.low <= 50 <= i.high for i in intervals)
    assert held / SIMULATIONS == pytest.approx(confidence, abs=binomial_error(confidence))


def test_an_interval_of_what_is_multiplied_by_noise_holds_the_truth_in_95_of_100_experiments() -> None:
    draws = 50 * np.random.default_rng(5).lognormal(-(0.1**2) / 2, 0.1, (SIMULATIONS, BLOCKS))  # mean 50
    intervals = [positive_interval(list(row)) for row in draws]
    held = sum(i.low is not None and i.high is not None and i.low <= 50 <= i.high for i in intervals)
    assert held / SIMULATIONS == pytest.approx(0.95, abs=binomial_error(0.95))


@patient
@given(values=blocks)
def test_an_interval_of_what_is_positive_stays_above_zero(values: list[float]) -> None:
    interval = positive_interval(values)
    assert interval.low is not None
    assert interval.high is not None
    assert 0 <= interval.low <= interval.high
    assert interval.value == pytest.approx(np.mean(values))


@pytest.mark.parametrize("interval", [block_interval, positive_interval])
def test_one_block_has_a_value_and_no_interval(interval: Callable[[list[float]], Interval]) -> None:
    assert (interval([42.0]).value, interval([42.0]).as_list()) == (42.0, None)


@patient
@given(values=blocks, factor=positive)
def test_an_interval_is_symmetric_about_its_mean_and_grows_with_its_unit(values: list[float], factor: float) -> None:
    one, other = block_interval(values), block_interval([value * factor for value in values])
    assert one.low is not None
    assert one.high is not None
    tolerance = 1e-6 * max(values)
    assert one.value == pytest.approx(np.mean(values), abs=tolerance)
    assert one.high - one.value == pytest.approx(one.value - one.low, abs=tolerance)
    assert other.as_list() == pytest.approx([one.low * factor, one.high * factor], abs=tolerance * factor)


def test_equal_blocks_have_an_interval_of_no_width() -> None:
    assert block_interval([7.0] * 4).as_list() == [7.0, 7.0]


@patient
@given(pairs=pairs_of_blocks)
def test_a_over_b_and_b_over_a_say_the_same(pairs: list[tuple[float, float]]) -> None:
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    there, back = ratio_interval(a, b), ratio_interval(b, a)
    assert there.low is not None
    assert there.high is not None
    assert back.low is not None
    assert back.high is not None
    assert math.log(there.value) == pytest.approx(-math.log(back.value), abs=1e-9)
    with np.errstate(over="ignore"):
        assert there.low * back.high == pytest.approx(1)
        assert there.high * back.low == pytest.approx(1)


@patient
@given(values=blocks, factor=st.floats(1e-3, 1e3))
def test_a_contender_that_is_always_so_much_faster_has_that_ratio(values: list[float], factor: float) -> None:
    interval = ratio_interval([value * factor for value in values], values)
    assert [interval.value, *(interval.as_list() or [])] == pytest.approx([factor] * 3)


def test_a_ratio_of_one_block_has_no_interval() -> None:
    interval = ratio_interval([3.0], [2.0])
    assert interval.value == pytest.approx(1.5)
    assert interval.as_list() is None


def test_ratios_of_unequal_numbers_of_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio_interval([1.0, 2.0], [1.0])


def experiments_against_itself() -> list[tuple[list[float], list[float]]]:
    """Return the blocks of two contenders that do not differ, on a machine that is never the same."""
    random = np.random.default_rng(3)
    machine = random.lognormal(0, 0.5, (SIMULATIONS, BLOCKS))  # what a block does to both of its contenders
    one, other = (machine * random.lognormal(3, 0.1, (SIMULATIONS, BLOCKS)) for _ in range(2))
    return [(list(a), list(b)) for a, b in zip(one, other, strict=True)]


def test_a_contender_against_itself_differs_in_5_of_100_experiments() -> None:
    intervals = [ratio_interval(*pair) for pair in experiments_against_itself()]
    differ = sum(i.low is not None and i.high is not None and not i.low <= 1 <= i.high for i in intervals)
    assert differ / SIMULATIONS == pytest.approx(0.05, abs=binomial_error(0.05))


def test_a_p_value_below_5_of_100_is_an_interval_without_1() -> None:
    for pair in experiments_against_itself()[:500]:
        interval = ratio_interval(*pair)
        assert interval.low is not None
        assert interval.high is not None
        assert (ratio_p_value(*pair) < 0.05) == (not interval.low <= 1 <= interval.high)


def test_p_values_of_a_contender_against_itself_are_spread_evenly() -> None:
    p_values = np.array([ratio_p_value(*pair) for pair in experiments_against_itself()])
    for share in (0.01, 0.2, 0.5, 0.8):
        assert np.mean(p_values < share) == pytest.approx(share, abs=binomial_error(share))


def test_one_block_shows_nothing() -> None:
    assert ratio_p_value([100.0], [1.0]) == 1.0


def test_equal_blocks_show_nothing() -> None:
    assert ratio_p_value([3.0, 5.0, 7.0], [3.0, 5.0, 7.0]) == 1.0


def test_a_ratio_that_is_the_same_in_every_block_is_beyond_doubt() -> None:
    assert ratio_p_value([2.0, 4.0, 8.0], [1.0, 2.0, 4.0]) < 1e-6


@patient
@given(pairs=pairs_of_blocks)
def test_a_p_value_does_not_depend_on_which_contender_is_first(pairs: list[tuple[float, float]]) -> None:
    a, b = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    assert 0 <= ratio_p_value(a, b) <= 1
    assert ratio_p_value(a, b) == pytest.approx(ratio_p_value(b, a), abs=1e-9)


@pytest.mark.parametrize(
    ("p_values", "shown"),
    [
        ([], []),
        ([0.04], [True]),
        ([0.06], [False]),
        ([0.04, 0.04], [False, False]),  # the smallest is above 0.05 / 2
        ([0.024, 0.04], [True, True]),  # once it is shown, the next one needs 0.05 only
        ([0.005, 0.011, 0.02, 0.04], [True, True, True, True]),
        ([0.04, 0.001, 0.03], [False, True, False]),  # in the order in which they were given
    ],
)
def test_differences_are_shown_by_holms_rule(p_values: list[float], shown: list[bool]) -> None:
    assert holm(p_values) == shown


@pytest.mark.parametrize(
    ("p_values", "levels"),
    [
        ([], []),
        ([0.04], [0.95]),
        ([0.06], [0.95]),
        ([0.2, 0.04], [0.975, 0.975]),  # none is shown: all stand at the level of the first step
        ([0.04, 0.024], [0.95, 0.975]),  # both are shown, each at its own
        ([0.04, 0.001, 0.03, 0.9], [1 - 0.05 / 3, 1 - 0.05 / 4, 1 - 0.05 / 3, 1 - 0.05 / 3]),
        ([0.5, 0.5, 0.5], [1 - 0.05 / 3] * 3),
    ],
)
def test_an_interval_stands_at_the_level_of_its_step(p_values: list[float], levels: list[float]) -> None:
    assert holm_levels(p_values) == pytest.approx(levels)


@patient
@given(
    p_values=st.lists(st.floats(0, 1) | st.floats(0, 0.06) | st.sampled_from([0.0, 0.01, 0.025, 1.0]), max_size=12),
    confidence=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_a_p_value_is_below_what_its_level_leaves_where_a_difference_is_shown(
    p_values: list[float], confidence: float
) -> None:
    margins = [1 - level - p_value for level, p_value in zip(holm_levels(p_values, confidence), p_values, strict=True)]
    shown = holm(p_values, 1 - confidence)
    assert all(margin >= -1e-12 if each else margin <= 1e-12 for margin, each in zip(margins, shown, strict=True))


@patient
@given(
    contenders=st.lists(
        st.tuples(st.lists(st.floats(0.9, 1.1), min_size=4, max_size=4), st.floats(0.8, 1.25)), min_size=1, max_size=9
    )
)
def test_an_interval_at_its_level_leaves_out_1_exactly_where_a_difference_is_shown(
    contenders: list[tuple[list[float], float]],
) -> None:
    base = [50.0, 51.0, 49.5, 50.2]
    pairs = [([b * noise * by for b, noise in zip(base, noises, strict=True)], base) for noises, by in contenders]
    p_values = [ratio_p_value(*pair) for pair in pairs]
    levels = holm_levels(p_values)
    for pair, level, p_value, shown in zip(pairs, levels, p_values, holm(p_values), strict=True):
        interval = ratio_interval(*pair, confidence=level)
        assert interval.low is not None
        assert interval.high is not None
        if abs(p_value - (1 - level)) > 1e-9:  # on the edge itself the last bit decides
            assert (not interval.low <= 1 <= interval.high) == shown


@patient
@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_no_level_is_below_that_of_a_single_comparison_or_above_that_of_the_first_step(p_values: list[float]) -> None:
    assert all(0.95 - 1e-12 <= level <= 1 - 0.05 / len(p_values) + 1e-12 for level in holm_levels(p_values))


def test_of_many_comparisons_without_a_difference_any_is_shown_in_5_of_100_experiments() -> None:
    p_values = np.random.default_rng(4).random((SIMULATIONS, 9))
    share = sum(any(holm(list(row))) for row in p_values) / SIMULATIONS
    assert share == pytest.approx(0.05, abs=binomial_error(0.05))


@patient
@given(offset_ns=st.integers(0, 50_000_000), length_ns=st.integers(1_000_000, 3 * SECOND_NS), users=st.integers(1, 8))
def test_a_steady_stream_has_its_exact_rate_wherever_the_window_lies(
    offset_ns: int, length_ns: int, users: int
) -> None:
    latency_ns = 50_000_000
    starts = np.concatenate([np.arange(-latency_ns, 4 * SECOND_NS, latency_ns) for _ in range(users)])
    rate = rate_in_window(starts, starts + latency_ns, (offset_ns, offset_ns + length_ns))
    assert rate == pytest.approx(users * 20.0)


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "share"),
    [
        (1_000, 1_100, 1.0),  # inside
        (950, 1_050, 0.5),  # over the first edge
        (1_925, 2_025, 0.75),  # over the last edge
        (500, 3_000, 0.4),  # over both
        (900, 1_000, 0.0),  # ended when the window began
        (2_000, 2_100, 0.0),  # began when the window ended
        (0, 100, 0.0),
    ],
)
def test_a_request_over_an_edge_counts_by_the_share_that_lies_inside(start_ms: int, end_ms: int, share: float) -> None:
    window = (1_000 * 10**6, 2_000 * 10**6)
    assert list(shares_in_window([start_ms * 10**6], [end_ms * 10**6], window)) == pytest.approx([share])
    assert rate_in_window([start_ms * 10**6], [end_ms * 10**6], window) == pytest.approx(share)


def test_nothing_has_no_rate() -> None:
    assert rate_in_window([], [], (0, SECOND_NS)) == 0


@patient
@given(requests=requests, cuts=st.lists(st.integers(0, 50 * SECOND_NS), max_size=5, unique=True))
def test_windows_side_by_side_count_every_request_once(requests: list[tuple[int, int]], cuts: list[int]) -> None:
    starts = np.array([start for start, _ in requests], dtype=float)
    ends = starts + np.array([duration for _, duration in requests], dtype=float)
    edges = sorted({-SECOND_NS, *cuts, 50 * SECOND_NS})
    counted = sum(rate_in_window(starts, ends, edge) * (edge[1] - edge[0]) / SECOND_NS for edge in pairwise(edges))
    assert counted == pytest.approx(len(requests))


@patient
@given(requests=requests)
def test_a_window_counts_no_request_more_than_once(requests: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in requests], dtype=float)
    ends = starts + np.array([duration for _, duration in requests], dtype=float)
    rate = rate_in_window(starts, ends, (10 * SECOND_NS, 20 * SECOND_NS))
    assert 0 <= rate * 10 <= len(requests) + 1e-9


@patient
@given(requests=requests)
def test_rate_times_latency_is_the_mean_number_of_requests_in_flight(requests: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in requests], dtype=float)
    durations = np.array([duration for _, duration in requests], dtype=float)
    window = (10 * SECOND_NS, 20 * SECOND_NS)
    in_flight_ns = np.clip(np.minimum(starts + durations, window[1]) - np.maximum(starts, window[0]), 0, None)
    shares = shares_in_window(starts, starts + durations, window)
    mean_ns = float(np.average(durations, weights=shares)) if shares.sum() else 0.0
    rate = rate_in_window(starts, starts + durations, window)
    assert rate * mean_ns / SECOND_NS == pytest.approx(in_flight_ns.sum() / (10 * SECOND_NS))


FAST, NEARLY, SLOW = [400.0, 404.0, 398.0, 401.0], [399.0, 405.0, 396.0, 400.0], [100.0, 101.0, 99.0, 100.0]


def test_a_peak_without_rivals_has_the_interval_of_its_level() -> None:
    assert peak_interval({8: SLOW, 16: FAST}, 16) == geometric_interval(FAST)


def test_the_more_levels_may_be_the_highest_the_lower_is_the_lower_end_of_the_peak() -> None:
    alone, two, three = (
        peak_interval({16: FAST, **dict.fromkeys(range(32, 32 + others), NEARLY)}, 16) for others in (0, 1, 2)
    )
    assert alone == two
    assert two.low is not None
    assert three.low is not None
    assert three.low < two.low
    assert (three.value, three.high) == (alone.value, alone.high)


def test_a_peak_of_one_block_has_no_interval() -> None:
    assert peak_interval({8: [100.0], 16: [400.0]}, 16).as_list() is None
