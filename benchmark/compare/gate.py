"""`--fail-if-slower`: is B slower than A by more than a limit? Yes, no, or undecided. Pure functions.

The gate uses the intervals of the table, and passes only if every figure of A was compared.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from benchmark.analysis.comparable import Comparable
from benchmark.analysis.summary import MIN_CLAIM
from benchmark.compare.verdict import ComparedFigure, Pair, usable

GateAnswer = Literal["slower", "not slower", "cannot tell"]

MAX_BLOCKS = 1_000  # a larger number of blocks would not be useful advice
MAX_SENTENCES = 6
_MAX_NAMES = 3


@dataclass(frozen=True)
class GateOutcome:
    """The result of the gate. It passes only if every figure was compared and none is slower."""

    slower: bool
    passes: bool
    sentences: list[str]


def judge(comparisons: Sequence[ComparedFigure], unseen: Sequence[str], limit: float) -> GateOutcome:
    """Return the result for all figures; `unseen` holds sentences about figures that were not compared.

    `limit` is a share: 0.05 lets B be slower by 5 %.
    """
    valid = [each for each in comparisons if each.verdict != "INVALID"]
    slower = [each for each in valid if answer(each, limit) == "slower"]
    unclear = [each for each in valid if answer(each, limit) == "cannot tell"]
    unclear.sort(key=lambda each: each.slower_by, reverse=True)
    sentences = [_too_slow(each) for each in slower] + [f"cannot tell: {each}" for each in unseen]
    sentences += [cannot_tell(each, limit) for each in unclear[:MAX_SENTENCES]]
    if len(unclear) > MAX_SENTENCES:
        sentences.append(f"cannot tell: {_count(len(unclear) - MAX_SENTENCES, 'other figure')}")
    if len(unclear) > 1:
        sentences.append(f"to decide all of them, measure {_takes([_blocks(each, limit) for each in unclear])}")
    passes = bool(valid) and not (slower or unclear or unseen)
    if passes:
        least = _percent(max(limit, MIN_CLAIM))
        sentences.append(f"not too slow: all of {_count(len(valid), 'figure')}, none by more than {least}")
    return GateOutcome(bool(slower), passes, sentences)


def answer(comparison: ComparedFigure, limit: float) -> GateAnswer:
    """Return whether a VALID figure of B is slower than A's by more than `limit`, by its interval.

    It is "slower" if the whole interval lies above the limit, and "not slower" if none of it does. Differences below
    2 % are not claimed, so the limit is at least 2 %.
    """
    interval = comparison.slower_interval
    if interval.low is None or interval.high is None:
        return "cannot tell"
    if comparison.verdict == "slower" and interval.low > limit:
        return "slower"
    return "not slower" if interval.high <= max(limit, MIN_CLAIM) else "cannot tell"


def unseen(pairs: Sequence[Pair]) -> list[str]:
    """Return a sentence for each reason why figures of A are missing in B or INVALID."""
    found = []
    for contender, a, b in pairs:
        if not a or not b:
            found.append(f"{contender}: {'B' if a else 'A'} has no figures")
            continue
        by_reason: dict[str, list[str]] = {}
        for key, figure in a.items():
            reason = _reason(figure, b.get(key))
            if reason:
                by_reason.setdefault(reason, []).append(figure.name)
        found += [f"{contender}, {_names(names)}: {reason}" for reason, names in by_reason.items()]
    return found


def cannot_tell(comparison: ComparedFigure, limit: float) -> str:
    """Return which loss this pair of runs can detect, and about how many blocks would detect one at the limit."""
    least, can_show = max(limit, MIN_CLAIM), _can_show(comparison)
    if comparison.ratio.as_list() is None:
        what = "one block is too few"
    elif can_show > least:
        what = f"these runs can detect a loss of {_percent(can_show)}, but not of {_percent(least)}"
    else:
        what = f"the loss of {_percent(comparison.slower_by)} is too close to the limit of {_percent(least)}"
    takes = _takes([_blocks(comparison, limit)])
    return f"cannot tell: {comparison.contender}, {comparison.figure.name}: {what}; measure {takes}"


def blocks_needed(a: Sequence[float], b: Sequence[float], half_width: float, confidence: float) -> int | None:
    """Return how many blocks each run needs until the interval of B / A is narrow enough, None for more than 1,000.

    `half_width` is that of the logarithm: the fewest N with t(N) sqrt((s_a^2 + s_b^2) / N) <= half_width,
    where t(N) has Satterthwaite's (N - 1) (s_a^2 + s_b^2)^2 / (s_a^4 + s_b^4) degrees of freedom
    (Welch 1947, with runs of equal length). The variance is estimated from the existing blocks.
    """
    variances = np.array([np.var(np.log(values), ddof=1) for values in (a, b)])
    blocks = np.arange(2, MAX_BLOCKS + 1)
    freedom = (blocks - 1) * variances.sum() ** 2 / (variances**2).sum()
    widths = stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(variances.sum() / blocks)
    enough = np.flatnonzero(widths <= half_width)
    return int(blocks[enough[0]]) if enough.size else None


def _reason(a: Comparable, b: Comparable | None) -> str:
    """Return why a figure of A cannot be compared with B's; empty if it can."""
    if b is None:
        return f"{a.absent} in B"
    sides = (("A", a), ("B", b))
    if not (a.valid and b.valid):
        return f"INVALID in {' and '.join(letter for letter, figure in sides if not figure.valid)}"
    unusable = [letter for letter, figure in sides if not usable(figure)]
    return f"no value above zero in every block of {' and '.join(unusable)}" if unusable else ""


