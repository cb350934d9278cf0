"""How many items a batch may hold: a fixed number, or one that follows from how long batches take.

The two adaptive rules are those of Clipper (Crankshaw et al., NSDI 2017), as its first version (clipper-v0) has them.
"""

import math
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
from scipy.optimize import linprog

_BACK_OFF: Final = 0.9
_QUANTILE: Final = 0.99


class Sizing(Protocol):
    """A rule for the size of batches."""

    limit: int  # items that the next batch may hold

    def note(self, size: int, took_ms: float) -> None:
        """Learn from a batch that has run."""


class FixedSize:
    """The same for every batch."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def note(self, size: int, took_ms: float) -> None:
        """Learn nothing."""


class Aimd:
    """Additive increase, multiplicative decrease, as TCP has it for its window.

    A batch that took less than `hold_from` of the objective is followed by one of `step` more items; one that took
    longer than the objective by one of a tenth fewer; in between the size stays. The size is that of the batch that
    ran, so that under a light load the limit stays near what the load needs.
    """

    def __init__(self, slo_ms: float, largest: int, step: int = 2, hold_from: float = 0.9) -> None:
        self.limit = 1
        self._slo_ms, self._largest, self._step, self._hold_from = slo_ms, largest, step, hold_from

    def note(self, size: int, took_ms: float) -> None:
        if took_ms > self._slo_ms:
            self.limit = max(math.floor(_BACK_OFF * size), 1)
        elif took_ms <= self._hold_from * self._slo_ms:
            self.limit = min(size + self._step, self._largest)
        else:
            self.limit = size


class QuantileRegression:
    """Explores with AIMD, then fits the 99th percentile of latency over size once, and keeps the size that follows."""

    def __init__(self, slo_ms: float, largest: int, samples: int = 500) -> None:
        self.limit = 1
        self.fitted = False
        self._slo_ms, self._largest, self._samples = slo_ms, largest, samples
        self._exploring = Aimd(slo_ms, largest)
        self._sizes: list[int] = []
        self._took_ms: list[float] = []

    def note(self, size: int, took_ms: float) -> None:
        if self.fitted:
            return
        self._sizes.append(size)
        self._took_ms.append(took_ms)
        self._exploring.note(size, took_ms)
        self.limit = self._exploring.limit
        if len(self._sizes) > self._samples and len(set(self._sizes[1:])) > 1:
            self._fit()

    def _fit(self) -> None:
        fixed_ms, item_ms = quantile_line(self._sizes[1:], self._took_ms[1:], _QUANTILE)  # the first call warms up
        if item_ms > 0:
            self.limit = min(max(round((self._slo_ms - fixed_ms) / item_ms), 1), self._largest)
            self.fitted = True


def quantile_line(sizes: Sequence[int], took_ms: Sequence[float], quantile: float) -> tuple[float, float]:
    """Return the fixed part and the part per item of a quantile of latency.

    Quantile regression (Koenker and Bassett 1978) as a linear programme: what lies above the line costs `quantile`
    per unit, what lies below it the rest.
    """
    count = len(sizes)
    costs = np.concatenate(([0.0, 0.0], np.full(count, quantile), np.full(count, 1 - quantile)))
    line = np.column_stack((np.ones(count), np.asarray(sizes, dtype=float)))
    equations = np.hstack((line, np.eye(count), -np.eye(count)))
    bounds = [(None, None)] * 2 + [(0, None)] * (2 * count)
    solved = linprog(costs, A_eq=equations, b_eq=np.asarray(took_ms, dtype=float), bounds=bounds, method="highs")
    if solved.x is None:
        raise ArithmeticError(f"no quantile line: {solved.message}")
    fixed_ms, item_ms = solved.x[:2]
    return float(fixed_ms), float(item_ms)
