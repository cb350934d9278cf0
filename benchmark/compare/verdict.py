"""Whether the second of two sets of block values is faster, slower, or shows no difference: pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from benchmark.compare.figures import Figure
from benchmark.stats import CONFIDENCE, Interval, holm
from benchmark.summary import MIN_CLAIM

Verdict = Literal["faster", "slower", "no difference shown", "INVALID"]


@dataclass(frozen=True)
class Comparison:
    """One figure of two contenders."""

    contender: str  # `async`, or `sync → async` where two are compared
    figure: Figure  # of A
    a: float  # mean over blocks
    b: float
    ratio: Interval  # B / A
    verdict: Verdict

    @property
    def slower_by(self) -> float:
        """By which share B is slower than A, negative if it is faster: of the time, or of the time per request."""
        return self.ratio.value - 1 if self.figure.lower_is_better else 1 / self.ratio.value - 1


def compare_figures(pairs: Sequence[tuple[str, Mapping[str, Figure], Mapping[str, Figure]]]) -> list[Comparison]:
    """Return the comparison of every figure that both sides have; each pair is (name, figures of A, figures of B).

    A difference is shown if it survives Holm's correction for the number of VALID figures and is at
    least 2 %: otherwise among many figures one would differ by chance.
    """
    both = [
        (name, figure, b[key])
        for name, a, b in pairs
        for key, figure in a.items()
        if key in b and _usable(figure) and _usable(b[key])
    ]
    counted = [place for place, (_, a, b) in enumerate(both) if a.valid and b.valid]
    p_values = [welch_p_value(both[place][1].values, both[place][2].values) for place in counted]
    shown = {place for place, each in zip(counted, holm(p_values), strict=True) if each}
    return [
        _comparison(name, a, b, counted=place in counted, shown=place in shown)
        for place, (name, a, b) in enumerate(both)
    ]


def welch_ratio(a: Sequence[float], b: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Return B / A of two independent sets of blocks, by their geometric means, with its interval.

    Welch's t on the logarithms, with Satterthwaite's degrees of freedom (Welch 1947): the blocks of
    two runs are not paired, and one run may scatter more than the other. No interval from single blocks.
    """
    ratio = math.exp(math.fsum(map(math.log, b)) / len(b) - math.fsum(map(math.log, a)) / len(a))
    if not _has_spread(a, b):
        return Interval(ratio, None, None)
    ends = stats.ttest_ind(np.log(b), np.log(a), equal_var=False).confidence_interval(confidence)
    return Interval(ratio, math.exp(float(ends.low)), math.exp(float(ends.high)))


def welch_p_value(a: Sequence[float], b: Sequence[float]) -> float:
    """Return how likely the logarithms would lie so far apart if there were no difference; 1 from single blocks."""
    if not _has_spread(a, b):
        return 1.0
    return float(stats.ttest_ind(np.log(b), np.log(a), equal_var=False).pvalue)


def sentence(comparisons: Sequence[Comparison]) -> str:
    """Return all verdicts in one sentence, from the point of view of B."""
    counted = [each for each in comparisons if each.verdict != "INVALID"]
    shown = [each for each in counted if each.verdict != "no difference shown"]
    invalid = len(comparisons) - len(counted)
    left_out = f" ({invalid} INVALID left out)" if invalid else ""
    if not counted:
        return f"Nothing is compared: no figure is VALID in both{left_out}."
    if not shown:
        return f"No difference is shown in {_figures(len(counted))}{left_out}."
    faster = sum(each.verdict == "faster" for each in shown)
    largest = max(shown, key=lambda each: abs(math.log(each.ratio.value)))
    return (
        f"B is faster in {faster} and slower in {len(shown) - faster} of {_figures(len(counted))}{left_out}. "
        f"The largest difference: {largest.contender}, {largest.figure.name}, {largest.ratio.value:.3g} times A's."
    )


def _comparison(name: str, a: Figure, b: Figure, counted: bool, shown: bool) -> Comparison:
    ratio = welch_ratio(a.values, b.values)
    verdict: Verdict = "INVALID"
    if counted:
        better = (ratio.value < 1) == a.lower_is_better
        claimed = shown and abs(ratio.value - 1) >= MIN_CLAIM
        verdict = "no difference shown" if not claimed else "faster" if better else "slower"
    return Comparison(name, a, _mean(a.values), _mean(b.values), ratio, verdict)


def _usable(figure: Figure) -> bool:
    return bool(figure.values) and all(value > 0 for value in figure.values)


def _has_spread(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether both have several blocks, and they are not all alike, so that there is a t to speak of."""
    return min(len(a), len(b)) > 1 and float(np.std(np.log(a)) + np.std(np.log(b))) > 1e-12


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _figures(count: int) -> str:
    return "1 figure" if count == 1 else f"{count} figures"
