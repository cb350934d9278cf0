"""Decides whether a change exceeds a limit, while pairs of blocks are still being measured. Pure functions.

Looking at an ordinary 95 % interval after every pair finds a difference that is not there far more often than in 5 %
of the runs. Here the error is shared out among the looks by an alpha-spending function: Lan and DeMets, Discrete
sequential boundaries for clinical trials, Biometrika 70 (1983), with the power family (rho = 2) of Kim and DeMets,
Biometrika 74 (1987). What is spent depends on the time that has passed, never on what was seen (Lan and DeMets 1989,
calendar time). The bounds come from the recursive integration of Armitage, McPherson and Rowe (1969), as levels of
significance; these are applied to Student's t (Jennison and Turnbull, Group Sequential Methods, 2000, section 11.4).
Student's t is an approximation there; doc/measurement.md shows by simulation what it comes to.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from benchmark.analysis.stats import CONFIDENCE

FIRST_LOOK: Final = 4  # pairs; with fewer, Student's t would show nothing but a catastrophe
_EVERY: Final = 0.05  # later looks: when so many more pairs were measured, as a share
_RHO: Final = 2.0
_STEP: Final = 0.2  # of the grid, in standard deviations of what is added between two looks
_REACH: Final = 8.0  # of the grid, in standard deviations
_LEAST: Final = 1e-14  # a level below it cannot be told from none
_MAX_LOG: Final = 700.0  # keeps exp() from overflowing


class Decision(StrEnum):
    """What is known of a change."""

    WORSE = "worse than allowed"
    NOT_WORSE = "not worse than allowed"
    OPEN = "cannot be told"


@dataclass(frozen=True)
class Look:
    """A moment at which the pairs so far are judged. `time_share` is the share of the time budget that has passed; at
    the last look it counts as 1."""

    pairs: int
    time_share: float


@dataclass(frozen=True)
class Decided:
    """What became of one figure: the change is `share` (0.05 for 5 % worse), between `low` and `high`."""

    decision: Decision
    pairs: int  # that were judged when it was decided, or at the last look
    share: float
    low: float | None
    high: float | None
    could_show: float | None  # the smallest change that would just have been shown at that look


class Bounds:
    """The levels of significance of successive looks: one-sided, so that all of them together err in `alpha`."""

    def __init__(self, alpha: float) -> None:
        self._alpha = alpha
        self._pairs, self._spent = 0, 0.0
        self._grid: NDArray[np.float64] = np.zeros(1)
        self._weights: NDArray[np.float64] = np.ones(1)  # the chance to be there without having crossed a bound

    def level(self, look: Look) -> float:
        """Return the level of the next look; 0 if there is nothing to spend yet."""
        due = self._alpha * min(look.time_share, 1.0) ** _RHO
        spend, added = max(due - self._spent, 0.0), look.pairs - self._pairs
        if added <= 0:
            raise ValueError(f"a look at {look.pairs} pairs after one at {self._pairs}")
        root = math.sqrt(added)

        def beyond(bound: float) -> float:
            return float(self._weights @ stats.norm.sf((bound - self._grid) / root))

        limit = _REACH * math.sqrt(look.pairs)
        bound = limit if spend <= _LEAST else optimize.brentq(lambda b: beyond(b) - spend, -limit, 2 * limit)
        self._advance(look.pairs, float(bound), root)
        self._spent = max(due, self._spent)
        return float(stats.norm.sf(bound / math.sqrt(look.pairs))) if spend > _LEAST else 0.0

    def _advance(self, pairs: int, bound: float, root: float) -> None:
        lowest, step = -_REACH * math.sqrt(pairs), _STEP * root
        points = max(math.ceil((bound - lowest) / step), 2)
        grid = np.linspace(lowest, bound, points)
        density = (
            np.exp(-0.5 * ((grid[:, None] - self._grid) / root) ** 2) @ self._weights / (root * math.sqrt(math.tau))
        )
        widths = np.full(points, grid[1] - grid[0])
        widths[[0, -1]] /= 2  # the trapezium rule
        self._grid, self._weights, self._pairs = grid, density * widths, pairs


def levels(looks: Sequence[Look], figures: int = 1, confidence: float = CONFIDENCE) -> list[float]:
    """Return the one-sided level of each look. All `figures` hold together: Bonferroni."""
    bounds = Bounds((1 - confidence) / 2 / figures)
    return [bounds.level(look) for look in looks]


def is_due(pairs: int, before: int) -> bool:
    """Whether to look after so many pairs, if the look before was after `before` pairs; 0 if there was none."""
    return pairs >= max(FIRST_LOOK, before + 1, math.ceil(before * (1 + _EVERY)))


def decide(log_ratios: Sequence[float], looks: Sequence[Look], at: Sequence[float], allowed: float) -> Decided:
    """Return what the looks decide. `log_ratios` are those of the pairs, above 0 if the change is for the worse.

    `at` are the levels of the looks. What is decided at one look stays decided. `allowed` is a share.
    """
    limit, found = math.log1p(allowed), Decided(Decision.OPEN, 0, 0.0, None, None, None)
    for look, level in zip(looks, at, strict=True):
        found = _judge(log_ratios[: look.pairs], level, limit)
        if found.decision is not Decision.OPEN:
            break
    return found


def all_decided(found: Iterable[Decided]) -> bool:
    return all(each.decision is not Decision.OPEN for each in found)


def _judge(logs: Sequence[float], level: float, limit: float) -> Decided:
    n = len(logs)
    mean = math.fsum(logs) / n
    if n < 2 or not level:
        return Decided(Decision.OPEN, n, math.expm1(mean), None, None, None)
    half = _quantile(level, n - 1) * float(np.std(logs, ddof=1)) / math.sqrt(n)
    low, high = mean - half, mean + half
    decision = Decision.WORSE if low > limit else Decision.NOT_WORSE if high <= limit else Decision.OPEN
    return Decided(decision, n, math.expm1(mean), *map(_share, (low, high, limit + half)))


@cache
def _quantile(level: float, freedom: int) -> float:
    return float(stats.t.isf(level, freedom))


def _share(log: float) -> float:
    return math.expm1(min(log, _MAX_LOG))
