"""Percentiles, intervals and sample-size rules: pure functions."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

CONFIDENCE = 0.95
TAIL_CONFIDENCE = 0.99


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval; no interval (None) from a single block."""

    value: float
    low: float | None
    high: float | None

    def as_list(self) -> list[float] | None:
        return None if self.low is None or self.high is None else [self.low, self.high]


def percentile(values: ArrayLike, percent: float) -> float | None:
    """Return a percentile, or None if there are too few samples for it.

    Linear interpolation between order statistics (Hyndman & Fan 1996, definition 7).
    """
    sample = np.asarray(values, dtype=float)
    if sample.size < samples_needed(percent):
        return None
    return float(np.percentile(sample, percent))


def samples_needed(percent: float) -> int:
    """Return how many samples a percentile needs before it is reported: 7 for p50, 90 for p95, 459 for p99."""
    return tail_samples(percent / 100, over_limit=0)


@cache
def tail_samples(quantile: float, over_limit: int, confidence: float = TAIL_CONFIDENCE) -> int:
    """Return how many samples show that a quantile lies below a limit when `over_limit` of them lie above it.

    The smallest n = h + t with I(q; h, t + 1) <= 1 - c, the regularised incomplete beta
    function (MLPerf LoadGen, early stopping criterion). 459 for p99 and none over the limit.
    """
    h = 1
    while special.betainc(h, over_limit + 1, quantile) > 1 - confidence:
        h *= 2
    low, high = h // 2, h
    while high - low > 1:
        middle = (low + high) // 2
        if special.betainc(middle, over_limit + 1, quantile) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high + over_limit


def positive_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the arithmetic mean of positive block values, with an interval that is above zero.

    For latencies and CPU times: disturbances multiply them. Its ends are those of Student's t on the logarithms, as
    factors of the arithmetic mean. Around the geometric mean, which is lower, the interval would miss a mean that
    varies by 30 % between twelve blocks in 8 % of the runs (doc/measurement.md has the coverage).
    """
    logs = block_interval([math.log(value) for value in values], confidence)
    mean = math.fsum(values) / len(values)
    if logs.low is None or logs.high is None:
        return Interval(mean, None, None)
    return Interval(mean, mean * math.exp(logs.low - logs.value), mean * math.exp(logs.high - logs.value))


def geometric_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the geometric mean of positive block values with Student's t interval on their logarithms.

    For rates: the ratio of two such means is the mean of the ratios by block.
    """
    logs = block_interval([math.log(value) for value in values], confidence)
    low, high = (None if end is None else math.exp(end) for end in (logs.low, logs.high))
    return Interval(math.exp(logs.value), low, high)


