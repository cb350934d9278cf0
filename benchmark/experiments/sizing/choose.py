"""From the capacity of one pod to what must run: how many pods, what each asks for, what it costs. Arithmetic only."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmark.experiments.prediction.simulation import Network
from benchmark.experiments.sizing.capacity import Capacity, Configuration
from benchmark.experiments.sizing.source import Learnt

HEADROOM: Final = 0.8  # of the predicted capacity, that a pod is planned to carry
SURGE: Final = 1  # pods that a rolling update adds, and it takes none away: docker/kubernetes/base/every-service.yaml
MEMORY_ROOM: Final = 1.25  # times what was measured
AS_CHEAP: Final = 1.02  # times the least cost: then the simpler pod is chosen
_LEAST_PODS: Final = 2
_LEAST_CPU_M: Final = 50
_CPU_STEP_M, _MEMORY_STEP_MI, _TARGET_STEP_M = 50, 16, 10
_MB_PER_MI: Final = 1.048576
_REDIS_CPU_M, _REDIS_MEMORY_MI = 100, 128  # docker/kubernetes/base/redis.yaml


@dataclass(frozen=True)
class Pods:
    """The pods of one Deployment."""

    needed: int  # that carry the rate
    replicas: int  # with one down
    in_an_update: int  # at most, while they are replaced one by one
    carries_rps: float  # each, with headroom
    cpu_m: int  # request, in thousandths of a core: what each uses at the rate, with one down
    cpu_limit_m: int
    memory_mi: int  # request; the limit is twice as much
    target_m: int  # CPU per pod at which the autoscaler adds one

    @property
    def most(self) -> int:
        """Up to how many the autoscaler may go."""
        return 2 * self.replicas


@dataclass(frozen=True)
class Price:
    """Of an hour, by what the pods ask for."""

    core_hour: float
    gib_hour: float = 0.0


@dataclass(frozen=True)
class Choice:
    """A configuration of a pod, how many of them carry the rate, and what everything costs in an hour."""

    configuration: Configuration
    capacity: Capacity
    scoring: Pods
    hourly: float


def choose(
    rate_rps: float,
    found: Sequence[tuple[Configuration, Capacity]],
    learnt: Learnt,
    models: Pods,
    price: Price,
) -> Choice | None:
    """Return the cheapest way to carry a rate: of those as cheap, fewer pods, workers, threads. None: there is none."""
    choices = []
    for configuration, capacity in found:
        if capacity.rps:
            pods = scoring_pods(rate_rps, configuration, capacity, learnt)
            choices.append(Choice(configuration, capacity, pods, hourly_cost((pods, models), price)))
    if not choices:
        return None
    least = min(each.hourly for each in choices)
    as_cheap = [each for each in choices if each.hourly <= AS_CHEAP * least]
    return min(
        as_cheap, key=lambda each: (each.scoring.replicas, each.configuration.workers, each.configuration.threads)
    )


def scoring_pods(rate_rps: float, configuration: Configuration, capacity: Capacity, learnt: Learnt) -> Pods:
    """Return the pods of the scoring handler. The capacity must be above 0."""
    carries_rps = HEADROOM * capacity.rps
    most_m = carries_rps * capacity.cpu_ms  # ms per second are thousandths of a core
    rss_mb = learnt.rss_mb["scoring"] * configuration.workers
    return _pods(rate_rps, carries_rps, most_m, learnt.scoring_ms_at, configuration.workers, rss_mb)


def model_pods(rate_rps: float, network: Network, learnt: Learnt) -> Pods:
    """Return the pods of the models, by their bound: a core for each, and a thread for each call that is under way."""
    cpu_ms = network.model.at(0) + network.models * network.model_cpu_ms
    bounds = [1e3 / cpu_ms]
    if network.model_threads:
        bounds.append(1e3 * network.model_threads / (network.models * sum(network.sleep_ms) / 2 + cpu_ms))
    carries_rps = HEADROOM * min(bounds)
    rss_mb = learnt.rss_mb.get("model", learnt.rss_mb["scoring"])
    return _pods(rate_rps, carries_rps, carries_rps * cpu_ms, lambda _: cpu_ms, 1, rss_mb)


def _pods(
    rate_rps: float,
    carries_rps: float,
    most_m: float,
    cpu_ms_at: Callable[[float], float],
    cores: int,
    rss_mb: float,
) -> Pods:
    """Return pods that use `most_m` at what they are planned to carry, and ask for what the rate takes of them."""
    needed = max(math.ceil(rate_rps / carries_rps - 1e-9), 1)
    replicas = max(needed + 1, _LEAST_PODS)
    share_rps = rate_rps / (replicas - 1)  # with one down
    return Pods(
        needed=needed,
        replicas=replicas,
        in_an_update=replicas + SURGE,
        carries_rps=round(carries_rps, 2),
        cpu_m=max(_up(share_rps * cpu_ms_at(share_rps), _CPU_STEP_M), _LEAST_CPU_M),
        cpu_limit_m=1000 * cores,
        memory_mi=_up(rss_mb * MEMORY_ROOM / _MB_PER_MI, _MEMORY_STEP_MI),
        target_m=max(int(most_m // _TARGET_STEP_M) * _TARGET_STEP_M, _TARGET_STEP_M),
    )


def _up(value: float, step: int) -> int:
    return math.ceil(value / step - 1e-9) * step


def hourly_cost(pods: Sequence[Pods], price: Price) -> float:
    """Return what an hour costs: what all pods ask for, and the one of Redis."""
    cpu_m = sum(each.replicas * each.cpu_m for each in pods) + _REDIS_CPU_M
    memory_mi = sum(each.replicas * each.memory_mi for each in pods) + _REDIS_MEMORY_MI
    return cpu_m / 1000 * price.core_hour + memory_mi / 1024 * price.gib_hour


def per_million(hourly: float, rate_rps: float) -> float:
    """Return what a million requests cost at a rate."""
    return hourly / (rate_rps * 3600) * 1e6
