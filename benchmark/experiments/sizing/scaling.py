"""Pods that take time to start, an autoscaler that looks now and then, and requests that do not wait for either.

A discrete-event simulation, with SimPy. Requests wait in one queue for a free server of any pod that is ready: as
behind a balancer that knows who is free, so a real one does no better. With exponential times of service and no
autoscaler it is the queue M/M/c, whose waiting times are known (Erlang C, `waiting_of_erlang`).
"""

import math
import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Final

import simpy

Event = Generator[simpy.Event, object, None]
FASTEST_PODS: Final = 4  # that one look may add, or as many as there are: the default of an autoscaler in Kubernetes


@dataclass(frozen=True)
class Pod:
    """One pod: so many servers, how long a request holds one, and what it takes besides without holding any."""

    servers: int
    service_s: Callable[[random.Random], float]
    beside_s: Callable[[random.Random], float]
    start_s: float = 10.0  # until it is ready


@dataclass(frozen=True)
class Autoscaler:
    """Adds and removes pods by the use of their servers, as the one for CPU in Kubernetes does."""

    least: int
    most: int
    target: float  # share of the servers' time
    period_s: float = 15.0  # between two looks
    window_s: float = 30.0  # of which it sees the mean
    cooldown_s: float = 300.0  # it removes no pod that was needed within this time
    tolerance: float = 0.1  # of the target, within which it does nothing


