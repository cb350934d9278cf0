"""What shares of requests a cache answers, if they are independent of each other and some things are popular.

The independent reference model: each request asks for item i with probability p_i, whatever was asked before.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from strategies.caches.parameters import Catalogue

Popularity = NDArray[np.float64]


def zipf(catalogue: Catalogue) -> Popularity:
    """Return how probable each item is: in proportion to 1 / rank^exponent."""
    weights = np.arange(1, catalogue.items + 1, dtype=np.float64) ** -catalogue.exponent
    popularity: Popularity = weights / weights.sum()
    return popularity


def lru_share(popularity: Popularity, capacity: int) -> float:
    """Return the share of hits of an LRU cache.

    Che's approximation (Che, Tung and Wang, 2002): an item is in the cache if it was asked for within the last T
    requests, the same T for all, and T is such that the cache is full.
    """
    if capacity >= len(popularity):
        return 1.0
    present = _present(lambda t: 1 - np.exp(-popularity * t), capacity)
    return float(popularity @ present)


def fifo_share(popularity: Popularity, capacity: int) -> float:
    """Return the share of hits of a FIFO cache, or of one that evicts at random (Fricker, Robert and Roberts, 2012)."""
    if capacity >= len(popularity):
        return 1.0
    present = _present(lambda t: popularity * t / (1 + popularity * t), capacity)
    return float(popularity @ present)


def best_share(popularity: Popularity, capacity: int) -> float:
    """Return the share of hits of a cache that always holds the most popular items: no policy is better."""
    return float(np.sort(popularity)[len(popularity) - min(capacity, len(popularity)) :].sum())


def ttl_share(popularity: Popularity, rate_rps: float, ttl_s: float) -> float:
    """Return the share of hits if entries live for a time since they were made, and there is room for all.

    After each miss come p rate ttl hits on average, and then a miss.
    """
    hits_per_miss = popularity * rate_rps * ttl_s
    return float(popularity @ (hits_per_miss / (1 + hits_per_miss)))


def idle_share(popularity: Popularity, rate_rps: float, ttl_s: float) -> float:
    """Return the same if each use would begin an entry's time anew, which is not what a TTL cache does."""
    return float(popularity @ (1 - np.exp(-popularity * rate_rps * ttl_s)))


def renewals_s(arrivals_s: Iterable[float], ttl_s: float, call_s: float) -> list[float]:
    """Return when one key is fetched: by the first who comes after its entry has expired. Others wait for that call."""
    fetched, until_s = [], 0.0
    for at_s in arrivals_s:
        if at_s >= until_s:
            fetched.append(at_s)
            until_s = at_s + call_s + ttl_s
    return fetched


def share_after(hits: Sequence[bool], warmup: int) -> float:
    """Return the share of hits after so many requests."""
    counted = hits[warmup:]
    return sum(counted) / len(counted)


def _present(probabilities: Callable[[float], Popularity], capacity: int) -> Popularity:
    """Return with which probability each item is in a cache that is full: where they add up to its capacity."""
    if capacity <= 0:
        return probabilities(0.0)
    t = brentq(lambda t: probabilities(t).sum() - capacity, 0.0, 1e12)
    return probabilities(t)
