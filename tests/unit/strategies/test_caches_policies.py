"""What share of requests a cache answers: the laws, and the caches of cachetools that are held to them."""

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from cachetools import FIFOCache, LFUCache, LRUCache, TTLCache

from benchmark.load.arrivals import arrivals_until
from benchmark.load.plan import Arrivals
from strategies.caches import replay, requests_file, warm_hit
from strategies.caches.laws import (
    best_share,
    fifo_share,
    idle_share,
    lru_share,
    renewals_s,
    share_after,
    ttl_share,
    zipf,
)
from strategies.caches.parameters import SERVED, Catalogue, Demand
from strategies.caches.strategy import strategy

FOLDER = Path(requests_file.__file__).parent
PUBLISHED = {  # of LRU, FIFO, and always the most popular
    Catalogue(1_000, 100, 1.0): (0.5765, 0.5202, 0.6930),
    Catalogue(10_000, 1_000, 1.0): (0.6756, 0.6309, 0.7648),
    Catalogue(10_000, 1_000, 0.8): (0.4367, 0.3942, 0.5706),
    Catalogue(10_000, 1_000, 1.2): (0.8614, 0.8318, 0.9034),
}


@pytest.mark.parametrize(("catalogue", "shares"), PUBLISHED.items(), ids=str)
def test_the_laws_give_the_known_shares(catalogue: Catalogue, shares: tuple[float, float, float]) -> None:
    popularity, capacity = zipf(catalogue), catalogue.capacity
    found = [law(popularity, capacity) for law in (lru_share, fifo_share, best_share)]
    assert found == pytest.approx(shares, abs=1e-4)


@pytest.mark.parametrize("law", [lru_share, fifo_share, best_share])
@pytest.mark.parametrize(("capacity", "share"), [(0, 0.0), (25, 0.25), (100, 1.0), (1_000, 1.0)])
def test_if_nothing_is_popular_a_cache_answers_what_it_holds(law, capacity: int, share: float) -> None:  # type: ignore[no-untyped-def]
    assert law(np.full(100, 0.01), capacity) == pytest.approx(share)


@pytest.mark.parametrize(("law", "make"), [(lru_share, LRUCache), (fifo_share, FIFOCache)])
def test_a_replay_follows_its_law(law, make) -> None:  # type: ignore[no-untyped-def]
    items = replay.draw(SERVED, 50_000)
    share = share_after(replay.replay(make(SERVED.capacity), items), 10_000)
    assert share == pytest.approx(law(zipf(SERVED), SERVED.capacity), abs=0.01)


def test_lfu_lies_between_lru_and_the_best_until_tastes_change() -> None:
    shares = replay.policies(20_000)
    best = best_share(zipf(SERVED), SERVED.capacity)
    assert shares["fifo"] < shares["lru"] < shares["lfu"] < best
    assert shares["lfu_changed"] < shares["lru_changed"] / 2


def test_a_ttl_counts_from_insertion_and_not_from_the_last_use() -> None:
    demand = Demand(50.0, 10.0)
    share = replay.timed(demand, 40_000)
    assert share == pytest.approx(ttl_share(zipf(SERVED), *demand), abs=0.01)
    assert share < idle_share(zipf(SERVED), *demand) - 0.05


def test_reading_does_not_prolong_an_entry() -> None:
    clock = replay.Clock()
    cache: TTLCache[int, bool, float] = TTLCache(10, 1.0, clock)
    asked = [(0.0, 7), (0.6, 7), (0.9, 7), (1.0, 7), (1.9, 7)]
    assert replay.replay_timed(cache, clock, asked) == [False, True, True, False, True]


def test_lru_evicts_what_was_not_asked_for_the_longest_and_lfu_what_was_asked_for_the_least() -> None:
    asked = [1, 1, 1, 2, 3, 1]
    assert replay.replay(LRUCache(2), [*asked[:5], 1]) == [False, True, True, False, False, False]
    assert replay.replay(LFUCache(2), asked) == [False, True, True, False, False, True]


def test_one_key_is_fetched_by_the_first_after_its_entry_has_expired() -> None:
    arrivals_s = [0.0, 0.05, 0.3, 1.04, 1.06, 1.2, 9.0]
    assert renewals_s(arrivals_s, ttl_s=1.0, call_s=0.05) == [0.0, 1.06, 9.0]


def test_fib_takes_as_many_calls_as_the_law_says() -> None:
    def counted(n: int) -> int:
        return 1 if n < 2 else 1 + counted(n - 1) + counted(n - 2)

    assert warm_hit.calls(15) == counted(15)
    warm_hit.cached_fib.cache_clear()
    assert warm_hit.cached_fib(30) == 832_040
    info = warm_hit.cached_fib.cache_info()
    assert warm_hit.cached_calls(30) == info.hits + info.misses


def test_the_file_of_requests_is_what_its_program_writes() -> None:
    lines = (FOLDER / "requests.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [[item] for item in requests_file.items()]


def test_each_wave_asks_for_an_item_of_its_own() -> None:
    items = requests_file.items()
    sizes = [size for size, count in requests_file.STAMPEDES.values() for _ in range(count)]
    assert list(Counter(items[: sum(sizes)]).values()) == sizes
    different = items[sum(sizes) : requests_file.IN_WAVES]
    assert all(one < other for one, other in pairwise(different))
    assert not set(items[: requests_file.IN_WAVES]) & set(range(SERVED.items))


def test_the_most_popular_item_is_asked_for_as_often_as_zipf_says() -> None:
    drawn = requests_file.items()[requests_file.IN_WAVES :]
    assert set(drawn) <= set(range(SERVED.items))
    assert drawn.count(0) / len(drawn) == pytest.approx(zipf(SERVED)[0], abs=0.03)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_no_request_is_sent_twice_within_a_window(scale: float) -> None:
    popular = strategy(scale).loads["popular"]
    assert isinstance(popular, Arrivals)
    sent = len(arrivals_until(popular.rate_rps, popular.seed, popular.warmup_s + popular.measure_s))
    assert requests_file.IN_WAVES + sent <= len(requests_file.items())


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_every_law_lies_within_its_own_tolerance(scale: float) -> None:
    for law in strategy(scale).laws:
        assert law.at_least <= law.expected <= law.at_most, law.says
