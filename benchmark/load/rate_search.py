"""Searches the highest rate that is sustained: offers one rate after the other, each to fresh processes.

What sustained means is the caller's affair. The next rate is higher after a sustained one and lower after a failed
one (up-and-down method: Dixon & Mood, JASA 43, 1948), in steps that get finer at each reversal. A rate that is
sustained once may fail the next time, so the finest step is repeated until there are several crossings: two
consecutive trials of which exactly one was sustained. The highest rate is the one at which half of the trials succeed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, Protocol, TypeVar

import numpy as np

from benchmark.load.slo import BreakingPoint

STEPS = (1.5, 1.2, 1.1, 1.05)
_NEAR = 1  # the first step if the first rate is a good guess
_FAR_AFTER = 3  # after this many trials in one direction the guess was bad: use the coarsest step
MOST_TRIES = 30
LOWEST_RPS, HIGHEST_RPS = 1.0, 5000.0
# Of the logistic curve, per natural logarithm of the rate: the success rate falls from 90 % to 10 % within a factor
# of three (least steep) to within 2 % (steepest). The range is bounded so that few trials have a most likely value.
_STEEPNESS = np.geomspace(4, 200, 30)
_BEYOND, _GRID = 0.5, 2001  # how far beyond the tried rates to search the 50 % point; number of grid points


class Outcome(Protocol):
    """What became of a rate that was tried."""

    @property
    def sustained(self) -> bool: ...

    @property
    def reason(self) -> str:
        """Why it was not; empty if it was."""


OutcomeT = TypeVar("OutcomeT", bound=Outcome)


@dataclass
class Staircase(Generic[OutcomeT]):
    """Chooses the next rate to try, and estimates the highest sustained one from all trials."""

    first_rps: float
    crossings: int  # at the finest step, before it ends
    near: bool = True  # whether the first rate is a good guess
    steps: Sequence[float] = STEPS
    most_tries: int = MOST_TRIES
    lowest_rps: float = LOWEST_RPS
    highest_rps: float = HIGHEST_RPS
    tries: list[tuple[float, OutcomeT]] = field(default_factory=list)
    _step: int = 0
    _finest_since: int | None = None  # the number of the try at which the finest step began

    def __post_init__(self) -> None:
        self._step = min(_NEAR, len(self.steps) - 1) if self.near else 0
        self._finest_since = 0 if self._step == len(self.steps) - 1 else None

    def next_rps(self) -> float | None:
        """Return the next rate to try, or None if the search is complete."""
        if not self.tries:
            return max(self.first_rps, self.lowest_rps)
        rps, outcome = self.tries[-1]
        wanted = rps * self._factor if outcome.sustained else rps / self._factor
        known = self._crossed >= self.crossings or len(self.tries) >= self.most_tries
        return None if known or not self.lowest_rps <= wanted <= self.highest_rps else wanted

    def add(self, rps: float, outcome: OutcomeT) -> None:
        """Add the outcome of a trial."""
        turned = bool(self.tries) and outcome.sustained != self.tries[-1][1].sustained
        self.tries.append((rps, outcome))
        if len(self.tries) == _FAR_AFTER and len({each.sustained for _, each in self.tries}) == 1:
            self._step, self._finest_since = 0, None
        elif turned and self._finest_since is None:
            self._step += 1
            if self._step == len(self.steps) - 1:
                self._finest_since = len(self.tries) - 1

    def point(self) -> BreakingPoint:
        """Return the rate at which half of the trials succeed, or the highest rate tried if none failed."""
        sustained = [rps for rps, outcome in self.tries if outcome.sustained]
        failed = [outcome for _, outcome in self.tries if not outcome.sustained]
        if not failed:
            return BreakingPoint(max(sustained), max(sustained), max(sustained), broke=False, reason="not reached")
        rps, low, high = even_chance([(rps, outcome.sustained) for rps, outcome in self.tries])
        return BreakingPoint(rps, low, high, broke=True, reason=failed[-1].reason)

    @property
    def _factor(self) -> float:
        return self.steps[self._step]

    @property
    def _crossed(self) -> int:
        """How many crossings there were at the finest step."""
        if self._finest_since is None:
            return 0
        outcomes = (outcome.sustained for _, outcome in self.tries[self._finest_since :])
        return sum(before != after for before, after in pairwise(outcomes))


def even_chance(tries: Sequence[tuple[float, bool]]) -> tuple[float, float, float]:
    """Return the rate at which half of the trials succeed, and its 95 % interval.

    Model: the probability of success is a logistic curve of the logarithm of the rate. Its midpoint and steepness
    have flat priors on their logarithms; median and interval come from the midpoint's posterior (as for
    psychometric functions: Kuss, Jaekel & Wichmann, Journal of Vision 5(5), 2005). Few trials determine the steepness
    badly, so fixing it at its most likely value would make the interval too narrow.
    """
    log_rps = np.log([rps for rps, _ in tries])
    signs = np.where([sustained for _, sustained in tries], 1.0, -1.0)
    even = np.linspace(log_rps.min() - _BEYOND, log_rps.max() + _BEYOND, _GRID)
    margins = (even[:, None, None] - log_rps) * signs * _STEEPNESS[:, None]
    likelihood = np.exp(-np.logaddexp(0, -margins).sum(axis=2)).sum(axis=1)  # by middle
    below = np.cumsum(likelihood) / likelihood.sum()
    low, rps, high = np.exp(np.interp([0.025, 0.5, 0.975], below, even))
    return float(rps), float(low), float(high)
