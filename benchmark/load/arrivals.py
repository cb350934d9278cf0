"""Arrival schedules of an open loop: requests arrive at scheduled times, independent of the service."""

import random
from collections.abc import Iterator
from itertools import takewhile


def poisson_arrivals(rate_rps: float, seed: int) -> Iterator[float]:
    """Yield the arrival times of a Poisson process in seconds from its start; a seed gives the same times again.

    Independent exponential gaps (Kingman, Poisson Processes, 1993, section 4.1). Several such processes together are
    again a Poisson process with the sum of their rates.
    """
    draw = random.Random(seed)
    t_s = 0.0
    while True:
        t_s += draw.expovariate(rate_rps)
        yield t_s


def arrivals_until(rate_rps: float, seed: int, seconds: float) -> list[float]:
    """Return the arrivals of a Poisson process in its first `seconds`."""
    return list(takewhile(lambda t_s: t_s < seconds, poisson_arrivals(rate_rps, seed)))