def _can_show(comparison: ComparedFigure) -> float:
    """Return the smallest loss that a pair can detect: half the width of its interval, inf without an interval."""
    ends = comparison.ratio.as_list()
    return math.expm1((math.log(ends[1]) - math.log(ends[0])) / 2) if ends else math.inf


def _blocks(comparison: ComparedFigure, limit: float) -> float:
    """Return about how many blocks each run needs, inf for too many; 0 if the variance is unknown."""
    if comparison.ratio.as_list() is None:
        return 0
    least = math.log1p(max(limit, MIN_CLAIM))
    # If the interval is already narrower than the limit, the distance of the loss from the limit decides.
    narrow = _can_show(comparison) <= max(limit, MIN_CLAIM)
    half_width = abs(math.log1p(comparison.slower_by) - least) if narrow else least
    values = comparison.figure.values, comparison.other.values
    return blocks_needed(*values, half_width, comparison.confidence) or math.inf


def _takes(blocks: Sequence[float]) -> str:
    """Return the largest number of blocks in words."""
    most = max(blocks)
    if 0 in blocks:
        return "2 blocks or more in each run" if most <= 2 else f"{_about(most)} or more in each run"
    return f"{_about(most)} in each run"


def _about(blocks: float) -> str:
    return f"about {_count(int(blocks), 'block')}" if blocks < math.inf else f"more than {MAX_BLOCKS:,} blocks"


def _too_slow(comparison: ComparedFigure) -> str:
    interval = comparison.slower_interval
    span = f" ({_percent(interval.low)} to {_percent(interval.high)})" if interval.low and interval.high else ""
    return f"too slow: {comparison.contender}, {comparison.figure.name}: {_percent(interval.value)} slower{span}"


def _names(names: Sequence[str]) -> str:
    if len(names) <= _MAX_NAMES:
        return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"{', '.join(names[:_MAX_NAMES])} and {_count(len(names) - _MAX_NAMES, 'other')}"


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _percent(share: float) -> str:
    """Return a share as a percentage, capped at 1,000 %."""
    return f"{100 * share:.3g} %" if share < 10 else "more than 1,000 %"
