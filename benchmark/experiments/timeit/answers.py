"""The answers of a run: what one call takes, and what makes the difference.

A difference to the baseline is claimed only if the summary says that it is shown. What is INVALID supports no answer.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmark.experiments.timeit.schema import Timeit, TimeitData
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_NAMED: Final = 4  # how many equals are named before they are only counted
_WORTH_SHOWING: Final = 1.05  # "a difference of 5 %"
_MOST_REPEATS: Final = 1000  # that are advised

Fitted = Mapping[str, tuple[float, Timeit]]


def answers(data: TimeitData) -> list[Answer]:
    """Return what the run answers, in reading order."""
    if data.fitted:
        return [Answer(text) for text in [_time_per_call(data), *_reason(data), *_state(data)]]
    measured = any(each.ms_per_call is not None for each in data.timeit.values())
    return [Answer(text) for text in [*_state(data), _SAY.nobody_valid() if measured else _SAY.nobody_measured()]]


def _state(data: TimeitData) -> list[str]:
    """Say what the state of the run means for its figures."""
    cases = [
        (_SAY.interrupted(), not data.common.complete),
        (_SAY.condemned(), bool(data.common.faults)),
        (_SAY.shortened(repeats=data.repeats, calls=len(data.calls)), data.scale < 1),
        (_SAY.one_repeat(), bool(data.fitted) and not any(each.ci95 for _, each in data.fitted.values())),
    ]
    return [text for text, applies in cases if applies]


def _time_per_call(data: TimeitData) -> str:
    """Say what a call takes with the fastest and with the baseline."""
    valid, baseline = data.fitted, data.baseline
    others = {name: each for name, each in valid.items() if name != baseline}
    faster = _faster(data)
    best = _equals_of_the_fastest(faster or others or valid)
    names = [f"{len(best)} contenders"] if len(best) > _NAMED else best
    given = {"best": names, "ms": valid[best[0]][0], "baseline": baseline}
    if len(valid) == 1:
        return _SAY.alone(name=best[0], ms=given["ms"])
    if baseline not in valid:
        return _SAY.no_baseline(**given)
    baseline_ms = valid[baseline][0]
    if not faster and not all(each.difference_shown for _, each in others.values()):
        return _SAY.undecided(baseline=baseline, baseline_ms=baseline_ms, repeats=_repeats_to_show(others))
    return (_SAY.faster if faster else _SAY.slower)(**given, baseline_ms=baseline_ms)


def _reason(data: TimeitData) -> list[str]:
    """Say so if the models make most of the difference between the fastest and the baseline."""
    faster = _faster(data)
    if not faster:
        return []
    best, baseline = _equals_of_the_fastest(faster)[0], data.baseline
    floor_ms, baseline_floor_ms = (data.contender(name).floor_ms for name in (best, baseline))
    if baseline_floor_ms - floor_ms < 0.5 * (data.fitted[baseline][0] - data.fitted[best][0]):
        return []
    given = {"floor_ms": floor_ms, "baseline_floor_ms": baseline_floor_ms}
    return [_SAY.models_decide(best=best, baseline=baseline, **given)]


def _faster(data: TimeitData) -> Fitted:
    """Return those that are shown to be faster than a VALID baseline."""
    return {
        name: (ms, each)
        for name, (ms, each) in data.fitted.items()
        if each.difference_shown and (each.times or 1) < 1 and data.multiple_stands(name)
    }


def _equals_of_the_fastest(found: Fitted) -> list[str]:
    """Return the fastest, and those whose intervals overlap with its own, the fastest first."""
    fastest, *rivals = sorted(found, key=lambda name: found[name][0])
    ends = found[fastest][1].ci95
    return [fastest, *(name for name in rivals if ends and (own := found[name][1].ci95) and own[0] <= ends[1])]


def _repeats_to_show(others: Fitted) -> int | None:
    """Return about how many repeats it takes until a difference of 5 % to the baseline is shown.

    An interval narrows with the square root of the number of repeats. None where there is no interval, it is narrow
    enough already, or no sensible number would do.
    """
    needed = [
        (each.repeats * (math.log(ends[1] / ends[0]) / 2 / math.log(_WORTH_SHOWING)) ** 2, each.repeats)
        for _, each in others.values()
        if (ends := each.times_interval)
    ]
    most, done = max(needed, default=(0.0, 0))
    return math.ceil(most) if done < most <= _MOST_REPEATS else None
