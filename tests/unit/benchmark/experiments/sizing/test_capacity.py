"""The highest rate that keeps a promise is found where it was planted; the network behind it does what queues do."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmark.contenders.discovery import choose, discover
from benchmark.experiments.prediction.model import network_settings
from benchmark.experiments.prediction.simulation import Demand, Network, Open, constant, simulate_open
from benchmark.experiments.sizing.capacity import (
    Configuration,
    bound_of,
    capacity_of,
    configurations,
    configured,
    generator_at,
    in_a_pod,
    is_kept,
    is_lost,
)
from benchmark.load.objectives import parse_objective
from tests.unit.benchmark.experiments.sizing.synthetic import LEVELS, learnt

P99, ERRORS = [parse_objective("p99<100ms")], [parse_objective("errors<0.1%")]
SYNC, ASYNC = choose(["sync-concurrent", "async-aiohttp"], discover())
LONE_MS = 50.0


def network_of(name: str, scoring_ms: float = 2.0) -> Network:
    contender = {"sync": SYNC, "async": ASYNC}[name]
    return Network(constant(0.25), constant(scoring_ms), constant(0.05), constant(0.5), **network_settings(contender))


def planted(limit_rps: float) -> Callable[..., Open]:
    def simulated(_: Network, rate_rps: float, requests: int, is_enough: Callable[[Open], bool]) -> Open:
        latencies_ms = np.full(requests, 50.0 if rate_rps <= limit_rps else 500.0)
        found = Open(rate_rps, latencies_ms, 1, {"scoring": rate_rps * 0.002})
        assert is_enough(found) == (rate_rps > limit_rps)
        return found

    return simulated


@pytest.mark.parametrize("limit_rps", [120.0, 333.0, 480.0])
def test_the_limit_is_found_to_a_thirtieth_of_the_bound(limit_rps: float) -> None:
    found = capacity_of(in_a_pod(network_of("async")), LONE_MS, P99, simulated=planted(limit_rps))
    assert found.bound_rps == 500.0
    assert limit_rps - 500 / 30 <= found.rps <= limit_rps
    assert found.cpu_ms == pytest.approx(2.0)


def test_what_binds_is_named() -> None:
    assert bound_of(in_a_pod(network_of("async")), LONE_MS) == (500.0, "CPU of the scoring handler")
    few = configured(network_of("sync"), learnt(SYNC), Configuration(8, 1))
    assert bound_of(in_a_pod(few), LONE_MS) == (160.0, "threads")
    two = configured(network_of("async"), learnt(ASYNC), Configuration(0, 2))
    assert bound_of(replace(two, cores=2), LONE_MS) == (2e3 / 2.8, "cores of the machine")
    assert capacity_of(in_a_pod(few), LONE_MS, P99, simulated=planted(90.0)).binds == "waiting near the limit"
    never = capacity_of(in_a_pod(few), LONE_MS, P99, simulated=planted(0.0))
    assert (never.rps, never.binds) == (0.0, "the limit itself")


def test_the_cost_that_is_least_at_any_backlog_bounds_the_rate() -> None:
    network = replace(network_of("async"), scoring=Demand((0.0, 5.0, 50.0), (4.0, 1.0, 2.0)))
    assert bound_of(in_a_pod(network), LONE_MS)[0] == 1000.0


def test_threads_are_a_choice_only_where_requests_wait_for_one() -> None:
    assert configurations(network_of("async"), LONE_MS) == [Configuration(0, 1), Configuration(0, 2)]
    assert [each.threads for each in configurations(network_of("sync"), LONE_MS)] == [8, 16, 32, 64, 32]


def test_settings_are_those_of_the_service() -> None:
    assert Configuration(16, 2).settings == {"scoring": {"SERVING_THREADS": "16", "SERVING_WORKERS": "2"}}
    network = configured(network_of("sync"), learnt(SYNC), Configuration(16, 2))
    assert (network.threads, network.workers) == (16, 2)


def test_answers_that_are_too_late_for_the_rest_to_make_up_end_a_simulation() -> None:
    found = Open(100.0, np.array([50.0] * 90 + [200.0] * 9), 1, {})
    assert is_lost(found, 800, P99)
    assert not is_lost(found, 1000, P99)


def test_a_refused_request_breaks_every_objective() -> None:
    few, many = (Open(100.0, np.full(1000 - refused, 50.0), 1, {}, refused) for refused in (5, 15))
    assert is_kept(few, P99)
    assert not is_kept(many, P99)
    assert not is_kept(few, ERRORS)
    assert is_lost(few, 1000, ERRORS)
    assert is_kept(replace(few, refused=0), ERRORS)


def test_a_pod_of_few_threads_carries_less_where_errors_count_since_it_refuses_what_it_has_no_place_for() -> None:
    few = in_a_pod(configured(network_of("sync"), learnt(SYNC), Configuration(8, 1)))
    assert few.most_in_flight == 16
    free, tight = replace(few, most_in_flight=0), replace(few, most_in_flight=10)
    kept = [is_kept(simulate_open(each, 100.0, requests=1000), ERRORS) for each in (free, few, tight)]
    assert kept == [True, True, False]


def test_the_generator_costs_what_it_did_at_the_nearest_rates() -> None:
    at = generator_at(LEVELS)
    assert [round(at(rate).at(0), 4) for rate in (1.0, 210.0, 1000.0)] == [0.5, 0.375, 0.25]


def test_an_open_loop_uses_the_cores_that_its_rate_takes_and_waits_beyond_its_capacity() -> None:
    network = replace(in_a_pod(network_of("async")), steps=1, model_steps=1)
    calm, busy = (simulate_open(network, rate, requests=300) for rate in (100.0, 1000.0))
    assert calm.utilisation["scoring"] == pytest.approx(0.2, rel=0.15)
    assert busy.utilisation["scoring"] == pytest.approx(1.0, abs=0.02)
    # The larger of two sleeps is 46.7 ms on average, and a request takes 2.55 ms of CPU besides.
    assert np.mean(calm.latencies_ms) == pytest.approx(46.667 + 2.3, abs=1.0)
    assert busy.in_flight > 100 > calm.in_flight


def test_an_open_loop_is_watched_no_longer_than_it_takes_to_tell() -> None:
    network = in_a_pod(network_of("async"))
    assert simulate_open(network, 100.0, requests=400, is_enough=lambda _: True).latencies_ms.size == 50
