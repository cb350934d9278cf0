"""Which rates are tried, and what follows from them, on services whose capacity is known."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmark.analysis.promises import Verdict
from benchmark.experiments.capacity.curve import Count
from benchmark.experiments.capacity.search import (
    Capacity,
    Kind,
    Offer,
    Search,
    SearchLimits,
    Standing,
    Tried,
    conclude,
)
from benchmark.load.objectives import parse_objective

P99, ERRORS = parse_objective("p99<100ms"), parse_objective("errors<0.1%")
LIMITS = SearchLimits(first_rps=100.0, blocks=3, lowest_rps=10.0, highest_rps=5000.0)
DUE = 3000
Service = Callable[[float], tuple[float, float]]  # the shares that miss each objective, by the rate


def tried(offer: Offer, service: Service, offered: bool = True) -> Tried:
    missed = [round(share * DUE) for share in service(offer.rate_rps)]
    bounds = [300, 30]
    counts = tuple(
        Count(offer.rate_rps, DUE, min(count, most + 1), at_least=count > most)
        for count, most in zip(missed, bounds, strict=True)
    )
    kept = (missed[0] <= 30, missed[1] <= 3)
    confirmed = Verdict.KEPT if all(kept) else Verdict.BROKEN
    return Tried(offer, counts, kept, offered, confirmed if offer.kind is Kind.CONFIRM else None)


def searched(
    service: Service, ceiling_rps: float = float("inf"), confirms: bool = True, limits: SearchLimits = LIMITS
) -> tuple[Capacity, list[Tried]]:
    search = Search((P99, ERRORS), limits)
    for block in range(-1, limits.blocks):
        if block >= 0:
            search.begin_block(block)
        while offer := search.offer():
            search.add(tried(offer, service, offer.rate_rps <= ceiling_rps))
    while offer := search.confirming():
        outcome = tried(offer, service)
        search.add(outcome if confirms else replace(outcome, verdict=Verdict.BROKEN, kept_each=(False, True)))
    return conclude(search.tries, (P99, ERRORS), limits.blocks), search.tries


def slow_beyond(rps: float) -> Service:
    return lambda rate: (min(0.01 * (rate / rps) ** 30, 1.0), 0.0)


@pytest.mark.parametrize("truth", [23.0, 180.0, 900.0])
def test_the_capacity_is_found_and_confirmed_at_the_lower_end_of_its_interval(truth: float) -> None:
    found, tries = searched(slow_beyond(truth))
    assert found.standing is Standing.FOUND
    assert found.estimate is not None
    assert found.estimate.low_rps < truth < found.estimate.high_rps
    assert found.estimate.half_width < 0.06
    assert (found.binding, found.confirmed) == ("p99<100ms", Verdict.KEPT)
    assert found.confirmed_rps == pytest.approx(found.estimate.low_rps, rel=0.02)
    assert tries[-1].offer.kind is Kind.CONFIRM
    assert len(found.by_block_rps) == 3
    assert all(each == pytest.approx(truth, rel=0.05) for each in found.by_block_rps)


def test_the_objective_with_the_lowest_rate_binds() -> None:
    found, _ = searched(lambda rate: (min(0.01 * (rate / 300) ** 30, 1.0), 0.0 if rate < 200 else 0.5))
    assert found.binding == "errors<0.1%"
    assert found.estimate is not None
    assert found.estimate.rps == pytest.approx(197, rel=0.1)


def test_what_is_never_broken_carries_at_least_the_highest_rate() -> None:
    found, tries = searched(lambda _: (0.0, 0.0))
    assert found.standing is Standing.AT_LEAST
    assert found.rate_rps == max(each.offer.rate_rps for each in tries)
    assert (found.confirmed, found.by_generator) == (Verdict.KEPT, False)


def test_where_the_generator_falls_behind_twice_it_is_its_limit_that_was_found() -> None:
    found, tries = searched(lambda _: (0.0, 0.0), ceiling_rps=600.0)
    assert (found.standing, found.by_generator) == (Standing.AT_LEAST, True)
    assert found.rate_rps is not None
    assert found.rate_rps < 600
    assert [each.offered for each in tries].count(False) == 2


def test_what_is_broken_at_the_lowest_rate_is_kept_at_none() -> None:
    found, tries = searched(lambda _: (1.0, 0.0))
    assert (found.standing, found.binding) == (Standing.NOWHERE, "p99<100ms")
    assert found.rate_rps == min(each.offer.rate_rps for each in tries)
    assert all(each.offer.kind is Kind.COARSE for each in tries)


def test_two_confirming_runs_that_break_the_promise_mean_that_nothing_can_be_told() -> None:
    found, tries = searched(slow_beyond(180.0), confirms=False)
    assert (found.standing, found.confirmed) == (Standing.UNKNOWN, Verdict.BROKEN)
    assert [each.offer.kind for each in tries].count(Kind.CONFIRM) == 2


def test_the_rates_of_a_block_come_in_an_order_of_its_own_seed() -> None:
    def rates(seed: int) -> list[float]:
        search = Search((P99, ERRORS), replace(LIMITS, seed=seed))
        for rate_rps in (80.0, 120.0):
            search.add(tried(Offer(rate_rps, Kind.COARSE), slow_beyond(100.0)))
        search.begin_block(0)
        found = []
        while offer := search.offer():
            search.add(tried(offer, lambda _: (0.0, 0.0)))
            found.append(offer.rate_rps)
        return found

    orders = [rates(seed) for seed in range(1, 6)]
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert any(order != orders[0] for order in orders)
    assert rates(1) == orders[0]


def test_without_a_try_that_counts_nothing_can_be_told() -> None:
    assert conclude([], (P99, ERRORS), 3).standing is Standing.UNKNOWN
