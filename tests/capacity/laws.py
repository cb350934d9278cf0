"""Service laws of known capacity: how long a request takes there, when another comes before it."""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator


class Server(Protocol):
    """What answers one request after the other."""

    def answer(self, arrives_s: float) -> tuple[float, bool]:
        """Return when the answer to a request is due, and whether it is refused; arrivals come in order."""


class Queue:
    """First come, first served, by so many servers."""

    def __init__(self, servers: int, service_s: Callable[[], float]) -> None:
        self._free_s, self._service_s = [0.0] * servers, service_s

    def answer(self, arrives_s: float) -> tuple[float, bool]:
        done_s = max(arrives_s, heapq.heappop(self._free_s)) + self._service_s()
        heapq.heappush(self._free_s, done_s)
        return done_s, False


class Gate:
    """Answers at once, but lets in only so many requests in each period of the clock; the others are refused."""

    def __init__(self, most: int, period_s: float, service_s: float) -> None:
        self._most, self._period_s, self._service_s = most, period_s, service_s
        self._period, self._seen = -1, 0

    def answer(self, arrives_s: float) -> tuple[float, bool]:
        period = int(arrives_s / self._period_s)
        self._seen = self._seen + 1 if period == self._period else 1
        self._period = period
        return arrives_s + self._service_s, self._seen > self._most


@dataclass(frozen=True)
class Law:
    """A law with its promise. `draw` gives service times in seconds; without it there is a gate."""

    promise: str
    limit_ms: float
    servers: int = 1
    draw: Callable[[Rng, int], Floats] | None = None
    gate: tuple[int, float, float] = (0, 0.0, 0.0)  # most, period, service time
    allowed: float = 0.01

    def server(self, seed: int) -> Server:
        """Return a server that follows the law."""
        if self.draw is None:
            return Gate(*self.gate)
        draw, rng, ready = self.draw, np.random.default_rng(seed), list[float]()

        def service_s() -> float:
            if not ready:
                ready.extend(draw(rng, 1000).tolist())
            return ready.pop()

        return Queue(self.servers, service_s)


def _bimodal(rng: Rng, n: int) -> Floats:
    return np.where(rng.random(n) < 0.9, 0.002, 0.01)


LAWS = {
    "M/D/1": Law("p99<60ms", 60.0, draw=lambda _, n: np.full(n, 0.004)),
    "M/M/4": Law("p99<200ms", 200.0, servers=4, draw=lambda rng, n: rng.exponential(0.025, n)),
    "bimodal": Law("p99<60ms", 60.0, draw=_bimodal),
    "limit": Law("errors<1%", np.inf, gate=(25, 0.1, 0.005)),
}


def latencies_s(law: Law, arrive_s: Sequence[float], seed: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return how long each request takes, and whether it is refused."""
    server = law.server(seed)
    answers = [server.answer(at_s) for at_s in arrive_s]
    done_s = np.array([done for done, _ in answers])
    return done_s - np.asarray(arrive_s), np.array([refused for _, refused in answers], dtype=bool)
