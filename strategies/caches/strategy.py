"""Caches: which share of requests each policy answers, what that is worth, and what happens when all miss at once."""

import json
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from cachetools import LRUCache

from benchmark.experiments.strategies.figure_kinds import CPU, MAKESPAN, MEAN, counted, said, share
from benchmark.experiments.strategies.law import (
    Chart,
    Computation,
    Gain,
    Law,
    Seen,
    Strategy,
    exactly,
    from_floor,
    within,
)
from benchmark.load.arrivals import arrivals_until
from benchmark.load.plan import Arrivals, Waves
from strategies.caches.laws import best_share, fifo_share, lru_share, renewals_s, share_after, ttl_share, zipf
from strategies.caches.parameters import DEMANDS, LARGE, MODEL_MS, SERVED, UNKNOWN_TTL_S, Catalogue
from strategies.caches.replay import replay
from strategies.caches.requests_file import DIFFERENT, IN_WAVES, STAMPEDES
from strategies.caches.warm_hit import cached_calls, calls

_REPLAY, _WARM_HIT = "caches-replay", "caches-warm-hit"
_NONE, _NAIVE, _ONCE = "caches-async-none", "caches-async-naive", "caches-async-once"
_SYNC_NAIVE, _SYNC_ONCE, _UNKNOWN = "caches-sync-naive", "caches-sync-once", "caches-sync-unknown"
_HITS, _CALLS = share("hits", "calls"), counted("calls", "calls")
_CALLS_PER_KEY: Final = said("calls_per_key", "calls")
_CLAIMED: Final = 3_565_107  # times as fast
_OFF: Final = 0.01  # that a share of hits may be off
_HTTP_MS: Final = 4.0  # that a request takes beside the model


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws."""
    waves = {**STAMPEDES, "different": DIFFERENT}
    popular = Arrivals(200.0, measure_s=5.0 * scale, warmup_s=1.0 * scale, seed=2)
    unknown = Arrivals(200.0, measure_s=5.0 * scale, warmup_s=0.5, seed=3)
    requests = max(round(200_000 * scale), 60_000)
    return Strategy(
        title="Caches: LRU, LFU, TTL",
        trouble="The same few things are asked for again and again, and each answer takes a model's time.",
        claim="A cache makes fib(30) 3,565,107 times as fast.",
        source="talk at PyCon Italia 2023, timeit: the time without a cache over that of one warm hit",
        use_when="few things make up most of the requests, and an answer may be as old as the TTL.",
        loads={
            **{name: Waves(size, count, warmup_count=0) for name, (size, count) in waves.items()},
            "popular": popular,
            "unknown": unknown,
        },
        laws=(*_policies(), *_times_as_fast(), *_served(popular), *_stampedes(), _remembered(unknown)),
        seen=(*_warm_hit(), *_cpu()),
        gain=Gain("times as fast as without a cache, on average", MEAN, "popular", _ONCE, _NONE),
        charts=(
            Chart(
                "A cache alone does not stop a stampede",
                _CALLS_PER_KEY, (_NAIVE, _ONCE, _SYNC_NAIVE, _SYNC_ONCE), "requests at once for one new item",
                {name: size for name, (size, _) in STAMPEDES.items()}, is_log=True,
            ),
        ),
        computations={
            _REPLAY: Computation("strategies.caches.replay", (str(requests),)),
            _WARM_HIT: Computation("strategies.caches.warm_hit"),
        },
    )  # fmt: skip


def _policies() -> Iterator[Law]:
    """Laws of the replays."""
    popularity, capacity = zipf(SERVED), SERVED.capacity
    lru, best = lru_share(popularity, capacity), best_share(popularity, capacity)
    yield Law(f"LRU, {_words(SERVED)}: Che's approximation", _REPLAY, "", said("lru"), **within(lru, _OFF / lru))
    for name, each in LARGE.items():
        expected = lru_share(zipf(each), each.capacity)
        says = f"LRU, {_words(each)}: Che's approximation"
        yield Law(says, _REPLAY, "", said(f"lru_{name}"), **within(expected, _OFF / expected))
    fifo = fifo_share(popularity, capacity)
    yield Law(f"FIFO, {_words(SERVED)}: its own fixed point", _REPLAY, "", said("fifo"), **within(fifo, _OFF / fifo))
    yield Law(
        "LFU is better than LRU, and no better than always holding the most popular",
        _REPLAY, "", said("lfu"), expected=best, at_least=lru + _OFF, at_most=best + _OFF,
    )  # fmt: skip
    says = "LRU holds the new favourites soon after tastes have changed"
    yield Law(says, _REPLAY, "", said("lru_changed"), **within(lru, _OFF / lru))
    yield Law(
        "LFU holds on to the old favourites: less than half of what LRU answers",
        _REPLAY, "", said("lfu_changed"), expected=lru / 2, at_least=0.0, at_most=lru / 2, contrast=True,
    )  # fmt: skip
    for demand in DEMANDS:
        rate_rps, ttl_s = demand
        expected = ttl_share(popularity, rate_rps, ttl_s)
        says = f"TTL of {ttl_s:g} s since insertion, {rate_rps:g} requests/s: each item's λT / (1 + λT)"
        yield Law(says, _REPLAY, "", said(f"ttl_{rate_rps:g}_{ttl_s:g}"), **within(expected, _OFF / expected))


def _words(catalogue: Catalogue) -> str:
    return f"{catalogue.capacity:,} of {catalogue.items:,} items, exponent {catalogue.exponent:g}"


def _times_as_fast() -> Iterator[Law]:
    """What the talk's figure is made of."""
    fewer = calls(30) / cached_calls(30)
    yield Law(
        f"an empty cache makes {cached_calls(30)} calls of {calls(30):,}, each of which is dearer",
        _WARM_HIT, "", said("cold_times", "times"), expected=fewer, at_least=fewer / 10, at_most=fewer,
    )  # fmt: skip
    yield Law(
        "fib(30) over one look-up of its result: for a larger n it is any number",
        _WARM_HIT, "", said("warm_times", "times"),
        expected=_CLAIMED, at_least=_CLAIMED / 5, at_most=_CLAIMED * 2, contrast=True,
    )  # fmt: skip


