"""A queueing network of one contender, simulated: users or arrivals, processes, cores, threads, sleeping models.

Stations are the processes: each runs one piece of work at a time (one interpreter lock, one event
loop), and needs a core for it, of which the machine has few and the load generator takes its share.
The models' sleep is a pure delay. Product-form solutions (Reiser & Lavenberg, Mean-value analysis of
closed multichain queueing networks, JACM 1980) allow neither the join of a concurrent fan-out, nor a
demand that depends on the backlog of one station while another holds the core; so the network is
simulated, with SimPy.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np
import simpy

from benchmark.experiments.prediction.stations import Cores, Event, Station
from contract.model import QuantileFunction


@dataclass(frozen=True)
class Demand:
    """CPU of one process per request in ms, over the backlog: how much waits for the process at once.

    That is pieces of work, and requests that wait for a thread. Linear between the points, constant beyond them.
    """

    backlog: tuple[float, ...]
    cpu_ms: tuple[float, ...]

    def at(self, backlog: float) -> float:
        return float(np.interp(backlog, self.backlog, self.cpu_ms))

    def scaled(self, factor: float) -> "Demand":
        return Demand(self.backlog, tuple(factor * ms for ms in self.cpu_ms))


def constant(cpu_ms: float) -> Demand:
    """Return a demand that does not depend on the load."""
    return Demand((0.0,), (cpu_ms,))


@dataclass(frozen=True)
class Network:
    """One contender on one machine; times in ms."""

    load: Demand  # the generator's own
    scoring: Demand
    store: Demand
    model: Demand  # for all answers to one request together
    one_by_one: bool  # the models are asked one after the other
    models: int = 2
    sleep_ms: tuple[float, float] = (40.0, 50.0)
    law: str = "uniform"  # of the sleep, and its sigma: see QuantileFunction
    sigma: float = 0.0
    model_cpu_ms: float = 0.0  # burnt for each answer, beside the demand
    overhead_ms: float = 0.0  # of a request at no load, what neither sleep nor CPU explains
    threads: int = 0  # requests that a scoring process takes at a time; 0: any number
    most_in_flight: int = 0  # of a scoring process, which refuses more; 0: any number
    model_threads: int = 0
    pool: int = 0  # connections to the models of a scoring process; 0: any number
    feature_reads: int = 1  # of the store, per request
    workers: int = 1  # scoring processes
    model_workers: int = 1
    cores: int = 2
    slice_ms: float = 0.0  # a thread gives way after so long (the interpreter's switch interval); 0: never
    model_slice_ms: float = 0.0
    steps: int = 1  # of a piece of work, each behind what waits meanwhile: callbacks, or turns of a thread
    model_steps: int = 1


@dataclass(frozen=True)
class Steady:
    """What a network does with a number of users, after a warm-up."""

    users: int
    rps: float
    p50_ms: float
    mean_ms: float
    utilisation: dict[str, float] = field(default_factory=dict)  # cores, by role
    backlog: float = 0.0  # that a piece of work meets in the scoring process


@dataclass(frozen=True)
class Open:
    """What a network does under Poisson arrivals, after a warm-up."""

    rate_rps: float
    latencies_ms: np.ndarray = field(repr=False)  # of those that were answered, in the order of their answers
    in_flight: int  # when the last one was answered
    utilisation: dict[str, float]  # cores, by role
    refused: int = 0

    @property
    def answered(self) -> float:
        """The share of the requests that was not refused."""
        total = len(self.latencies_ms) + self.refused
        return len(self.latencies_ms) / total if total else 0.0

    def within(self, limit_ms: float) -> float:
        """The share of the requests that was answered sooner than that."""
        return float(np.mean(self.latencies_ms < limit_ms)) * self.answered if self.answered else 0.0


def simulate_open(
    network: Network,
    rate_rps: float,
    seed: int = 1,
    requests: int = 1500,
    is_enough: Callable[[Open], bool] = lambda _: False,
) -> Open:
    """Return what a network does under Poisson arrivals of a rate, until so many requests were answered.

    A fifth as many come before, to fill it. Beyond its capacity the latencies grow for as long as it is watched; so it
    is watched no longer once the latencies so far say enough.
    """
    run = _Run(network, 0, random.Random(seed), rate_rps=rate_rps)
    longest_ms = 3e3 * requests / rate_rps
    run.until(answers=requests // 5, latest_ms=longest_ms)
    run.start_counting()
    for part in range(1, _LOOKS + 1):
        run.until(answers=requests * part // _LOOKS, latest_ms=2 * longest_ms)
        found = run.open_result(rate_rps)
        if is_enough(found):
            break
    return found


_LOOKS = 8  # at the latencies of an open loop


def simulate(
    network: Network,
    users: int,
    seed: int = 1,
    requests: int = 1500,
    longest_s: float = 30.0,
    load_at: Callable[[float], Demand] | None = None,
) -> Steady:
    """Return the steady state of a network with so many users who ask again at once.

    Runs until so many requests were answered after a warm-up of two for each user, or for `longest_s` of
    simulated time. With `load_at` the generator's demand becomes what it is at the rate that is seen.
    """
    run = _Run(network, users, random.Random(seed))
    run.until(answers=max(2 * users, 50), latest_ms=longest_s * 500)
    for turn in range(1, _SETTLINGS + 1 if load_at else 1):
        run.start_counting()
        run.until(answers=max(users, 50), latest_ms=longest_s * (500 + 125 * turn))
        if load_at:
            run.set_load(load_at(run.result().rps))
    run.start_counting()
    run.until(answers=max(requests, 2 * users), latest_ms=longest_s * 1e3)
    return run.result()


_SETTLINGS = 2  # the generator's demand depends on the rate, and the rate on the generator's demand


@dataclass(frozen=True)
class SimulatedBurst:
    """What users do who ask at the same moment, means over several bursts."""

    last_ms: float  # until the last answer
    backlog: float  # that a piece of work meets in the scoring process


def simulate_burst(
    network: Network, size: int, asks: int = 1, seed: int = 1, least_requests: int = 96
) -> SimulatedBurst:
    """Return what bursts do of so many users who ask so often; as many bursts as have so many requests."""
    lasts_ms, met = [], []
    for number in range(-(-least_requests // (size * asks))):
        run = _Run(network, size, random.Random(seed * 1000 + number), asks)
        run.until(answers=size * asks, latest_ms=60_000)
        lasts_ms.append(run.now_ms)
        met.append(run.backlog_met)
    return SimulatedBurst(float(np.mean(lasts_ms)), float(np.mean(met)))


class _Run:
    def __init__(
        self, network: Network, users: int, draw: random.Random, asks: int | None = None, rate_rps: float = 0.0
    ) -> None:
        """With `asks`, users begin at the same moment and ask so often; else they begin at any, and go on.

        With a rate, requests come by themselves as well.
        """
        self._n, self._users, self._draw, self._asks = network, users, draw, asks
        self._sleep_ms = QuantileFunction(network.law, *network.sleep_ms, network.sigma)  # of whatever unit
        self._env = env = simpy.Environment()
        cores = Cores(env, network.cores, draw)
        self._stations = {
            "load": Station(env, cores),
            "scoring": Station(env, cores, network.workers, network.slice_ms, network.steps),
            "redis": Station(env, cores),
            "model": Station(env, cores, network.model_workers, network.model_slice_ms, network.model_steps),
        }
        self._threads = _slots(env, network.threads * network.workers)
        self._model_threads = _slots(env, network.model_threads * network.model_workers)
        self._pool = _slots(env, network.pool * network.workers)
        self._latencies_ms: list[float] = []
        self._met: list[float] = []
        self._since_ms = 0.0
        self._in_flight = self._let_in = self._refused = 0
        for _ in range(users):
            env.process(self._user())
        if rate_rps:
            env.process(self._arrivals(rate_rps))

    @property
    def now_ms(self) -> float:
        return float(self._env.now)

    def set_load(self, load: Demand) -> None:
        self._n = replace(self._n, load=load)

    @property
    def backlog_met(self) -> float:
        """The mean backlog of the scoring process, as its pieces of work met it."""
        return float(np.mean(self._met))

    def until(self, answers: int, latest_ms: float) -> None:
        while len(self._latencies_ms) < answers and self._env.now < latest_ms:
            self._env.step()

    def start_counting(self) -> None:
        self._latencies_ms.clear()
        self._refused = 0
        self._since_ms = self._env.now
        for station in self._stations.values():
            station.busy_ms = 0.0

    def result(self) -> Steady:
        passed_ms = self._env.now - self._since_ms
        return Steady(
            users=self._users,
            rps=len(self._latencies_ms) / passed_ms * 1e3,
            p50_ms=float(np.median(self._latencies_ms)),
            mean_ms=float(np.mean(self._latencies_ms)),
            utilisation=self._utilisation(),
            backlog=self.backlog_met,
        )

    def open_result(self, rate_rps: float) -> Open:
        return Open(rate_rps, np.array(self._latencies_ms), self._in_flight, self._utilisation(), self._refused)

    def _utilisation(self) -> dict[str, float]:
        passed_ms = self._env.now - self._since_ms
        return {role: station.busy_ms / passed_ms for role, station in self._stations.items()}

    def _arrivals(self, rate_rps: float) -> Event:
        while True:
            yield self._env.timeout(self._draw.expovariate(rate_rps / 1e3))
            self._env.process(self._request())

    def _user(self) -> Event:
        if self._asks is None:
            yield self._env.timeout(self._draw.random() * self._n.sleep_ms[1])
        for _ in count() if self._asks is None else range(self._asks):
            yield from self._request()

    def _request(self) -> Event:
        started_ms = self._env.now
        self._in_flight += 1
        yield from self._piece("load", self._n.load, 2)
        is_refused = self._is_full
        if not is_refused:
            self._let_in += 1
            with self._threads.request() as thread:
                yield thread
                yield from self._handle()
            self._let_in -= 1
        yield from self._piece("load", self._n.load, 2)
        self._in_flight -= 1
        if is_refused:
            self._refused += 1
        else:
            self._latencies_ms.append(self._env.now - started_ms)

    @property
    def _is_full(self) -> bool:
        return 0 < self._n.most_in_flight * self._n.workers <= self._let_in

    def _handle(self) -> Event:
        """One request: parse and ask the store; ask the models; combine and answer."""
        pieces = 2 + 2 * self._n.models
        yield self._env.timeout(self._n.overhead_ms)
        yield from self._piece("scoring", self._n.scoring, pieces)
        for _ in range(self._n.feature_reads):
            yield from self._piece("redis", self._n.store, 1)
        if self._n.one_by_one:
            for _ in range(self._n.models):
                yield from self._ask(pieces)
        else:
            yield simpy.AllOf(self._env, [self._env.process(self._ask(pieces)) for _ in range(self._n.models)])
        yield from self._piece("scoring", self._n.scoring, pieces)

    def _ask(self, pieces: int) -> Event:
        """One model, over a connection of its own: the handler sends and reads, in between the model answers."""
        with self._pool.request() as connection:
            yield connection
            yield from self._piece("scoring", self._n.scoring, pieces)
            yield from self._answer()
            yield from self._piece("scoring", self._n.scoring, pieces)

    def _answer(self) -> Event:
        """A model's answer: half of its CPU before the sleep, half after it."""
        each = 2 * self._n.models
        with self._model_threads.request() as thread:
            yield thread
            yield from self._piece("model", self._n.model, each)
            yield from self._stations["model"].work(self._n.model_cpu_ms)
            yield self._env.timeout(self._sleep_ms(self._draw.random()))
            yield from self._piece("model", self._n.model, each)

    def _piece(self, role: str, demand: Demand, of: int) -> Event:
        station = self._stations[role]
        backlog = station.backlog
        if role == "scoring":
            backlog += len(self._threads.queue) / self._n.workers
            self._met.append(backlog)
        yield from station.work(demand.at(backlog) / of)


def _slots(env: simpy.Environment, number: int) -> simpy.Resource:
    """Return the threads of a station; without a limit (0) there are more than there can be requests."""
    return simpy.Resource(env, number or 1_000_000)
