"""Whether a promise was kept: which requests were good, and whether there were enough of them to tell."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmark.analysis.stats import TAIL_CONFIDENCE, tail_samples
from benchmark.load.objectives import Objective

_SIGNIFICANCE: Final = 1 - TAIL_CONFIDENCE
_HELD_AGAIN_S: Final = 3  # so many seconds in a row without too many bad requests end an outage


class Verdict(StrEnum):
    KEPT = "kept"
    BROKEN = "broken"
    TOO_FEW = "not enough samples"


@dataclass(frozen=True)
class Judged:
    """What became of an objective: `bad` of `requests` missed it; `needed` requests would show it with so many bad."""

    verdict: Verdict
    requests: int
    bad: int
    needed: int


def judge_promise(good: NDArray[np.bool_], objective: Objective) -> Judged:
    """Judge an objective by all requests that were due, each of which was good or not.

    Kept: if the true share of good ones were any lower than promised, so few bad ones would come with at most 1 %
    (MLPerf LoadGen, early stopping: see `tail_samples`). Broken: if it were as promised, so many would (exact
    binomial test). Otherwise there are not enough samples to tell.
    """
    requests, bad = int(good.size), int(good.size - np.count_nonzero(good))
    needed = tail_samples(objective.share, bad)
    if requests >= needed:
        return Judged(Verdict.KEPT, requests, bad, needed)
    chance = stats.binom.sf(bad - 1, requests, 1 - objective.share) if bad else 1.0
    return Judged(Verdict.BROKEN if chance <= _SIGNIFICANCE else Verdict.TOO_FEW, requests, bad, needed)


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on all objectives: broken if one is, kept if all are."""
    found = set(verdicts)
    return next((verdict for verdict in (Verdict.BROKEN, Verdict.TOO_FEW) if verdict in found), Verdict.KEPT)


def good_requests(
    latency_ms: NDArray[np.float64], answered: NDArray[np.bool_], objective: Objective
) -> NDArray[np.bool_]:
    """Return for each request whether it met an objective; one that failed never did."""
    return answered if objective.limit_ms is None else answered & (latency_ms < objective.limit_ms)


@dataclass(frozen=True)
class Outage:
    """From which second on, of those since the load began, a promise was broken, and when it held again."""

    from_s: int
    until_s: int | None  # None: not before the load ended
    bad: int


def outages(due_s: NDArray[np.float64], good: NDArray[np.bool_], objective: Objective) -> list[Outage]:
    """Return the stretches of time in which more requests were bad than chance explains, in order.

    A second counts as broken if so many bad requests would come with at most 1 % while the promise is kept (exact
    binomial test). A stretch ends where three seconds in a row are not broken.
    """
    if not due_s.size:
        return []
    seconds = due_s.astype(np.int64)
    requests = np.bincount(seconds)
    bad = np.bincount(seconds, weights=~good).astype(np.int64)
    chance = stats.binom.sf(bad - 1, requests, 1 - objective.share)
    broken = np.flatnonzero((bad > 0) & (chance <= _SIGNIFICANCE))
    found: list[Outage] = []
    for second in broken:
        if found and (found[-1].until_s or 0) + _HELD_AGAIN_S > second:
            begin = found[-1].from_s
            found[-1] = Outage(begin, int(second) + 1, int(bad[begin : second + 1].sum()))
        else:
            found.append(Outage(int(second), int(second) + 1, int(bad[second])))
    last = len(requests)
    return [Outage(one.from_s, None, one.bad) if (one.until_s or 0) + _HELD_AGAIN_S > last else one for one in found]


def tails_by_second(
    due_s: NDArray[np.float64], latency_ms: NDArray[np.float64], answered: NDArray[np.bool_], share: float
) -> list[float | None]:
    """Return for each second the latency that such a share of the requests did not exceed; `due_s` is in order.

    A second alone rarely has the samples that a tail takes: it is that of the shortest stretch of whole seconds up to
    its end that has them. None before there are so many, and where more than the rest failed.
    """
    if not due_s.size:
        return []
    seconds, needed = due_s.astype(np.int64), tail_samples(share, 0)
    until = np.searchsorted(seconds, np.arange(seconds[-1] + 1), side="right")
    times_ms = np.where(answered, latency_ms, np.inf)
    found: list[float | None] = []
    for end in until:
        if end < needed:
            found.append(None)
            continue
        begin = np.searchsorted(seconds, seconds[end - needed])
        stretch_ms = times_ms[begin:end]
        place = int(np.ceil(share * stretch_ms.size)) - 1
        tail_ms = float(np.partition(stretch_ms, place)[place])
        found.append(round(tail_ms, 3) if np.isfinite(tail_ms) else None)
    return found