@dataclass(frozen=True)
class Arrival:
    """When a request is due, and what the way adds to its latency."""

    at_s: float
    way_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What became of the requests."""

    requests: int
    missed: int  # later than the limit, or given up
    gave_up: int
    waits_s: tuple[float, ...] = field(repr=False)  # of those that were served, in the order of their service
    last_missed_s: float  # when the last request was due that missed; 0 if none did
    most_pods: int
    pod_s: float  # of all pods, from the moment that each was asked for


def simulate_pods(
    pod: Pod,
    arrivals: Sequence[Arrival],
    limit_s: float,
    initial: int,
    scaler: Autoscaler | None = None,
    patience_s: float = math.inf,
    seed: int = 1,
) -> Outcome:
    """Return what becomes of the requests; `initial` pods are ready at the beginning.

    Who has waited longer than `patience_s` when its turn comes has gone away.
    """
    run = _Pods(pod, limit_s, initial, patience_s, random.Random(seed))
    run.env.process(run.arrive(arrivals))
    if scaler:
        run.env.process(run.watch(scaler))
    while run.left or not run.all_arrived:
        run.env.step()
    return run.outcome(len(arrivals))


class _Pods:
    def __init__(self, pod: Pod, limit_s: float, initial: int, patience_s: float, draw: random.Random) -> None:
        self.env = simpy.Environment()
        self._pod, self._limit_s, self._patience_s, self._draw = pod, limit_s, patience_s, draw
        self._ready, self._starting = initial, 0
        self._queue: deque[Arrival] = deque()
        self._busy = 0
        self.all_arrived = False
        self._waits_s: list[float] = []
        self._missed = self._gave_up = 0
        self._last_missed_s = 0.0
        self._most_pods = initial
        # What the autoscaler sees: server seconds that were used, and pod seconds, since the beginning.
        self._used_s = self._ready_s = self._pods_s = 0.0
        self._since_s = 0.0

    @property
    def left(self) -> int:
        return len(self._queue) + self._busy

    def arrive(self, arrivals: Sequence[Arrival]) -> Event:
        for arrival in arrivals:
            yield self.env.timeout(max(arrival.at_s - self.env.now, 0.0))
            self._queue.append(arrival)
            self._serve()
        self.all_arrived = True
        yield self.env.timeout(0)

    def _serve(self) -> None:
        """Give free servers to those who have waited longest."""
        while self._queue and self._busy < self._ready * self._pod.servers:
            arrival = self._queue.popleft()
            waited_s = max(self.env.now - arrival.at_s, 0.0)
            if waited_s > self._patience_s:
                self._gave_up += 1
                self._note_missed(arrival)
                continue
            service_s = self._pod.service_s(self._draw)
            self._waits_s.append(waited_s)
            if waited_s + service_s + self._pod.beside_s(self._draw) + arrival.way_s >= self._limit_s:
                self._note_missed(arrival)
            self._count()
            self._busy += 1
            done = self.env.timeout(service_s)
            assert done.callbacks is not None
            done.callbacks.append(self._done)

    def _done(self, _: simpy.Event) -> None:
        self._count()
        self._busy -= 1
        self._serve()

    def _note_missed(self, arrival: Arrival) -> None:
        self._missed += 1
        self._last_missed_s = max(self._last_missed_s, arrival.at_s)

    def _count(self) -> None:
        passed_s = self.env.now - self._since_s
        self._used_s += passed_s * self._busy
        self._ready_s += passed_s * self._ready
        self._pods_s += passed_s * (self._ready + self._starting)
        self._since_s = self.env.now

    def watch(self, scaler: Autoscaler) -> Event:
        """Look now and then, and ask for as many pods as the use of the last window takes."""
        seen: deque[tuple[float, float, float]] = deque([(0.0, 0.0, 0.0)])
        wanted: deque[tuple[float, int]] = deque()
        while True:
            yield self.env.timeout(scaler.period_s)
            self._count()
            seen.append((self.env.now, self._used_s, self._ready_s))
            while len(seen) > 2 and seen[1][0] <= self.env.now - scaler.window_s:
                seen.popleft()
            wish = self._wish(scaler, seen[0][1], seen[0][2])
            wanted.append((self.env.now, wish))
            while wanted[0][0] < self.env.now - scaler.cooldown_s:
                wanted.popleft()
            self._scale(max(pods for _, pods in wanted) if wish < self._pods else wish)

    @property
    def _pods(self) -> int:
        return self._ready + self._starting

    def _wish(self, scaler: Autoscaler, used_before_s: float, ready_before_s: float) -> int:
        """Return how many pods the autoscaler wants."""
        ready_s = self._ready_s - ready_before_s
        if not ready_s:  # nobody was ready, so there is no use to look at: a waiting request takes the first pod
            wish = max(1 if self._queue else 0, self._pods)
        else:
            share = (self._used_s - used_before_s) / (ready_s * self._pod.servers)
            times = share / scaler.target
            wish = self._pods if abs(times - 1) <= scaler.tolerance else math.ceil(self._ready * times - 1e-9)
            wish = max(wish, self._pods) if times > 1 else wish
        fastest = self._pods + max(self._pods, FASTEST_PODS)
        return min(max(wish, scaler.least), scaler.most, fastest)

    def _scale(self, pods: int) -> None:
        for _ in range(pods - self._pods):
            self._starting += 1
            self.env.process(self._start())
        if pods < self._pods:  # those that work end their requests first, which `_serve` lets them
            self._ready = max(pods - self._starting, 0)
        self._most_pods = max(self._most_pods, self._pods)

    def _start(self) -> Event:
        yield self.env.timeout(self._pod.start_s)
        self._count()
        self._starting -= 1
        self._ready += 1
        self._serve()

    def outcome(self, requests: int) -> Outcome:
        self._count()
        return Outcome(
            requests=requests,
            missed=self._missed,
            gave_up=self._gave_up,
            waits_s=tuple(self._waits_s),
            last_missed_s=self._last_missed_s,
            most_pods=self._most_pods,
            pod_s=self._pods_s,
        )


def waiting_of_erlang(servers: int, rate_rps: float, service_s: float) -> float:
    """Return the mean time that a request waits in the queue M/M/c, in seconds (Erlang 1917).

    Infinite if more work comes than so many servers can do.
    """
    offered = rate_rps * service_s
    if offered >= servers:
        return math.inf
    blocked = 1.0  # Erlang B, by its recursion
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    waits = blocked / (1 - offered / servers * (1 - blocked))  # Erlang C: the share that waits at all
    return waits * service_s / (servers - offered)
