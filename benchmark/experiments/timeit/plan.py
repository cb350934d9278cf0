"""What is timed: which numbers of calls, how often, in which order."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import with_overrides
from benchmark.experiments.experiment import Assignment

START_S = 3.0  # to start and stop a contender; only the progress display relies on it
LONG_S = 600.0
# What a shortened run keeps.
FEWEST_REPEATS = 3  # since an interval takes several
FEWEST_CALLS = 3  # since a line takes some


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
    """Return the plan of a run, shortened by `scale` (0 to 1): fewer repeats, and fewer numbers of calls.

    Where three repeats are more than the scale leaves, even fewer numbers of calls make up for it,
    but not below three. They are spread evenly, and both ends are kept.
    """
    calls = sorted({*range(min_calls, max_calls + 1, step), max_calls})
    repeats = max(round(repeat * scale), min(repeat, FEWEST_REPEATS))
    surplus = repeats / (repeat * scale)
    count = min(max(round(len(calls) * scale / max(surplus, 1)), FEWEST_CALLS), len(calls))
    return TimeitPlan(_spread(calls, count), repeats, seed, scale)


def _spread(values: Sequence[int], count: int) -> tuple[int, ...]:
    """Return so many of the values, at even distances, the first and the last among them."""
    return tuple(values[round(i * (len(values) - 1) / (count - 1))] for i in range(count))


def assign(contenders: Sequence[Contender], plan: TimeitPlan, settings: Mapping[str, str]) -> Assignment[TimeitPlan]:
    """Return what one run measures; a trial of the progress display is a repeat. Raises SettingRefused."""
    contenders = with_overrides(contenders, settings)
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan=asdict(plan),
        trials=plan.repeats,
        trial_s=plan.expected_s(floors_ms(contenders), START_S),
        seed=plan.seed,
        free_ports=True,  # since all contenders are up at once
        settings=settings,
    )


def floors_ms(contenders: Sequence[Contender]) -> dict[str, float]:
    """Return each contender's latency floor in ms by label."""
    return {contender.label: law_of(contender).floor_ms for contender in contenders}
