"""What the rules of micro-batching come to: the queue for given arrivals, and AIMD in the long run. Pure functions."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batched:
    """What became of given arrivals."""

    latencies_ms: Sequence[float | None]  # by arrival; None if it was refused
    batches: Sequence[tuple[float, int]]  # start in seconds, and size, of each

    def mean_ms(self, arrivals_s: Sequence[float], from_s: float = 0.0) -> float:
        """Return the mean latency of those that arrived at or after a time, without the refused ones."""
        found = [
            ms for at_s, ms in zip(arrivals_s, self.latencies_ms, strict=True) if at_s >= from_s and ms is not None
        ]
        return math.fsum(found) / len(found)

    def refused(self, arrivals_s: Sequence[float], from_s: float = 0.0) -> int:
        """Return how many of those that arrived at or after a time were refused."""
        return sum(at_s >= from_s and ms is None for at_s, ms in zip(arrivals_s, self.latencies_ms, strict=True))

    def mean_size(self, from_s: float = 0.0) -> float:
        """Return the mean size of the batches that start at or after a time."""
        sizes = [size for start_s, size in self.batches if start_s >= from_s]
        return sum(sizes) / len(sizes)


def batched(
    arrivals_s: Sequence[float],
    cost_ms: Callable[[int], float],
    max_batch_size: int,
    timeout_ms: float = 0.0,
    places: float = math.inf,
) -> Batched:
    """Return what one thread does with arrivals, by the rule of TensorFlow Serving.

    A batch starts when the thread is free and it is either full or its oldest item has waited for the timeout. An
    arrival that finds all `places` of the queue taken is refused.
    """
    latencies_ms: list[float | None] = [None] * len(arrivals_s)
    batches: list[tuple[float, int]] = []
    waiting: deque[int] = deque()
    free_s, coming = 0.0, 0
    while coming < len(arrivals_s) or waiting:
        if not waiting:
            waiting.append(coming)
            coming += 1
        # A queue that is full already was so before the thread became free.
        due_s = 0.0 if len(waiting) >= max_batch_size else arrivals_s[waiting[0]] + timeout_ms / 1e3
        start_s = max(free_s, due_s, arrivals_s[waiting[0]])
        while coming < len(arrivals_s) and arrivals_s[coming] <= start_s:
            if len(waiting) < places:
                waiting.append(coming)
                if len(waiting) == max_batch_size:
                    start_s = max(free_s, arrivals_s[coming])
            coming += 1
        batch = [waiting.popleft() for _ in range(min(len(waiting), max_batch_size))]
        free_s = start_s + cost_ms(len(batch)) / 1e3
        batches.append((start_s, len(batch)))
        for each in batch:
            latencies_ms[each] = (free_s - arrivals_s[each]) * 1e3
    return Batched(latencies_ms, batches)


def greedy_batch_size(rate_rps: float, fixed_ms: float, item_ms: float) -> float:
    """Return the mean batch without a timeout, once the thread is always busy: what arrives during a batch is the next.

    From n = rate (fixed + item n).
    """
    return rate_rps * fixed_ms / 1e3 / (1 - rate_rps * item_ms / 1e3)


def aimd_in_the_long_run(
    slo_ms: float, cost_ms: Callable[[int], float], noise: float, largest: int
) -> tuple[float, float]:
    """Return the mean batch size of AIMD under full load, and the share of batches that are late.

    The time of a batch varies uniformly by a share `noise` on both sides of its cost. The sizes are a Markov chain: a
    size is followed by one of two more below 90 % of the objective, and by a tenth fewer above it. The stationary
    distribution of those that are visited in the long run gives both figures.
    """
    moves = np.zeros((largest + 1, largest + 1))
    late = np.zeros(largest + 1)
    for size in range(1, largest + 1):
        low_ms, high_ms = cost_ms(size) * (1 - noise), cost_ms(size) * (1 + noise)
        grows = min(max((0.9 * slo_ms - low_ms) / (high_ms - low_ms), 0.0), 1.0)
        late[size] = min(max((high_ms - slo_ms) / (high_ms - low_ms), 0.0), 1.0)
        moves[size, min(size + 2, largest)] += grows
        moves[size, max(math.floor(0.9 * size), 1)] += late[size]
        moves[size, size] += 1 - grows - late[size]
    start = np.zeros(largest + 1)
    start[1] = 1.0
    visited = start @ np.linalg.matrix_power(moves, 1 << 20)
    return float(visited @ np.arange(largest + 1)), float(visited @ late)
