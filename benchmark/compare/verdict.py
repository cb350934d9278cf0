"""The verdict on two sets of block values: B is faster, slower, or not significantly different. Pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from benchmark.analysis.comparable import Comparable
from benchmark.analysis.stats import CONFIDENCE, Interval, holm, holm_levels
from benchmark.analysis.summary import MIN_CLAIM

Verdict = Literal["faster", "slower", "no difference shown", "INVALID"]
Pair = tuple[str, Mapping[str, Comparable], Mapping[str, Comparable]]  # the contender, its figures in A and in B
_MAX_LOG = 700.0  # keeps exp() from overflowing if two blocks differ a lot
_ALIKE = 1e-12  # a smaller difference of logarithms is a rounding error


@dataclass(frozen=True)
class ComparedFigure:
    """One figure, compared between two contenders."""

    contender: str  # `async`, or `sync → async` where two are compared
    figure: Comparable  # of A
    other: Comparable  # of B
    ratio: Interval  # B / A, with the interval that decides the verdict; no interval if INVALID
    confidence: float  # of that interval
    verdict: Verdict

    @property
    def a(self) -> float:
        """The mean over A's blocks."""
        return _mean(self.figure.values)

    @property
    def b(self) -> float:
        """The mean over B's blocks."""
        return _mean(self.other.values)

    @property
    def slower_by(self) -> float:
        """The share by which B is slower than A (time, or time per request); negative if it is faster."""
        return self.slower_interval.value

    @property
    def slower_interval(self) -> Interval:
        """`slower_by` with its interval, derived from `ratio`."""
        shares = [_slower_by(end, self.figure.lower_is_better) for end in self.ratio.as_list() or ()]
        low, high = (min(shares), max(shares)) if shares else (None, None)
        return Interval(_slower_by(self.ratio.value, self.figure.lower_is_better), low, high)

    @property
    def too_small(self) -> bool:
        """Whether there is a significant difference that is too small to be claimed."""
        ends = self.ratio.as_list()
        return self.verdict == "no difference shown" and ends is not None and not ends[0] <= 1 <= ends[1]


def compare_figures(pairs: Sequence[Pair]) -> list[ComparedFigure]:
    """Compare all figures that both sides have.

    A difference is shown if it is significant after Holm's correction for the number of VALID figures and at least
    2 %; without the correction, one of many figures would differ by chance. The interval is that of Holm's step, so
    that it excludes 1 exactly if the difference is significant.
    """
    both = [
        (name, figure, b[key])
        for name, a, b in pairs
        for key, figure in a.items()
        if key in b and usable(figure) and usable(b[key])
    ]
    counted = [place for place, (_, a, b) in enumerate(both) if a.valid and b.valid]
    p_values = [welch_p_value(both[place][1].values, both[place][2].values) for place in counted]
    shown = dict(zip(counted, zip(holm(p_values), holm_levels(p_values), strict=True), strict=True))
    return [_comparison(*each, *shown.get(place, (None, CONFIDENCE))) for place, each in enumerate(both)]


def welch_ratio(a: Sequence[float], b: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return the ratio of the geometric means of two independent sets of blocks, B / A, with its interval.

    Welch's t on the logarithms, with Satterthwaite's degrees of freedom (Welch 1947): the blocks of two runs are not
    paired, and their variances may differ. A single block gives no interval.
    """
    log_ratio, error, freedom = _welch(a, b)
    ratio = math.exp(log_ratio)
    if freedom is None:
        return Interval(ratio, None, None)
    half = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    return Interval(ratio, *(math.exp(min(max(log_ratio + end, -_MAX_LOG), _MAX_LOG)) for end in (-half, half)))


def welch_p_value(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the p-value of Welch's test on the logarithms; 1 from a single block."""
    log_ratio, error, freedom = _welch(a, b)
    if freedom is None:
        return 1.0
    if not error:  # all blocks of each run are equal
        return 1.0 if abs(log_ratio) <= _ALIKE else 0.0
    return float(2 * stats.t.sf(abs(log_ratio) / error, freedom))


def sentence(comparisons: Sequence[ComparedFigure]) -> str:
    """Return a summary of all verdicts, from the point of view of B."""
    counted = [each for each in comparisons if each.verdict != "INVALID"]
    shown = [each for each in counted if each.verdict != "no difference shown"]
    invalid = len(comparisons) - len(counted)
    left_out = f" ({invalid} INVALID left out)" if invalid else ""
    if not counted:
        return f"Nothing was compared: no figure is VALID in both runs{left_out}."
    if not shown:
        return f"No significant difference in {_figures(len(counted))}{left_out}."
    faster = sum(each.verdict == "faster" for each in shown)
    largest = max(shown, key=lambda each: abs(math.log(each.ratio.value)))
    return (
        f"B is faster in {faster} and slower in {len(shown) - faster} of {_figures(len(counted))}{left_out}. "
        f"The largest difference: {largest.contender}, {largest.figure.name}, {largest.ratio.value:.3g} times A's."
    )


def usable(figure: Comparable) -> bool:
    """Whether a figure has values, all above zero, so that ratios are defined."""
    return bool(figure.values) and all(value > 0 for value in figure.values)


def _comparison(name: str, a: Comparable, b: Comparable, shown: bool | None, confidence: float) -> ComparedFigure:
    """Return one comparison; `shown` is None if a figure is INVALID."""
    ratio = welch_ratio(a.values, b.values, confidence)
    if shown is None:
        return ComparedFigure(name, a, b, Interval(ratio.value, None, None), confidence, "INVALID")
    better = (ratio.value < 1) == a.lower_is_better
    claimed = shown and abs(ratio.value - 1) >= MIN_CLAIM
    verdict: Verdict = "no difference shown" if not claimed else "faster" if better else "slower"
    return ComparedFigure(name, a, b, ratio, confidence, verdict)


def _slower_by(ratio: float, lower_is_better: bool) -> float:
    return ratio - 1 if lower_is_better else 1 / ratio - 1


def _welch(a: Sequence[float], b: Sequence[float]) -> tuple[float, float, float | None]:
    """Return the logarithm of B / A, its standard error and the degrees of freedom, None from a single block."""
    logs = [np.log(values) for values in (a, b)]
    log_ratio = math.fsum(logs[1]) / len(b) - math.fsum(logs[0]) / len(a)
    if min(len(a), len(b)) < 2:
        return log_ratio, 0.0, None
    squares = [float(np.var(each, ddof=1)) / each.size for each in logs]
    if math.sqrt(sum(squares)) <= _ALIKE:
        return log_ratio, 0.0, 1.0
    freedom = sum(squares) ** 2 / sum(square**2 / (each.size - 1) for square, each in zip(squares, logs, strict=True))
    return log_ratio, math.sqrt(sum(squares)), freedom


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _figures(count: int) -> str:
    return "1 figure" if count == 1 else f"{count} figures"
