"""The breaking point, computed: the highest offered rate that is still answered, in time.

Two ways to break, whichever comes first: the goodput no longer follows the offer within 5 %,
or the p95 rises above a multiple of its value at low load.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.load.slo import FOLLOWS, P95_LIMIT, BreakingPoint

BIN_S = 1.0
_RESAMPLES = 400
_BLOCK = 5  # bins that stay together when resampled, since neighbours are correlated
_MIN_RIGHT = 3  # bins beyond the break that a fit takes
_NO_SPREAD = 1e-9  # of offers that are all the same


@dataclass(frozen=True)
class Ramp:
    """A load test in bins of time, each array of shape (bins,)."""

    step_rps: float  # by how much the offer grows in one pacing
    offered_rps: NDArray[np.float64]
    goodput_rps: NDArray[np.float64]
    p50_ms: NDArray[np.float64]
    p95_ms: NDArray[np.float64]


def bin_ramp(samples: pd.DataFrame, users: NDArray[np.float64], pacing_s: float, start_ns: int) -> Ramp:
    """Cut a ramp into bins of BIN_S; `users` is the planned number of users in the middle of each bin.

    Bins count from the first request, which a user sends up to one pacing after it was started. So the
    plan ends within the last bins; these are left out.
    """
    users = users[: -math.ceil(pacing_s / BIN_S)]
    bins = len(users)
    edges_ns = start_ns + (np.arange(bins + 1) * BIN_S * 1e9).astype(np.int64)
    good = samples[samples["ok"]]
    index = np.searchsorted(edges_ns, good["end_ns"].to_numpy(), side="right") - 1
    latency_ms = good["latency_ms"].to_numpy(dtype=float)
    in_bins = [latency_ms[index == i] for i in range(bins)]
    goodput = np.array([len(found) / BIN_S for found in in_bins])
    growth = float(np.diff(users).max(initial=0.0)) / BIN_S  # users per second
    return Ramp(growth, users / pacing_s, goodput, _quantile(in_bins, 50), _quantile(in_bins, 95))


def _quantile(groups: list[NDArray[np.float64]], percent: float) -> NDArray[np.float64]:
    return np.array([np.percentile(group, percent) if len(group) else np.nan for group in groups])


def find_breaking_point(ramp: Ramp, low_p95_ms: float, seed: int = 1) -> BreakingPoint:
    """Return the breaking point of a ramp, its interval from a moving-block bootstrap over the bins.

    The goodput's break is fitted: y = x + c up to the break, a free line beyond it, the break being where
    the sum of squares is least (segmented regression; Hinkley 1971). c is at most by how much the offer
    grows in one pacing: a user begins to ask up to one pacing after it was started, and so does the first,
    from whose request time counts. The bootstrap keeps five neighbouring bins together (Kuensch 1989).
    """
    rate, reason = _break(ramp, low_p95_ms)
    if reason == "":
        return BreakingPoint(rate, rate, rate, broke=False, reason="not reached")
    draw = np.random.default_rng(seed)
    found = [_break(_resample(ramp, draw), low_p95_ms)[0] for _ in range(_RESAMPLES)]
    low, high = np.percentile(found, [2.5, 97.5])
    return BreakingPoint(rate, min(float(low), rate), max(float(high), rate), broke=True, reason=reason)


def _break(ramp: Ramp, low_p95_ms: float) -> tuple[float, str]:
    """Return the rate at which a ramp breaks and why, or its highest offer and an empty reason."""
    offered, highest = ramp.offered_rps, float(ramp.offered_rps.max())
    by_goodput = _goodput_break(offered, ramp.goodput_rps, ramp.step_rps)
    slow = np.nan_to_num(ramp.p95_ms, nan=np.inf) > P95_LIMIT * low_p95_ms
    by_latency = _lasting(offered, slow)
    rate = min(by_goodput, by_latency)
    if rate >= highest:
        return highest, ""
    return rate, "goodput" if by_goodput <= by_latency else "p95"


def _goodput_break(x: NDArray[np.float64], y: NDArray[np.float64], step: float) -> float:
    """Return the offer up to which the goodput follows it; the highest offer if it does to the end."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    splits = np.arange(1, len(x) - _MIN_RIGHT + 1)  # so many points follow the offer, the others lie on a line
    if not len(splits):
        return float(x[-1])
    shift, follows_cost = _follows(y - x, step)
    residual = _line_cost_from(x, y)
    left = splits - 1
    below = _mean_from(y)[splits] < FOLLOWS * (_mean_from(x)[splits] + shift[left])
    cost = np.where(below, follows_cost[left] + residual[splits], np.inf)
    best = int(np.argmin(cost))
    return float(x[left[best]]) if cost[best] < follows_cost[-1] else float(x[-1])


def _follows(above: NDArray[np.float64], step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for the first 1, 2, ... points how far the goodput lies above the offer, and the squares about that."""
    count, total = np.arange(1, len(above) + 1), np.cumsum(above)
    shift = np.clip(total / count, -step, step)
    return shift, np.cumsum(above**2) - 2 * shift * total + count * shift**2


def _line_cost_from(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of squares about the best line through the points from each one on to the last."""
    x, y = x - x.mean(), y - y.mean()  # sums of squares of small numbers are exact enough
    count, sum_x, sum_y = (_sum_from(each) for each in (np.ones_like(x), x, y))
    spread, slope = _sum_from(x * x) - sum_x**2 / count, _sum_from(x * y) - sum_x * sum_y / count
    explained = np.divide(slope**2, spread, out=np.zeros_like(x), where=spread > _NO_SPREAD)
    return _sum_from(y * y) - sum_y**2 / count - explained


def _sum_from(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cumsum(values[::-1])[::-1]


def _mean_from(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return _sum_from(values) / np.arange(len(values), 0, -1)


def _lasting(offered: NDArray[np.float64], slow: NDArray[np.bool_]) -> float:
    """Return the offer before the first bin from which on most bins are too slow."""
    order = np.argsort(offered, kind="stable")
    ordered = slow[order].astype(float)
    for k in range(len(ordered)):
        if ordered[k] and ordered[k:].mean() >= 0.8 and len(ordered) - k >= _MIN_RIGHT:
            return float(offered[order][max(k - 1, 0)])
    return float(offered.max())


def _resample(ramp: Ramp, draw: np.random.Generator) -> Ramp:
    bins = len(ramp.offered_rps)
    starts = draw.integers(0, max(bins - _BLOCK, 1), size=-(-bins // _BLOCK))
    index = np.concatenate([np.arange(start, min(start + _BLOCK, bins)) for start in starts])
    return Ramp(ramp.step_rps, ramp.offered_rps[index], ramp.goodput_rps[index], ramp.p50_ms[index], ramp.p95_ms[index])
