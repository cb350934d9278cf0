"""A load with bounds ends as soon as one is exceeded for certain."""

from dataclasses import asdict

import pytest

from benchmark.load.bounds import BoundsWatch
from benchmark.load.plan import Arrivals, Bound, Load, loads_from_json

MS = 1_000_000
DUE_NS = [100 * MS * number for number in range(10, 20)]  # ten requests, 100 ms apart, from 1 s on


class Clock:
    def __init__(self) -> None:
        self.now_ns = DUE_NS[0]

    def __call__(self) -> int:
        return self.now_ns


def watched(*bounds: Bound) -> tuple[BoundsWatch, Clock]:
    clock = Clock()
    return BoundsWatch(DUE_NS, bounds, clock), clock


def answer(watch: BoundsWatch, number: int, latency_ms: float, failed: bool = False) -> None:
    context = {"scheduled_ns": DUE_NS[0] + 100 * MS * number}
    watch.on_request(latency_ms, RuntimeError() if failed else None, context)


def test_it_is_exceeded_with_the_first_request_more_than_it_allows() -> None:
    watch, _ = watched(Bound(1, 50.0))
    for number, latency_ms in enumerate((49.9, 50.0)):
        answer(watch, number, latency_ms)
    assert not watch.is_exceeded()
    answer(watch, 2, 80.0)
    assert watch.is_exceeded()


def test_a_failure_misses_every_limit() -> None:
    watch, _ = watched(Bound(0, 50.0), Bound(1))
    answer(watch, 0, 1.0, failed=True)
    assert watch.is_exceeded()


def test_without_a_limit_only_failures_count() -> None:
    watch, clock = watched(Bound(1))
    answer(watch, 0, 9_000.0)
    answer(watch, 1, 9_000.0)
    answer(watch, 2, 1.0, failed=True)
    clock.now_ns += 60_000 * MS
    assert not watch.is_exceeded()
    answer(watch, 3, 1.0, failed=True)
    assert watch.is_exceeded()


def test_a_service_that_does_not_answer_exceeds_it_by_its_silence() -> None:
    watch, clock = watched(Bound(2, 250.0))
    clock.now_ns += 249 * MS + 200 * MS
    assert not watch.is_exceeded()  # two were due so long ago
    clock.now_ns += MS
    assert watch.is_exceeded()


def test_answers_of_the_warm_up_do_not_count() -> None:
    watch, _ = watched(Bound(0, 50.0))
    answer(watch, -1, 900.0)
    assert not watch.is_exceeded()


@pytest.mark.parametrize("load", [Arrivals(5.0, 2.0, bounds=(Bound(3), Bound(4, 100.0))), Arrivals(5.0, 2.0)])
def test_a_load_keeps_its_bounds_on_its_way_to_the_generator(load: Load) -> None:
    assert loads_from_json([asdict(load)]) == (load,)
