"""What the figures of a run are drawn from, as CSV."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from benchmark.experiments.breaking_point.summarise import BreakingPointEntry
from benchmark.report.charts.data import as_csv

_SHARES: Final = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)  # of a tail


def points_csv(points: Mapping[str, BreakingPointEntry]) -> str:
    """Return the breaking points with their intervals, and the rates that were held."""
    return as_csv(
        ["name", "requests/s", "low", "high", "held for the whole example", "where the load test broke"],
        [(name, each.rps, *each.ci95, each.held_users, each.ramp_rps) for name, each in points.items()],
    )


def tries_csv(points: Mapping[str, BreakingPointEntry]) -> str:
    """Return the rates that were tried, in their order."""
    return as_csv(
        ["name", "try", "requests/s", "sustained"],
        [
            (name, i, each.rps, each.sustained)
            for name, point in points.items()
            for i, each in enumerate(point.tries, 1)
        ],
    )


def courses_csv(columns: Sequence[str], courses: Mapping[str, Sequence[np.ndarray]]) -> str:
    """Return arrays over time, those of each contender below each other; nothing where there was no answer."""
    return as_csv(
        ["name", *columns],
        [
            (name, *("" if np.isnan(value) else float(value) for value in row))
            for name, arrays in courses.items()
            for row in zip(*arrays, strict=True)
        ],
    )


def tails_csv(tails: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """Return the time that some shares of the requests exceeded, where there are as many requests."""
    return as_csv(
        ["name", "loop", "share of requests", "took longer than [ms]"],
        [
            (name, loop, share, float(latencies[round((1 - share) * latencies.size)]))
            for name, loops in tails.items()
            for loop, latencies in loops.items()
            for share in _SHARES
            if share * latencies.size >= 1
        ],
    )