def _warm_hit() -> Iterator[Seen]:
    for says, key, unit in (
        ("fib(30) without a cache", "uncached_ms", "ms"),
        ("fib(30) with an empty cache", "cold_us", "µs"),
        ("fib(30) from the cache", "warm_ns", "ns"),
    ):
        yield Seen(says, _WARM_HIT, "", said(key, unit))


def _cpu() -> Iterator[Seen]:
    for name in (_NONE, _ONCE, _SYNC_ONCE):
        yield Seen("CPU per answer", name, "popular", CPU)


def _served(popular: Arrivals) -> Iterator[Law]:
    """Laws of what is served by Zipf's law: the share of hits, and the mean latency that follows."""
    hits = _hits_of(popular)
    for name in (_ONCE, _SYNC_ONCE):
        yield Law("the very requests, replayed in an LRU cache", name, "popular", _HITS, **within(hits, _OFF / hits))
        says = f"{hits:.3g} hits of no time and {1 - hits:.3g} misses of {MODEL_MS:g} ms"
        yield Law(says, name, "popular", MEAN, **within((1 - hits) * MODEL_MS, 0.05, _HTTP_MS))
    says = "each request takes a call"
    yield Law(says, _NONE, "popular", MEAN, **within(MODEL_MS, 0.05, _HTTP_MS), contrast=True)


def _hits_of(popular: Arrivals) -> float:
    """Return the share of hits among the requests of a window. Those of the waves came before, to the same cache."""
    arrivals = arrivals_until(popular.rate_rps, popular.seed, popular.warmup_s + popular.measure_s)
    lines = (Path(__file__).parent / "requests.jsonl").read_text().splitlines()
    items = [json.loads(line)[0] for line in lines]
    hits = replay(LRUCache(SERVED.capacity), islice(cycle(items), IN_WAVES + len(arrivals)))
    return share_after(hits, IN_WAVES + sum(at_s < popular.warmup_s for at_s in arrivals))


def _stampedes() -> Iterator[Law]:
    """Laws of waves: all of one new item, or each of another."""
    for load, (size, _) in STAMPEDES.items():
        for name in (_ONCE, _SYNC_ONCE):
            yield Law(f"{size} at once for a new item: one call", name, load, _CALLS_PER_KEY, **exactly(1))
        for name in (_NAIVE, _SYNC_NAIVE):
            says = f"{size} at once for a new item: all of them find nothing, and call"
            yield Law(says, name, load, _CALLS_PER_KEY, size, max(size / 2, 1), size, contrast=size > 1)
    for name in (_ONCE, _SYNC_ONCE):
        says = f"{DIFFERENT.size} different new items at once do not wait for each other"
        yield Law(says, name, "different", MAKESPAN, **from_floor(MODEL_MS, 0.2, 3 * DIFFERENT.size))


def _remembered(unknown: Arrivals) -> Law:
    """The law of entries that say that there is nothing: as many calls as the very arrivals make necessary."""
    arrivals = arrivals_until(unknown.rate_rps, unknown.seed, unknown.warmup_s + unknown.measure_s)
    fetched = renewals_s(arrivals, UNKNOWN_TTL_S, MODEL_MS / 1e3)
    expected = sum(at_s >= unknown.warmup_s for at_s in fetched)
    requests = sum(at_s >= unknown.warmup_s for at_s in arrivals)
    says = f"{requests:,} requests for an unknown entity: a call in each {UNKNOWN_TTL_S:g} s"
    return Law(says, _UNKNOWN, "unknown", _CALLS, **within(expected, 1 / expected))
