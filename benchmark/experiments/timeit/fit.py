"""The line through the times of n calls, and how sure it is: pure functions.

The time of n independent calls is a + b n with a variance that grows with n, so each time weighs 1/n
(weighted least squares: Draper & Smith, Applied Regression Analysis, 3rd ed., section 9.2). Its five
sums are kept for each repeat: those of any choice of repeats add up, which makes the bootstrap one
line of numpy.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from benchmark.analysis.stats import CONFIDENCE, Interval, block_interval, ratio_interval

RESAMPLES = 2000
# With fewer repeats than this a bootstrap cannot reach 95 % (simulated: 91 % with 5, 95 % with 8), so that the
# interval is Student's t over their own slopes.
BOOTSTRAP_FROM = 8

Floats = NDArray[np.float64]


def line_sums(calls: ArrayLike, seconds: ArrayLike) -> Floats:
    """Return what the line takes, shape (5,): the sums of 1/n, 1, n, t/n and t, with t in ms."""
    n, t_ms = np.asarray(calls, dtype=float), np.asarray(seconds, dtype=float) * 1e3
    return np.array([np.sum(1 / n), n.size, np.sum(n), np.sum(t_ms / n), np.sum(t_ms)])


def slopes_ms(sums: Floats) -> Floats:
    """Return b in ms per call, shape (...) for sums of shape (..., 5); nan where all n are the same."""
    weight, count, n, t_per_n, t = np.moveaxis(sums, -1, 0)
    spread = weight * n - count * count
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes: Floats = np.where(spread > 1e-9 * count * count, (weight * t - count * t_per_n) / spread, np.nan)
    return slopes


def slope_ms(repeats: Floats) -> float:
    """Return b in ms per call through all repeats, given as sums of shape (repeats, 5)."""
    return float(slopes_ms(repeats.sum(axis=0)))


def intercept_ms(repeats: Floats) -> float:
    """Return a in ms: what a series of calls costs beside its calls."""
    weight, count, _, t_per_n, _ = repeats.sum(axis=0)
    return float((t_per_n - slope_ms(repeats) * count) / weight)


def slope_interval(repeats: Floats, seed: int) -> Interval:
    """Return b in ms per call with its 95 % interval over repeats, given as sums of shape (repeats, 5)."""
    if len(repeats) < BOOTSTRAP_FROM:
        own = block_interval(slopes_ms(repeats).tolist())
        return Interval(slope_ms(repeats), own.low, own.high)
    return _bootstrap(slope_ms(repeats), len(repeats), lambda draws: slopes_ms(repeats[draws].sum(axis=1)), seed)


def faster_interval(baseline: Floats, contender: Floats, seed: int) -> Interval:
    """Return by how many percent a contender is faster, 100 (b_baseline / b_contender - 1), with its interval.

    Both have the shape (repeats, 5). A repeat is drawn for both at once, since it pairs what was
    measured close in time.
    """

    def faster_pct(draws: Any) -> Floats:
        ratios: Floats = slopes_ms(baseline[draws].sum(axis=1)) / slopes_ms(contender[draws].sum(axis=1))
        return 100 * (ratios - 1)

    value = 100 * (slope_ms(baseline) / slope_ms(contender) - 1)
    if len(baseline) >= BOOTSTRAP_FROM:
        return _bootstrap(value, len(baseline), faster_pct, seed)
    ratio = ratio_interval(slopes_ms(baseline).tolist(), slopes_ms(contender).tolist())
    ends = [None if end is None else 100 * (end - 1) for end in (ratio.low, ratio.high)]
    return Interval(value, *ends)


def mean_ms(calls: Sequence[int], seconds: Sequence[float]) -> tuple[float, float]:
    """Return the mean time of a call in ms, and its standard error if the variance grows with n."""
    n, t_ms = np.asarray(calls, dtype=float), np.asarray(seconds, dtype=float) * 1e3
    mean = float(t_ms.sum() / n.sum())
    per_call = float(np.sum((t_ms - mean * n) ** 2 / n)) / max(n.size - 1, 1)
    return mean, sqrt(per_call / float(n.sum()))


def _bootstrap(value: float, repeats: int, statistic: Callable[[Any], Floats], seed: int) -> Interval:
    """Return the percentile interval over resampled repeats, widened for their small number.

    A plain percentile bootstrap of few values is too narrow: by sqrt((n - 1) / n), and by the normal
    quantile where Student's belongs. Hesterberg (What Teachers Should Know about the Bootstrap, 2015,
    section 5.2, the expanded percentile interval) moves the percentiles out by just that.
    """
    draws = np.random.default_rng(seed).integers(0, repeats, size=(RESAMPLES, repeats))
    reach = sqrt(repeats / (repeats - 1)) * float(stats.t.ppf((1 + CONFIDENCE) / 2, repeats - 1))
    outside = 100 * float(stats.norm.cdf(-reach))
    low, high = np.percentile(statistic(draws), [outside, 100 - outside])
    return Interval(value, float(low), float(high))
