"""The laws of the strategies: pure functions from parameters, and from the very arrivals of a run, to figures."""

import heapq
import math
from collections.abc import Iterable, Sequence


def makespan_ms(tasks: int, servers: int, service_ms: float) -> float:
    """Return how long equal tasks take that all arrive at once: ceil(tasks / servers) rounds."""
    return math.ceil(tasks / servers) * service_ms


def closed_rate_rps(servers: int, service_ms: float) -> float:
    """Return the rate of servers that are always busy."""
    return servers * 1e3 / service_ms


def waits_ms(arrivals_s: Iterable[float], services_ms: Sequence[float] | float, servers: int = 1) -> list[float]:
    """Return how long each arrival waits for the first free of several servers, first come, first served.

    The recursion of Kiefer and Wolfowitz (1955), which for one server is Lindley's (1952).
    """
    free_s = [0.0] * servers
    waits = []
    for number, at_s in enumerate(arrivals_s):
        service_ms = services_ms if isinstance(services_ms, float | int) else services_ms[number]
        start_s = max(at_s, heapq.heappop(free_s))
        heapq.heappush(free_s, start_s + service_ms / 1e3)
        waits.append((start_s - at_s) * 1e3)
    return waits


def mean_in_turn_ms(tasks: int, servers: int, service_ms: float) -> float:
    """Return the mean time of equal tasks that all arrive at once, first come, first served."""
    return sum(makespan_ms(place, servers, service_ms) for place in range(1, tasks + 1)) / tasks


def mean_shared_ms(tasks: int, cores: int, service_ms: float) -> float:
    """Return the mean time of equal tasks that all start at once and share the cores evenly: all end together."""
    return max(tasks / cores, 1.0) * service_ms


def waits_by_class_ms(arrivals_s: Sequence[float], classes: Sequence[int], service_ms: float) -> list[float]:
    """Return how long each arrival waits for one server that takes the lowest class first, and interrupts nothing.

    Within a class it is first come, first served: the queue of Cobham (1954), for the very arrivals.
    """
    waiting: list[tuple[int, int]] = []
    waits, free_s, come = [0.0] * len(arrivals_s), 0.0, 0
    while waiting or come < len(arrivals_s):
        if not waiting:
            free_s = max(free_s, arrivals_s[come])
        while come < len(arrivals_s) and arrivals_s[come] <= free_s:
            heapq.heappush(waiting, (classes[come], come))
            come += 1
        _, number = heapq.heappop(waiting)
        waits[number] = (free_s - arrivals_s[number]) * 1e3
        free_s += service_ms / 1e3
    return waits
