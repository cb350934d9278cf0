"""The true capacity of a service law: what a search must find."""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import optimize, stats

from tests.capacity.laws import LAWS, Floats, Law


@cache
def true_capacity_rps(name: str) -> float:
    """Return the rate at which the share of late or refused requests in the long run is just what is allowed.

    Exact for the gate (the mean excess of a Poisson number) and for M/M/4 (the sojourn time: Erlang C); for one server
    with any service time, by a very long run of Lindley's recursion with common random numbers.
    """
    law = LAWS[name]
    if law.draw is None:
        most, period_s, _ = law.gate
        return _root(lambda rate: _refused(rate * period_s, most) - law.allowed, 0.2 * most / period_s, most / period_s)
    if law.servers > 1:
        return _root(lambda rate: late_mmc(rate, 40.0, law.servers, law.limit_ms / 1e3) - law.allowed, 60.0, 159.9)
    gaps, service_s = _long_run(law)
    busiest_rps = 1 / float(service_s.mean())
    return _root(
        lambda rate: late_share_of_one(gaps / rate, service_s, law.limit_ms / 1e3) - law.allowed,
        0.5 * busiest_rps,
        0.98 * busiest_rps,
    )


def late_mmc(rate_rps: float, served_rps: float, servers: int, limit_s: float) -> float:
    """Return the share of sojourn times above a limit in M/M/c: waiting with Erlang's C, then service."""
    load = rate_rps / served_rps
    waits = stats.poisson.pmf(servers, load) / (
        stats.poisson.pmf(servers, load) + (1 - load / servers) * stats.poisson.cdf(servers - 1, load)
    )
    spare, own = servers * served_rps - rate_rps, served_rps  # P(W > t) = waits e^(-spare t), service e^(-own t)
    at_once = np.exp(-own * limit_s)
    waiting = (spare * np.exp(-own * limit_s) - own * np.exp(-spare * limit_s)) / (spare - own)
    return float((1 - waits) * at_once + waits * waiting)


def late_share_of_one(gaps_s: Floats, service_s: Floats, limit_s: float) -> float:
    """Return the share of sojourn times above a limit behind one server: Lindley's recursion, all at once."""
    arrive_s, done_s = np.cumsum(gaps_s), np.cumsum(service_s)
    leave_s = np.maximum.accumulate(arrive_s - (done_s - service_s)) + done_s
    return float(np.mean(leave_s - arrive_s >= limit_s))


def _long_run(law: Law, requests: int = 4_000_000) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(2026)
    assert law.draw is not None
    return rng.exponential(1.0, requests), law.draw(rng, requests)


def _refused(mean: float, most: int) -> float:
    """Return the share of a Poisson number beyond the most."""
    excess = mean * stats.poisson.sf(most - 1, mean) - most * stats.poisson.sf(most, mean)
    return float(excess / mean)


def _root(miss: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(miss, low, high, xtol=1e-3))
