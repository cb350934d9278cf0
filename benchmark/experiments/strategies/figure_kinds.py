"""The figures that laws are about. A folder of strategies/ may make further ones of its service's statistics."""

import math
from collections.abc import Callable
from statistics import fmean
from typing import Final

from benchmark.experiments.strategies import observed
from benchmark.experiments.strategies.law import Figure
from benchmark.experiments.strategies.observed import Observed

MAKESPAN: Final = Figure("makespan_ms", "ms", observed.makespan_ms)
MEAN: Final = Figure("mean_ms", "ms", observed.mean_ms)
MEDIAN: Final = Figure("median_ms", "ms", observed.median_ms)
P99: Final = Figure("p99_ms", "ms", observed.p99_ms)
WORST: Final = Figure("worst_ms", "ms", observed.worst_ms)
ACCEPTED_MEAN: Final = Figure("accepted_mean_ms", "ms", observed.accepted_mean_ms)  # until the first response
ACCEPTED_P99: Final = Figure("accepted_p99_ms", "ms", observed.accepted_p99_ms)
ACCEPTED_WORST: Final = Figure("accepted_worst_ms", "ms", observed.accepted_worst_ms)
RATE: Final = Figure("rate_rps", "requests/s", observed.rate_rps)
ITEMS: Final = Figure("items_per_s", "rows/s", observed.items_per_s)
FAILURES: Final = Figure("failures", "requests", observed.failures)
CPU: Final = Figure("cpu_ms", "ms CPU per answer", observed.cpu_ms)
CORE_SHARE: Final = Figure("cpu_pct", "% of a core", observed.cpu_share)
MEMORY: Final = Figure("pss_mb", "MB", observed.pss_mb)


def said(key: str, unit: str = "") -> Figure:
    """Return what a service's statistics hold under a key at the end of the window, or a computation printed."""

    def value(seen: Observed) -> float | None:
        return float(seen.after[key]) if seen.after.get(key) is not None else None

    return Figure(key, unit, value)


def counted(key: str, unit: str = "") -> Figure:
    """Return by how much a counter in a service's statistics grew within the window."""

    def growth(seen: Observed) -> float | None:
        return _growth(seen, key)

    return Figure(key, unit, growth)


def share(key: str, *others: str) -> Figure:
    """Return the share of one counter's growth in its own and that of others together: hits of hits and misses."""

    def part(seen: Observed) -> float | None:
        grown = [_growth(seen, each) for each in (key, *others)]
        known = [each for each in grown if each is not None]
        whole = math.fsum(known)
        return known[0] / whole if len(known) == len(grown) and whole else None

    return Figure(f"{key}_share", "", part)


def per(key: str, other: str, unit: str = "") -> Figure:
    """Return how much one counter grew per growth of another: rows per batch."""

    def quotient(seen: Observed) -> float | None:
        above, below = _growth(seen, key), _growth(seen, other)
        return above / below if above is not None and below else None

    return Figure(f"{key}_per_{other}", unit, quotient)


def mean_over_time(key: str, unit: str = "") -> Figure:
    """Return the mean of a gauge in a service's statistics while its load was watched."""
    return _of_series(f"mean_{key}", unit, key, fmean)


def peak_over_time(key: str, unit: str = "") -> Figure:
    """Return the largest value of a gauge in a service's statistics while its load was watched."""
    return _of_series(f"peak_{key}", unit, key, max)


def _of_series(name: str, unit: str, key: str, of: Callable[[list[float]], float]) -> Figure:
    def value(seen: Observed) -> float | None:
        known = [float(said[key]) for _, said in seen.series if said.get(key) is not None]
        return of(known) if known else None

    return Figure(name, unit, value)


def _growth(seen: Observed, key: str) -> float | None:
    """Return by how much a counter grew; None if the statistics could not be read at one end of the window."""
    if seen.after.get(key) is None or not seen.before:
        return None
    return float(seen.after[key]) - float(seen.before.get(key) or 0)