def peak_interval(by_level: Mapping[int, Sequence[float]], top: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the geometric mean at the level with the highest rate, with an interval for the highest of all rates.

    The rate that is highest by chance is picked, too: of three equally fast levels, the highest lies above the truth in
    seven runs of eight. The lower end therefore has the level alpha / m instead of alpha / 2, m being how many levels
    may be the highest: those that are not shown to be slower than the top in the same blocks.
    """
    rates = by_level[top]
    interval, alpha = geometric_interval(rates, confidence), 1 - confidence
    if interval.low is None:
        return interval
    rivals = sum(
        1
        for level, others in by_level.items()
        if level != top and len(others) == len(rates) and not (ratio_interval(rates, others, confidence).low or 0) > 1
    )
    lower = geometric_interval(rates, 1 - 2 * alpha / max(1 + rivals, 2))
    return Interval(interval.value, lower.low, interval.high)


def block_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the mean of block values with Student's t interval over blocks.

    Requests within a process are correlated, so the block of fresh processes is the unit. With
    few blocks a percentile bootstrap cannot reach 95 % (three blocks all lie on one side of the
    truth in one run of four); t over blocks does, and needs no resampling (Student 1908; for
    simulations: Law, Simulation Modeling and Analysis, 5th ed., section 9.5.3, replications).
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Interval(mean, None, None)
    half = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half)


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = CONFIDENCE
) -> Interval:
    """Return the ratio of two contenders, paired by block, with its interval.

    Student's t on the blocks' log ratios: a block pairs measurements that are close in time and share a
    seed, and with logarithms A / B and B / A give the same result.
    """
    logs = [math.log(a / b) for a, b in zip(numerators, denominators, strict=True)]
    interval = block_interval(logs, confidence)
    low, high = (None if end is None else math.exp(end) for end in (interval.low, interval.high))
    return Interval(math.exp(interval.value), low, high)


def ratio_p_value(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the p-value of the blocks' log ratios under the hypothesis of no difference.

    Student's t test over blocks, two-sided; 1 from a single block.
    """
    logs = [math.log(a / b) for a, b in zip(numerators, denominators, strict=True)]
    mean = math.fsum(logs) / len(logs)
    if len(logs) < 2 or mean == 0:
        return 1.0
    spread = float(np.std(logs, ddof=1))
    if spread <= 1e-12 * abs(mean):  # the same in every block
        return 0.0
    t = mean / (spread / math.sqrt(len(logs)))
    return float(2 * stats.t.sf(abs(t), len(logs) - 1))


def holm(p_values: Sequence[float], alpha: float = 1 - CONFIDENCE) -> list[bool]:
    """Return which of several differences are significant, with a family-wise error rate of at most `alpha`.

    Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    shown = [False] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        if p_values[index] > alpha / (len(p_values) - rank):
            break
        shown[index] = True
    return shown


def holm_levels(p_values: Sequence[float], confidence: float = CONFIDENCE) -> list[float]:
    """Return for each of several differences the confidence level of the interval that decides its significance.

    Holm tests the k-th smallest of m p-values at alpha / (m - k + 1) and stops at the first that is not
    rejected: an interval at 1 - alpha / (m - k + 1), or, behind that first one, at its level, leaves out
    "no difference" exactly where `holm` finds one. Each holds by itself; they do not hold simultaneously.
    """
    alpha = 1 - confidence
    rejected = sum(holm(p_values, alpha))
    levels = [0.0] * len(p_values)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        levels[index] = 1 - alpha / (len(p_values) - min(rank, rejected))
    return levels


def shares_in_window(start_ns: ArrayLike, end_ns: ArrayLike, window: tuple[int, int]) -> NDArray[np.float64]:
    """Return for each request the share of its time that lies inside a window, shape (n,), from 0 to 1.

    In a window of only a few latencies, counting whole requests would make the rate jump by a whole wave
    of them. Counted by shares, rate x mean latency is exactly the mean number in flight.
    """
    starts, ends = np.asarray(start_ns, dtype=float), np.asarray(end_ns, dtype=float)
    inside = np.clip(np.minimum(ends, window[1]) - np.maximum(starts, window[0]), 0, None)
    shares: NDArray[np.float64] = inside / np.maximum(ends - starts, 1.0)
    return shares


def rate_in_window(start_ns: ArrayLike, end_ns: ArrayLike, window: tuple[int, int]) -> float:
    """Return requests per second in a window, each counted by its share. Pass all that overlap the window."""
    return float(np.sum(shares_in_window(start_ns, end_ns, window)) / ((window[1] - window[0]) / 1e9))


@dataclass(frozen=True)
class Scale:
    """How two values of a response are compared: by their difference, or by their ratio."""

    enter: Callable[[float], float]
    leave: Callable[[float], float]

    def interval(self, values: Sequence[float]) -> dict[str, Any]:
        """Return the mean on this scale with Student's t interval over blocks."""
        return {"value": self.leave(block_interval(values).value), "ci95": self.bounds(values, CONFIDENCE)}

    def bounds(self, values: Sequence[float], confidence: float) -> list[float] | None:
        """Return the ends of the interval at a confidence level; None from a single block."""
        ends = block_interval(values, confidence).as_list()
        return ends and [self.leave(end) for end in ends]


DIFFERENCES = Scale(enter=float, leave=float)


RATIOS = Scale(enter=math.log, leave=math.exp)
