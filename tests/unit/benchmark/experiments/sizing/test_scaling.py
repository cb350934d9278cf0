"""Pods over time: the simulation is held to the theory where there is one, and starts as pods do."""

import math
import random
import statistics

import pytest

from benchmark.experiments.sizing.scaling import Arrival, Autoscaler, Outcome, Pod, simulate_pods, waiting_of_erlang

SERVICE_S = 0.02


class Mirrored(random.Random):
    """Draws 1 - u where another one with this seed draws u: the mean of both strays less (antithetic variates)."""

    def random(self) -> float:
        return 1 - super().random() or 1.0


def poisson(rate_rps: float, requests: int, draw: random.Random) -> list[Arrival]:
    at_s, found = 0.0, []
    for _ in range(requests):
        at_s -= math.log(draw.random() or 1.0) / rate_rps
        found.append(Arrival(at_s))
    return found


@pytest.mark.parametrize(("servers", "use"), [(1, 0.5), (3, 0.5)])
def test_without_an_autoscaler_requests_wait_as_long_as_erlang_says(servers: int, use: float) -> None:
    rate_rps = use * servers / SERVICE_S
    waits_s: list[float] = []
    for kind in (random.Random, Mirrored):
        arrivals, service = poisson(rate_rps, 150_000, kind(1)), kind(2)
        pod = Pod(1, lambda _, draw=service: -math.log(draw.random() or 1.0) * SERVICE_S, lambda _: 0.0)  # type: ignore[misc]
        waits_s += simulate_pods(pod, arrivals, 1.0, servers).waits_s
    assert statistics.fmean(waits_s) == pytest.approx(waiting_of_erlang(servers, rate_rps, SERVICE_S), rel=0.02)


def test_erlang_c_is_that_of_the_tables() -> None:
    # One server: rho / (mu - lambda). Ten servers at eight erlangs: 40.9 % wait, by the usual tables.
    assert waiting_of_erlang(1, 0.5, 1.0) == pytest.approx(1.0)
    assert waiting_of_erlang(10, 8.0, 1.0) == pytest.approx(0.409 / 2, rel=0.002)
    assert waiting_of_erlang(2, 2.0, 1.0) == float("inf")


POD = Pod(1, lambda _: 0.01, lambda _: 0.04, start_s=10.0)  # carries 100 requests/s
SCALER = Autoscaler(least=0, most=8, target=0.6, period_s=5.0, window_s=10.0, cooldown_s=20.0)


def steady(rate_rps: float, seconds: float) -> list[Arrival]:
    return [Arrival(number / rate_rps) for number in range(int(rate_rps * seconds))]


def started(least: int, patience_s: float = 1e9) -> Outcome:
    return simulate_pods(POD, steady(50.0, 60.0), 0.1, least, SCALER, patience_s)


def test_from_nothing_all_miss_until_the_first_pod_is_ready() -> None:
    outcome = started(0)
    # Seen at the first look, after 5 s, and ready 10 s later: what was due before that is too late.
    assert 15.0 * 50 <= outcome.missed < outcome.requests
    assert outcome.last_missed_s >= 15.0
    assert outcome.gave_up == 0


def test_a_pod_that_is_ready_misses_none() -> None:
    outcome = started(1)
    assert (outcome.requests, outcome.missed, outcome.most_pods) == (3000, 0, 1)


def test_who_has_no_patience_gives_up_and_counts_as_missed() -> None:
    outcome = started(0, patience_s=2.0)
    assert 0 < outcome.gave_up <= outcome.missed
    assert len(outcome.waits_s) == outcome.requests - outcome.gave_up


def test_the_way_counts_and_takes_no_server() -> None:
    arrivals = [Arrival(number / 50, 0.08) for number in range(100)]
    outcome = simulate_pods(POD, arrivals, 0.1, 1)
    assert outcome.missed == 100
    assert max(outcome.waits_s) == 0.0


def test_pods_are_added_under_load_and_removed_once_nobody_has_needed_them_for_a_while() -> None:
    busy = steady(90.0, 30.0)
    quiet = [Arrival(30.0 + number / 5) for number in range(500)]
    outcome = simulate_pods(POD, [*busy, *quiet], 0.1, 1, SCALER)
    assert outcome.most_pods >= 2
    assert outcome.pod_s < outcome.most_pods * 130.0 - 50.0


def test_the_same_seed_gives_the_same_outcome() -> None:
    pod = Pod(1, lambda draw: draw.expovariate(100.0), lambda draw: draw.random() / 10)
    arrivals = poisson(80.0, 500, random.Random(1))
    assert simulate_pods(pod, arrivals, 0.1, 1, seed=3) == simulate_pods(pod, arrivals, 0.1, 1, seed=3)
    assert simulate_pods(pod, arrivals, 0.1, 1, seed=3) != simulate_pods(pod, arrivals, 0.1, 1, seed=4)
