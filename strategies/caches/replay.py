"""`python -m strategies.caches.replay REQUESTS`: Zipf's requests through the caches of cachetools, and their hits."""

import json
import sys
from collections.abc import Iterable, MutableMapping
from typing import Final

import numpy as np
from cachetools import FIFOCache, LFUCache, LRUCache, TTLCache

from strategies.caches.laws import share_after, zipf
from strategies.caches.parameters import DEMANDS, LARGE, SERVED, Catalogue, Demand

SEED: Final = 1
_WARMUP: Final = 0.25  # requests before those that count, as a share of these
_NEW: Final = 0.25  # requests after everyone's taste has changed, likewise
_SETTLING: Final = 1_000  # of these are left out: an LRU cache has filled anew

Cache = MutableMapping[int, bool]


class Clock:
    """A clock that shows what it is set to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def replay(cache: Cache, items: Iterable[int]) -> list[bool]:
    """Return which of the requests are hits."""
    return [_asks(cache, item) for item in items]


def replay_timed(cache: Cache, clock: Clock, requests: Iterable[tuple[float, int]]) -> list[bool]:
    """Return which requests are hits, each of which comes at its time."""
    hits = []
    for clock.now_s, item in requests:
        hits.append(_asks(cache, item))
    return hits


def _asks(cache: Cache, item: int) -> bool:
    try:
        return cache[item]
    except KeyError:
        cache[item] = True
        return False


def draw(catalogue: Catalogue, count: int) -> list[int]:
    """Draw independent requests, item 0 the most popular."""
    drawn = np.random.default_rng(SEED).choice(catalogue.items, count, p=zipf(catalogue))
    return [int(item) for item in drawn]


def policies(requests: int) -> dict[str, float]:
    """Return the shares of hits of the policies, for the same requests."""
    warmup = int(requests * _WARMUP)
    items = draw(SERVED, warmup + requests)
    made: dict[str, Cache] = {"lru": LRUCache(SERVED.capacity), "lfu": LFUCache(SERVED.capacity)}
    made["fifo"] = FIFOCache(SERVED.capacity)
    found = {name: share_after(replay(cache, items), warmup) for name, cache in made.items()}
    # The same caches, after the least popular items have become the most popular ones.
    changed = [SERVED.items - 1 - item for item in items[: int(requests * _NEW)]]
    return found | {f"{name}_changed": share_after(replay(made[name], changed), _SETTLING) for name in ("lru", "lfu")}


def larger(requests: int) -> dict[str, float]:
    """Return the shares of hits of a larger LRU cache, for each exponent."""
    warmup = int(requests * _WARMUP)
    return {
        f"lru_{name}": share_after(replay(LRUCache(each.capacity), draw(each, warmup + requests)), warmup)
        for name, each in LARGE.items()
    }


def timed(demand: Demand, requests: int) -> float:
    """Return the share of hits of a cache with a TTL and room for all."""
    warmup = int(requests * _WARMUP)
    gaps_s = np.random.default_rng(SEED + 1).exponential(1 / demand.rate_rps, warmup + requests)
    clock = Clock()
    cache: Cache = TTLCache(SERVED.items, demand.ttl_s, clock)
    arrivals = zip(gaps_s.cumsum().tolist(), draw(SERVED, warmup + requests), strict=True)
    return share_after(replay_timed(cache, clock, arrivals), warmup)


def main(requests: int) -> None:
    """Print the share of hits of each replay."""
    by_ttl = {f"ttl_{each.rate_rps:g}_{each.ttl_s:g}": timed(each, requests) for each in DEMANDS}
    print(json.dumps({**policies(requests), **larger(requests), **by_ttl}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
