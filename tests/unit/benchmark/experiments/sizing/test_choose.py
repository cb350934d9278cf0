"""From a capacity to pods and money: arithmetic that can be checked by hand."""

from dataclasses import replace

import pytest

from benchmark.contenders.discovery import choose as choose_contenders
from benchmark.contenders.discovery import discover
from benchmark.experiments.prediction.model import network_settings
from benchmark.experiments.prediction.simulation import Network, constant
from benchmark.experiments.sizing.capacity import Capacity, Configuration
from benchmark.experiments.sizing.choose import Price, choose, hourly_cost, model_pods, per_million, scoring_pods
from benchmark.experiments.sizing.source import Costs
from tests.unit.benchmark.experiments.sizing.synthetic import learnt
from tests.unit.benchmark.synthetic import make_contender

ONE = Configuration(0, 1)
SOME = replace(learnt(make_contender()), levels=(Costs(1, 20.0, {"scoring": 4.0}), Costs(64, 100.0, {"scoring": 2.0})))


def capacity(rps: float, cpu_ms: float = 2.0) -> Capacity:
    return Capacity(rps, 1.1 * rps, "CPU of the scoring handler", cpu_ms)


def test_pods_carry_four_fifths_of_their_capacity_and_one_may_be_down() -> None:
    pods = scoring_pods(1000.0, ONE, capacity(250.0), SOME)
    assert (pods.carries_rps, pods.needed, pods.replicas, pods.in_an_update) == (200.0, 5, 6, 7)
    # 200 requests/s of 2 ms are 400 thousandths of a core; 100 MB and a quarter are 119.2 MiB.
    assert (pods.cpu_m, pods.target_m, pods.cpu_limit_m, pods.memory_mi) == (400, 400, 1000, 128)


def test_a_pod_asks_for_what_its_share_of_the_rate_takes_and_not_for_all_that_it_could_use() -> None:
    pods = scoring_pods(60.0, ONE, capacity(250.0), SOME)
    # 60 requests/s cost 3 ms each, halfway between the levels.
    assert (pods.needed, pods.replicas, pods.cpu_m, pods.target_m) == (1, 2, 200, 400)


def test_there_are_two_pods_at_least() -> None:
    assert scoring_pods(1.0, ONE, capacity(250.0), SOME).replicas == 2


def test_workers_take_memory_and_cores_each() -> None:
    pods = scoring_pods(1000.0, Configuration(0, 2), capacity(500.0), SOME)
    assert (pods.cpu_limit_m, pods.memory_mi) == (2000, 240)


def test_the_cost_is_what_all_pods_ask_for_and_redis() -> None:
    pods = scoring_pods(1000.0, ONE, capacity(250.0), SOME)
    hourly = hourly_cost((pods, pods), Price(core_hour=0.1, gib_hour=0.01))
    assert hourly == pytest.approx((2 * 6 * 0.4 + 0.1) * 0.1 + (2 * 6 * 128 + 128) / 1024 * 0.01)
    assert per_million(0.36, 1000.0) == pytest.approx(0.1)


def test_the_cheapest_is_chosen_and_of_those_as_cheap_the_simplest() -> None:
    models = scoring_pods(100.0, ONE, capacity(250.0), SOME)
    found = [
        (Configuration(8, 1), capacity(60.0)),
        (Configuration(16, 1), capacity(130.0)),
        (Configuration(32, 1), capacity(130.0)),
        (Configuration(32, 2), capacity(260.0)),
    ]
    choice = choose(100.0, found, SOME, models, Price(0.04))
    assert choice is not None
    # Two pods of 200m cost less than four of 150m, and as much as what has more threads or workers.
    assert choice.configuration == Configuration(16, 1)
    few = choose(100.0, found[:1], SOME, models, Price(0.04))
    assert few is not None
    assert (few.scoring.replicas, few.scoring.cpu_m) == (4, 150)
    assert few.hourly == pytest.approx(choice.hourly + 0.2 * 0.04)


def test_where_no_rate_keeps_the_promise_there_is_nothing_to_choose() -> None:
    models = scoring_pods(100.0, ONE, capacity(250.0), SOME)
    assert choose(100.0, [(ONE, capacity(0.0))], SOME, models, Price(0.04)) is None


@pytest.mark.parametrize(("threads", "carries_rps"), [(128, 800.0), (9, 80.0)])
def test_models_are_bound_by_a_core_or_by_their_threads(threads: int, carries_rps: float) -> None:
    (contender,) = choose_contenders(["sync"], discover())
    settings = {**network_settings(contender), "model_threads": threads, "sleep_ms": (44.5, 44.5)}
    network = Network(constant(0), constant(2), constant(0.1), constant(1.0), **settings)
    assert model_pods(200.0, network, learnt(contender)).carries_rps == carries_rps
