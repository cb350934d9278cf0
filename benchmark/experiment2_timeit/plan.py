"""What is timed: which numbers of calls, how often, in which order."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

FEWEST_REPEATS = 3  # what a shortened run keeps, since an interval takes several


@dataclass(frozen=True)
class TimeitPlan:
    """Every repeat times each number of calls once, with every contender."""

    calls: tuple[int, ...]  # ascending
    repeats: int
    seed: int = 1
    scale: float = 1.0  # below 1, `calls` and `repeats` have been thinned out

    def pairs(self, repeat: int, labels: Sequence[str]) -> list[tuple[int, str]]:
        """Return (number of calls, contender) in the order of one repeat, random but the same for the same seed."""
        pairs = [(n, label) for n in self.calls for label in labels]
        random.Random(f"{self.seed}-{repeat}").shuffle(pairs)
        return pairs

    def expected_s(self, floors_ms: Mapping[str, float], start_s: float) -> float:
        """Return about how long one repeat takes, if a contender starts in `start_s` and serves near its floor."""
        calls = sum(self.calls) + len(self.calls)  # each timing is preceded by a call that is not counted
        return sum(start_s + calls * (floor_ms * 1.1 + 1) / 1e3 for floor_ms in floors_ms.values())


def make_plan(min_calls: int, max_calls: int, step: int, repeat: int, seed: int, scale: float = 1.0) -> TimeitPlan:
    """Return the plan of a run, shortened by `scale` (0 to 1): a coarser step and fewer repeats.

    Repeats shrink with the root of the scale, but not below three, and the step makes up for the rest,
    so that the total number of calls is about `scale` of the full one. The most calls are always kept.
    """
    repeats = max(round(repeat * sqrt(scale)), min(repeat, FEWEST_REPEATS))
    coarser = max(round(repeats / (repeat * scale)), 1)
    calls = {*range(min_calls, max_calls + 1, step * coarser), max_calls}
    return TimeitPlan(tuple(sorted(calls)), repeats, seed, scale)
