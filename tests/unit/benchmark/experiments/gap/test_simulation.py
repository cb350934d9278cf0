"""The simulated network against what is known of every closed network."""

import random
from dataclasses import replace

import pytest
import simpy

from benchmark.experiments.prediction.simulation import Demand, Network, constant, simulate, simulate_burst
from benchmark.experiments.prediction.stations import Cores

NETWORK = Network(
    load=constant(0.2),
    scoring=constant(2.0),
    store=constant(0.1),
    model=constant(1.0),
    one_by_one=True,
    cores=2,
)
CPU_MS = 0.2 + 2.0 + 0.1 + 1.0


def test_a_single_user_waits_for_the_sleep_and_for_the_cpu() -> None:
    assert simulate(NETWORK, 1).mean_ms == pytest.approx(90.0 + CPU_MS, abs=0.5)


@pytest.mark.parametrize(("law", "p50_ms"), [("constant", 90.0), ("lognormal", 93.0)])
def test_models_sleep_by_their_law(law: str, p50_ms: float) -> None:
    found = simulate(replace(NETWORK, law=law, sigma=0.4, overhead_ms=0.0), 1)
    # The sum of two lognormal sleeps of 45 ms in the median has a mean of 90 exp(0.4^2 / 2) = 97.5 ms.
    mean_ms = 90.0 if law == "constant" else 97.5
    assert found.mean_ms == pytest.approx(mean_ms + CPU_MS, abs=2.0)
    assert found.p50_ms == pytest.approx(p50_ms + CPU_MS, abs=3.0)


def test_at_the_same_time_is_the_larger_of_two_sleeps() -> None:
    # The second call is sent once the first is on its way, and the second answer read after the first.
    found = simulate(replace(NETWORK, one_by_one=False), 1).mean_ms
    assert 46.7 < found < 46.7 + CPU_MS


@pytest.mark.parametrize("users", [1, 8, 64, 200])
def test_asymptotic_bounds_and_littles_law(users: int) -> None:
    found = simulate(NETWORK, users)
    assert found.rps <= min(users / (90.0 + CPU_MS), 1 / 2.0) * 1e3 * 1.03
    assert found.rps * found.mean_ms / 1e3 == pytest.approx(users, rel=0.05)


def test_a_saturated_process_uses_a_core_and_no_more() -> None:
    found = simulate(NETWORK, 200)
    assert found.utilisation["scoring"] == pytest.approx(1.0, abs=0.06)
    assert found.rps == pytest.approx(500, rel=0.06)


def test_a_second_worker_helps_until_the_cores_are_used_up() -> None:
    two = simulate(replace(NETWORK, workers=2), 200)
    # A twentieth is lost: who waits for a core does not always get the one that is free first.
    assert two.rps == pytest.approx(0.95 * 2 / CPU_MS * 1e3, rel=0.02)
    four_cores = simulate(replace(NETWORK, workers=2, cores=4), 200)
    assert four_cores.rps == pytest.approx(1000, rel=0.06)


def test_threads_bound_the_rate() -> None:
    found = simulate(replace(NETWORK, threads=10), 100)
    assert found.rps == pytest.approx(10 / (90.0 + CPU_MS) * 1e3, rel=0.05)


def test_a_demand_that_grows_with_the_backlog_makes_the_rate_fall_beyond_its_peak() -> None:
    scanning = replace(NETWORK, scoring=Demand((0.0, 2.0, 16.0), (2.0, 3.0, 12.0)))
    peak = max(simulate(scanning, users).rps for users in (8, 16, 32))
    assert simulate(scanning, 128).rps < 0.6 * peak


def test_slices_change_no_rate_while_there_are_cores() -> None:
    roomy = replace(NETWORK, cores=8)
    whole, sliced = simulate(roomy, 128), simulate(replace(roomy, slice_ms=0.2), 128)
    assert sliced.rps == pytest.approx(whole.rps, rel=0.03)


def test_threads_that_hand_over_their_lock_use_less_of_a_core_where_others_need_cores_too() -> None:
    """0.88 to 0.91 were measured of threads at saturation, on two cores of which 1.5 were in use."""
    stepped = replace(NETWORK, steps=4, model_steps=4)
    loop = simulate(stepped, 128).utilisation["scoring"]
    threads = simulate(replace(stepped, slice_ms=5.0, model_slice_ms=5.0), 128).utilisation["scoring"]
    assert 0.85 < threads < loop - 0.04


def test_cpu_of_the_models_counts_once_for_each_model() -> None:
    assert simulate(replace(NETWORK, model_cpu_ms=10.0), 64).rps == pytest.approx(1e3 / 21.0, rel=0.05)


def test_without_reads_the_store_does_nothing() -> None:
    assert simulate(replace(NETWORK, feature_reads=0), 8).utilisation["redis"] == 0


