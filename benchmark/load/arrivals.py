"""Arrival schedules of an open loop: requests arrive at scheduled times, independent of the service."""

import math
import random
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

from benchmark.errors import ShapeError
from benchmark.load.plan import Arrivals, LoggedBodies, Scheduled
from benchmark.load.replayed_log import read_log


def poisson_arrivals(rate_rps: float, seed: int, ramp_s: float = 0.0) -> Iterator[float]:
    """Yield the arrival times of a Poisson process in seconds from its start; a seed gives the same times again.

    Independent exponential gaps (Kingman, Poisson Processes, 1993, section 4.1). Several such processes together are
    again a Poisson process with the sum of their rates. With a ramp, the rate rises linearly from 0 within it: the
    times are those of the even process, stretched by the inverse of the expected count (the same, section 4.5).
    """
    draw = random.Random(seed)
    t_s = 0.0
    while True:
        t_s += draw.expovariate(rate_rps)
        yield t_s + ramp_s / 2 if t_s >= ramp_s / 2 else math.sqrt(2 * ramp_s * t_s)


def arrivals_until(rate_rps: float, seed: int, seconds: float, ramp_s: float = 0.0) -> list[float]:
    """Return the arrivals of a Poisson process in its first `seconds`."""
    return list(takewhile(lambda t_s: t_s < seconds, poisson_arrivals(rate_rps, seed, ramp_s)))


def times_of(load: Arrivals | Scheduled) -> list[float]:
    """Return when the requests of a load are due, in seconds since its warm-up began."""
    if isinstance(load, Scheduled):
        return list(load.at_s)
    end_s = load.warmup_s + load.measure_s
    starts_s = [0.0, *(from_s for from_s, _ in load.later), end_s]
    due_s = arrivals_until(load.rate_rps, load.seed, starts_s[1], load.ramp_s)
    # A Poisson process has no memory, so that of a new rate begins anew, with random numbers of its own.
    for place, (from_s, rate_rps) in enumerate(load.later, 1):
        seed, lasts_s = load.seed * 100_003 + place, starts_s[place + 1] - from_s
        due_s += [from_s + t_s for t_s in arrivals_until(rate_rps, seed, lasts_s)]
    return due_s


def read_bodies(logged: Iterable[LoggedBodies]) -> dict[int, bytes | None]:
    """Return by its number what each request sends that replays a log; one without a body has None. Raises ShapeError.

    The order is that of the log, so that each body goes with the time of its own request.
    """
    found: dict[int, bytes | None] = {}
    for each in logged:
        bodies = read_log(Path(each.log), with_bodies=True).bodies
        if len(bodies) != each.count:
            raise ShapeError(f"the log {each.log} held {each.count} requests, and now it holds {len(bodies)}")
        found |= {each.first + place: None if body is None else body.encode() for place, body in enumerate(bodies)}
    return found
