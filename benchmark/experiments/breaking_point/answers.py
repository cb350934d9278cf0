"""The answers of a run: who breaks where, and what a closed loop hides.

Two breaking points differ if their intervals do not overlap. What is INVALID supports no answer: a breaking point
rests on its tries and on the latency of a single user, what the closed loop hides on both loops at the same rate.
"""

from collections.abc import Mapping
from math import log
from pathlib import Path
from typing import Final

from benchmark.experiments.breaking_point.schema import LocustData
from benchmark.experiments.breaking_point.summarise import BreakingPointEntry, OpenLoopEntry, run_reasons
from benchmark.load.shapes import SHAPE
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_MOST: Final = 0.5  # of the ratio of two breaking points
_NAMED: Final = 4  # how many equals are named before they are only counted
_HIDES: Final = 1.1  # times the p99 of the closed loop; below it, nothing is called hidden

Points = Mapping[str, BreakingPointEntry]


def answers(data: LocustData) -> list[Answer]:
    """Return what the run answers, in reading order."""
    said = [*_shape(data), *_breaks(valid_points(data)), *_hidden(valid_loops(data))]
    if not data.breaking_points and any(run.example != SHAPE for entry in data.entries.values() for run in entry.runs):
        said = [_SAY.not_searched(), *said]
    elif not said:
        measured = any(entry.runs for entry in data.entries.values())
        said = [_SAY.nobody_valid() if measured else _SAY.nobody_measured()]
    state = [
        (_SAY.interrupted(), not data.common.complete),
        (_SAY.condemned(), bool(data.common.faults)),
        (_SAY.shortened(scale=data.scale), data.scale < 1),
    ]
    return [Answer(text) for text in [*said, *(text for text, applies in state if applies)]]


def valid_points(data: LocustData) -> Points:
    """Return the VALID breaking points, of those for which they were looked for."""
    points = data.breaking_points
    return {name: point for name, point in points.items() if not data.entries[name].against(point.reasons)}


def valid_loops(data: LocustData) -> dict[str, tuple[float, OpenLoopEntry]]:
    """Return by contender the p99 of the open loop as a multiple of the closed loop's, where both are VALID."""
    return {
        name: (both.p99_ms / both.p99_closed_ms, both)
        for name, entry in data.entries.items()
        if (both := entry.open_loop) and both.p99_ms and both.p99_closed_ms and not entry.against(both.reasons)
    }


def _shape(data: LocustData) -> list[str]:
    """Say what became of the requests of a shape."""
    found = {name: run for name, entry in data.entries.items() if (run := entry.last(SHAPE))}
    return [
        _SAY.shape(name=name, n=run.n, requests=run.n + run.errors, p99_ms=run.p99_ms)
        for name, run in found.items()
        if not data.entries[name].against(run_reasons(run))
    ]


def _breaks(points: Points) -> list[str]:
    ranked = sorted((name for name, point in points.items() if point.broke), key=lambda name: points[name].rps)
    unbroken = [name for name, point in points.items() if not point.broke]
    said = [_SAY.unbroken(names=_named(unbroken), rps=points[unbroken[0]].rps)] if unbroken else []
    if not ranked:
        return said
    low, high = points[ranked[0]], points[ranked[-1]]
    if len(ranked) == 1:
        return [_SAY.one(name=ranked[0], rps=low.rps, why=low.reason), *said]
    given = {"low": ranked[0], "low_rps": low.rps}
    best = [name for name in ranked if points[name].ci95[1] >= high.ci95[0]]
    if ranked[0] in best:
        return [_SAY.alike(**given, high=ranked[-1], high_rps=high.rps), *said]
    return [_SAY.differ(**given, best=_named(best), rps=high.rps), *_reason(points, ranked[0], best), *said]


def _reason(points: Points, low: str, best: list[str]) -> list[str]:
    """Say so if the CPU of a request makes most of the ratio of two breaking points, on the scale of logarithms."""
    cpu_ms, low_cpu_ms = points[best[-1]].cpu_ms, points[low].cpu_ms
    if not cpu_ms or not low_cpu_ms or low_cpu_ms <= cpu_ms:
        return []
    if log(low_cpu_ms / cpu_ms) < _MOST * log(points[best[-1]].rps / points[low].rps):
        return []
    return [_SAY.because(best=_named(best), cpu_ms=cpu_ms, low=low, low_cpu_ms=low_cpu_ms)]


def _named(names: list[str]) -> list[str]:
    return [f"{len(names)} contenders"] if len(names) > _NAMED else names


def _hidden(loops: Mapping[str, tuple[float, OpenLoopEntry]]) -> list[str]:
    """Say where the open loop shows most that the closed loop does not."""
    if not loops:
        return []
    name = max(loops, key=lambda each: loops[each][0])
    times, both = loops[name]
    say = _SAY.hidden if times >= _HIDES else _SAY.nothing_hidden
    return [say(name=name, rate=both.rate_rps, closed_ms=both.p99_closed_ms, open_ms=both.p99_ms)]