def test_a_burst_takes_at_least_one_request_and_the_work_of_all() -> None:
    alone, many = simulate_burst(NETWORK, 1), simulate_burst(NETWORK, 32)
    assert alone.last_ms == pytest.approx(90.0 + CPU_MS, abs=6)
    assert many.last_ms > 0.5 * 32 * 2.0 + 80


def test_a_larger_burst_meets_a_larger_backlog() -> None:
    met = [simulate_burst(NETWORK, size).backlog for size in (1, 4, 16, 64)]
    assert met == sorted(met)
    assert met[0] == 0
    assert 64 / 8 < met[-1] < 64


def test_users_of_a_burst_ask_as_often_as_they_are_told_and_no_more() -> None:
    once, thrice = (simulate_burst(NETWORK, 1, asks) for asks in (1, 3))
    assert thrice.last_ms == pytest.approx(3 * once.last_ms, abs=12)
    last = simulate_burst(replace(NETWORK, one_by_one=False), 32, asks=1)
    assert simulate_burst(replace(NETWORK, one_by_one=False), 32, asks=3).last_ms < 3 * last.last_ms
    # Nobody waits behind a user who was answered and asks again although the burst is over.
    assert simulate_burst(replace(NETWORK, threads=1), 2).last_ms == pytest.approx(2 * once.last_ms, abs=12)


def test_steps_change_no_rate_and_let_a_burst_end_later() -> None:
    stepping = replace(NETWORK, steps=4, model_steps=4, one_by_one=False)
    whole = replace(NETWORK, one_by_one=False)
    assert simulate(stepping, 128).rps == pytest.approx(simulate(whole, 128).rps, rel=0.05)
    assert simulate_burst(stepping, 64).last_ms > simulate_burst(whole, 64).last_ms


def test_the_same_seed_gives_the_same_state() -> None:
    assert simulate(NETWORK, 16, seed=3) == simulate(NETWORK, 16, seed=3)
    assert simulate(NETWORK, 16, seed=3).mean_ms != simulate(NETWORK, 16, seed=4).mean_ms


def test_the_load_becomes_what_it_is_at_the_rate_that_is_seen() -> None:
    """At 64 users a generator of 1 ms a request would be the second busiest; at this rate it costs a tenth."""
    seen: list[float] = []

    def load_at(rps: float) -> Demand:
        seen.append(rps)
        return constant(0.1 if rps > 300 else 3.0)

    found = simulate(replace(NETWORK, load=constant(1.0)), 64, load_at=load_at)
    assert all(rps == pytest.approx(found.rps, rel=0.15) for rps in seen)
    assert found.utilisation["load"] == pytest.approx(0.1 * found.rps / 1e3, rel=0.1)


def test_what_waits_for_a_thread_is_backlog_too() -> None:
    assert simulate_burst(replace(NETWORK, threads=1), 16).backlog > 16 / 4


def test_a_process_keeps_its_core_takes_an_idle_one_and_else_waits_for_its_own() -> None:
    env = simpy.Environment()
    cores = Cores(env, 2, random.Random(1))
    first = cores.choose(None)
    first.request()
    second = cores.choose(first)  # the first is taken
    assert second is not first
    second.request()
    assert cores.choose(first) is first
    assert cores.choose(second) is second
    assert cores.choose(None) in (first, second)


def test_a_woken_thread_takes_an_idle_core_and_else_waits_for_the_one_with_less_to_do() -> None:
    env = simpy.Environment()
    cores = Cores(env, 2, random.Random(1))
    waker = cores.choose(None)
    waker.request()
    other = cores.wake(waker)
    assert other is not waker
    other.request()
    assert {cores.wake(waker) for _ in range(20)} == {waker, other}  # both work, and nobody waits for either
    other.request()
    assert {cores.wake(waker) for _ in range(20)} == {waker}


def test_where_cores_are_idle_it_does_not_matter_who_waits_for_which() -> None:
    assert simulate(NETWORK, 1).rps == pytest.approx(simulate(replace(NETWORK, cores=8), 1).rps, rel=0.01)


def test_a_pool_of_connections_is_a_ceiling() -> None:
    """Calls in flight are the pool's connections at most: rate <= connections / (models x time of a call)."""
    wide = replace(NETWORK, one_by_one=False, scoring=constant(0.4), cores=4)
    narrow = simulate(replace(wide, pool=8), 64)
    assert narrow.rps <= 8 / (2 * 45.0) * 1e3
    assert narrow.rps == pytest.approx(8 / (2 * 45.0) * 1e3, rel=0.06)
    assert simulate(replace(wide, pool=128), 64).rps == pytest.approx(simulate(wide, 64).rps, rel=0.03)


def test_each_worker_has_a_pool_of_its_own() -> None:
    narrow = replace(NETWORK, one_by_one=False, scoring=constant(0.4), cores=4, pool=8)
    assert simulate(replace(narrow, workers=2), 64).rps == pytest.approx(2 * simulate(narrow, 64).rps, rel=0.08)
