"""The rate that a contender carries within a promise, with other threads and workers than it was measured with.

The queueing network of `prediction`, calibrated with what a request cost at the levels of a recorded run, under
Poisson arrivals: the highest rate at which so large a share of the answers comes within the limit.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from benchmark.contenders.service_settings import settings_of
from benchmark.contenders.variant import with_settings
from benchmark.experiments.prediction.model import network_settings
from benchmark.experiments.prediction.simulation import Demand, Network, Open, constant, simulate, simulate_open
from benchmark.experiments.sizing.source import Costs, Learnt
from benchmark.load.objectives import Objective
from contract.settings import PREFIX

THREADS: Final = (8, 16, 32, 64, 128)
_THREADS_OF_TWO: Final = 32  # with two workers
_TOO_MANY: Final = 2.0  # times the threads that its CPU can keep busy: more do nothing
_CALIBRATED_AT: Final = 4  # levels at most, the lowest and the one with the highest rate among them
_LEAST_BEYOND: Final = 8  # requests beyond the limit that decide: a p99 takes 800
_STEPS: Final = 5  # of halving: a thirty-second of the bound
_LOW: Final = 0.05  # of the bound, at which nothing waits
_LOW_SHARE: Final = 3  # one of so many requests is enough there
_NEAR: Final = 0.6  # of the bound: a capacity below it is due to the promise and not to what the bound names

# Network, rate, number of requests, and what says of the answers so far that they are enough.
Simulate = Callable[[Network, float, int, Callable[[Open], bool]], Open]


@dataclass(frozen=True)
class Configuration:
    """Threads (0 where nothing waits for one) and workers of one pod, or of the one process group on a machine."""

    threads: int
    workers: int

    @property
    def words(self) -> str:
        threads = f"{self.threads} threads, " if self.threads else ""
        return f"{threads}{self.workers} {'worker' if self.workers == 1 else 'workers'}"

    @property
    def part(self) -> str:
        """How its trial is called."""
        return f"t{self.threads}w{self.workers}"

    @property
    def settings(self) -> dict[str, dict[str, str]]:
        threads = {f"{PREFIX}THREADS": str(self.threads)} if self.threads else {}
        return {"scoring": {**threads, f"{PREFIX}WORKERS": str(self.workers)}}


@dataclass(frozen=True)
class Capacity:
    """What is predicted of one configuration."""

    rps: float  # 0: the promise cannot be kept at any rate
    bound_rps: float  # that no promise can lift
    binds: str
    cpu_ms: float  # of the scoring handler, per request at that rate


def calibrated(learnt: Learnt, cores: int, requests: int = 400) -> Network:
    """Return the network that answers a single user as late as was measured, and costs what was measured.

    Raises ContenderError for a contender whose runtime the prediction does not know.
    """
    peak = learnt.at_peak
    network = Network(
        load=constant(peak.cpu_ms.get("load", 0.0)),
        scoring=constant(peak.cpu_ms.get("scoring", 0.0)),
        store=constant(peak.cpu_ms.get("redis", 0.0)),
        model=constant(peak.cpu_ms.get("model", 0.0)),
        cores=cores,
        **network_settings(learnt.contender),
    )
    burnt_ms = network.models * network.model_cpu_ms  # the network has it as work of its own
    network = replace(network, model=constant(max(network.model.at(0) - burnt_ms, 0.0)))
    lowest = learnt.levels[0]
    alone = simulate(_at(network, lowest), 1, requests=requests)
    network = replace(network, overhead_ms=max(learnt.lone_ms - alone.mean_ms, 0.0))
    points = {
        simulate(_at(network, level), level.users, requests=requests).backlog: level.cpu_ms["scoring"]
        for level in _calibrating(learnt.levels)
    }
    backlog = sorted(points)
    return replace(network, scoring=Demand(tuple(backlog), tuple(points[each] for each in backlog)))


def _calibrating(levels: Sequence[Costs]) -> list[Costs]:
    """Return a few levels, evenly chosen, the first and the last among them."""
    places = np.linspace(0, len(levels) - 1, min(_CALIBRATED_AT, len(levels))).round().astype(int)
    return [levels[place] for place in dict.fromkeys(places.tolist())]


def _at(network: Network, level: Costs) -> Network:
    """Return the network with what a request cost at a level."""
    return replace(
        network, load=constant(level.cpu_ms.get("load", 0.0)), scoring=constant(level.cpu_ms.get("scoring", 0.0))
    )


def configured(network: Network, learnt: Learnt, configuration: Configuration) -> Network:
    """Return the network with other threads and workers, and the limit of requests in flight that goes with them."""
    contender = with_settings(learnt.contender, configuration.settings)
    settings = settings_of(contender, "scoring")
    limit = settings.max_in_flight if settings else 0
    return replace(network, most_in_flight=limit, **network_settings(contender))


def configurations(network: Network, lone_ms: float) -> list[Configuration]:
    """Return what can be chosen for a pod: threads only where requests wait for one, and no more than do anything."""
    if not network.threads:
        return [Configuration(0, 1), Configuration(0, 2)]
    busy = _TOO_MANY * lone_ms / min(network.scoring.cpu_ms)
    useful = [each for place, each in enumerate(THREADS) if place == 0 or THREADS[place - 1] < busy]
    return [*(Configuration(each, 1) for each in useful), Configuration(_THREADS_OF_TWO, 2)]


def in_a_pod(network: Network) -> Network:
    """Return the network where the scoring handler has a pod of its own: no generator, models and store elsewhere.

    Its cores are those of its workers, and so many model processes answer that none waits for them.
    """
    model_workers = 4 * network.workers
    return replace(network, load=constant(0), model_workers=model_workers, cores=network.workers + model_workers + 1)


def bound_of(network: Network, lone_ms: float) -> tuple[float, str]:
    """Return the rate that cannot be exceeded, and what it is that binds."""
    demands = {
        "load": network.load.at(0),
        "scoring": min(network.scoring.cpu_ms) / network.workers,
        "redis": network.store.at(0),
        "model": (network.model.at(0) + network.models * network.model_cpu_ms) / network.model_workers,
    }
    all_ms = {role: ms * _processes(network, role) for role, ms in demands.items()}
    threads = network.threads * network.workers or None
    busiest = max(demands, key=lambda role: demands[role])
    terms = {
        f"CPU of {_CALLED[busiest]}": 1e3 / demands[busiest],
        "cores of the machine": 1e3 * network.cores / sum(all_ms.values()),
    }
    if threads:
        terms["threads"] = 1e3 * threads / lone_ms
    binds = min(terms, key=lambda term: terms[term])
    return terms[binds], binds


_CALLED: Final = {
    "load": "the load generator",
    "scoring": "the scoring handler",
    "redis": "Redis",
    "model": "the models",
}


def _processes(network: Network, role: str) -> int:
    return {"scoring": network.workers, "model": network.model_workers}.get(role, 1)


def capacity_of(
    network: Network,
    lone_ms: float,
    objectives: Sequence[Objective],
    load_at: Callable[[float], Demand] | None = None,
    simulated: Simulate | None = None,
) -> Capacity:
    """Return the highest rate at which all objectives are kept, by halving the way to the bound."""
    simulated = simulated or _simulate
    bound_rps, binds = bound_of(network, lone_ms)
    requests = max(int(np.ceil(_LEAST_BEYOND / (1 - each.share))) for each in objectives)

    def run(rate_rps: float, number: int = requests) -> Open:
        loaded = replace(network, load=load_at(rate_rps)) if load_at else network
        return simulated(loaded, rate_rps, number, lambda found: is_lost(found, number, objectives))

    lowest = run(_LOW * bound_rps, requests // _LOW_SHARE)
    if not is_kept(lowest, objectives):
        return Capacity(0.0, bound_rps, "the limit itself", _cpu_ms(lowest))
    kept, low, high = lowest, _LOW, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        found = run(middle * bound_rps)
        if is_kept(found, objectives):
            kept, low = found, middle
        else:
            high = middle
    return Capacity(low * bound_rps, bound_rps, binds if low >= _NEAR else "waiting near the limit", _cpu_ms(kept))


def _simulate(network: Network, rate_rps: float, requests: int, is_enough: Callable[[Open], bool]) -> Open:
    return simulate_open(network, rate_rps, requests=requests, is_enough=is_enough)


def is_lost(found: Open, requests: int, objectives: Sequence[Objective]) -> bool:
    """Whether so many of the first requests went wrong that the others cannot make up for them."""
    return any(
        int(np.count_nonzero(found.latencies_ms >= _limit_ms(each))) + found.refused > (1 - each.share) * requests
        for each in objectives
    )


def is_kept(found: Open, objectives: Sequence[Objective]) -> bool:
    """Whether every objective is kept, refused requests being wrong answers; without any answer none is."""
    return bool(found.latencies_ms.size) and all(found.within(_limit_ms(each)) >= each.share for each in objectives)


def _limit_ms(objective: Objective) -> float:
    return math.inf if objective.limit_ms is None else objective.limit_ms


def _cpu_ms(found: Open) -> float:
    return 1e3 * found.utilisation["scoring"] / found.rate_rps


def generator_at(levels: Sequence[Costs]) -> Callable[[float], Demand]:
    """Return what the load generator costs per request, over the rate: a line between the levels."""
    points = sorted((level.rps, level.cpu_ms.get("load", 0.0)) for level in levels)
    rates, costs = zip(*points, strict=True)
    return lambda rate_rps: constant(float(np.interp(rate_rps, rates, costs)))


def as_row(configuration: Configuration, capacity: Capacity) -> Mapping[str, object]:
    return {
        "threads": configuration.threads,
        "workers": configuration.workers,
        "rps": round(capacity.rps, 2),
        "bound_rps": round(capacity.bound_rps, 2),
        "binds": capacity.binds,
        "cpu_ms": round(capacity.cpu_ms, 4),
    }
