"""Is B slower than A by more than a limit? It is, it is not, or this pair cannot tell: pure functions.

The gate decides by the intervals that the table shows, and lets pass only what it has seen: every figure of A.
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

Answer = Literal["slower", "not slower", "cannot tell"]

MAX_BLOCKS = 1_000  # beyond, a number of blocks is no advice
MAX_SENTENCES = 6
_MAX_NAMES = 3


@dataclass(frozen=True)
class GateOutcome:
    """What a gate has found; it passes only if nothing was found to be slower, and everything was seen."""

    slower: bool
    passes: bool
    sentences: list[str]


def judge(comparisons: Sequence[ComparedFigure], unseen: Sequence[str], limit: float) -> GateOutcome:
    """Return what the gate says of all figures; `unseen` are sentences about what was not compared at all.

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
        sentences.append(f"to tell all of them, it takes {_takes([_blocks(each, limit) for each in unclear])}")
    passes = bool(valid) and not (slower or unclear or unseen)
    if passes:
        least = _percent(max(limit, MIN_CLAIM))
        sentences.append(f"not too slow: all of {_count(len(valid), 'figure')}, none by more than {least}")
    return GateOutcome(bool(slower), passes, sentences)


def answer(comparison: ComparedFigure, limit: float) -> Answer:
    """Return whether a VALID figure of B is slower than A's by more than `limit`, by its interval.

    "slower" if the whole interval lies above the limit, "not slower" if none of it does. A difference
    below 2 % is not claimed, so that is the least loss that is ever ruled out.
    """
    interval = comparison.slower_interval
    if interval.low is None or interval.high is None:
        return "cannot tell"
    if comparison.verdict == "slower" and interval.low > limit:
        return "slower"
    return "not slower" if interval.high <= max(limit, MIN_CLAIM) else "cannot tell"


def unseen(pairs: Sequence[Pair]) -> list[str]:
    """Return a sentence for each reason for which figures of A are not compared, or compared but INVALID."""
    found = []
    for contender, a, b in pairs:
        if not a or not b:
            found.append(f"{contender}: there is no figure in {'B' if a else 'A'}")
            continue
        by_reason: dict[str, list[str]] = {}
        for key, figure in a.items():
            reason = _reason(figure, b.get(key))
            if reason:
                by_reason.setdefault(reason, []).append(figure.name)
        found += [f"{contender}, {_names(names)}: {reason}" for reason, names in by_reason.items()]
    return found


def cannot_tell(comparison: ComparedFigure, limit: float) -> str:
    """Return what loss this pair can show, and about how many blocks it takes to show one above the limit."""
    least, can_show = max(limit, MIN_CLAIM), _can_show(comparison)
    if comparison.ratio.as_list() is None:
        what = "a single block shows no loss"
    elif can_show > least:
        what = f"this pair can show a loss of {_percent(can_show)}, not of {_percent(least)}"
    else:
        what = f"a loss of {_percent(comparison.slower_by)} is too close to {_percent(least)}"
    takes = _takes([_blocks(comparison, limit)])
    return f"cannot tell: {comparison.contender}, {comparison.figure.name}: {what}; it takes {takes}"


def blocks_needed(a: Sequence[float], b: Sequence[float], half_width: float, confidence: float) -> int | None:
    """Return how many blocks each run takes until the interval of B / A is that narrow, None for more than 1,000.

    `half_width` is that of the logarithm: the fewest N with t(N) sqrt((s_a^2 + s_b^2) / N) <= half_width,
    where t(N) has Satterthwaite's (N - 1) (s_a^2 + s_b^2)^2 / (s_a^4 + s_b^4) degrees of freedom
    (Welch 1947, with both runs as long as each other). The scatter is that of the blocks there are.
    """
    variances = np.array([np.var(np.log(values), ddof=1) for values in (a, b)])
    blocks = np.arange(2, MAX_BLOCKS + 1)
    freedom = (blocks - 1) * variances.sum() ** 2 / (variances**2).sum()
    widths = stats.t.ppf((1 + confidence) / 2, freedom) * np.sqrt(variances.sum() / blocks)
    enough = np.flatnonzero(widths <= half_width)
    return int(blocks[enough[0]]) if enough.size else None


def _reason(a: Comparable, b: Comparable | None) -> str:
    """Return why a figure of A cannot be compared with B's, nothing if it can."""
    if b is None:
        return f"{a.absent} in B"
    sides = (("A", a), ("B", b))
    if not (a.valid and b.valid):
        return f"INVALID in {' and '.join(letter for letter, figure in sides if not figure.valid)}"
    unusable = [letter for letter, figure in sides if not usable(figure)]
    return f"no value above zero in every block of {' and '.join(unusable)}" if unusable else ""


def _can_show(comparison: ComparedFigure) -> float:
    """Return the loss that a pair can show: one as large as half of its interval is wide, inf without one."""
    ends = comparison.ratio.as_list()
    return math.expm1((math.log(ends[1]) - math.log(ends[0])) / 2) if ends else math.inf


def _blocks(comparison: ComparedFigure, limit: float) -> float:
    """Return about how many blocks each run takes to tell, inf for too many; 0 if there is no scatter to go by."""
    if comparison.ratio.as_list() is None:
        return 0
    least = math.log1p(max(limit, MIN_CLAIM))
    # Once the interval is as narrow as the limit, what is left is how far the loss is from it.
    narrow = _can_show(comparison) <= max(limit, MIN_CLAIM)
    half_width = abs(math.log1p(comparison.slower_by) - least) if narrow else least
    values = comparison.figure.values, comparison.other.values
    return blocks_needed(*values, half_width, comparison.confidence) or math.inf


def _takes(blocks: Sequence[float]) -> str:
    """Return the largest of some numbers of blocks in words."""
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
    """Return a share in words; a loss of which no number is advice is capped."""
    return f"{100 * share:.3g} %" if share < 10 else "more than 1,000 %"
