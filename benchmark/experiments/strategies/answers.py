"""The answers of a run: how many laws held, and which strategy gained most."""

from pathlib import Path
from typing import Final

from benchmark.experiments.strategies.schema import StrategiesSummary
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)


def answers(summary: StrategiesSummary) -> list[Answer]:
    """Return what the run answers, in reading order."""
    said = [text for text, applies in _state(summary) if applies]
    if not summary.judged:
        return [Answer(text) for text in [*said, _SAY.nothing()]]
    count, held = len(summary.judged), len(summary.held)
    laws = _SAY.all_held(count=count) if held == count else _SAY.some_held(held=held, count=count)
    return [Answer(text) for text in [laws, *_most(summary), *said]]


def _most(summary: StrategiesSummary) -> list[str]:
    """Name the strategy with the largest gain."""
    gains = [
        (each.gain.times, each.title, each.gain.says)
        for each in summary.strategies.values()
        if each.gain and each.gain.valid and each.gain.times
    ]
    if len(gains) < 2:
        return []
    times, title, says = max(gains)
    return [_SAY.most(title=title, times=times, says=says)]


def _state(summary: StrategiesSummary) -> list[tuple[str, bool]]:
    """Say what the state of the run means for its figures."""
    condemned = any(not reason.contender and reason.code != "interrupted" for reason in summary.reasons)
    untold = len(summary.untold)
    return [
        (_SAY.interrupted(), not summary.complete),
        (_SAY.condemned(), condemned),
        (_SAY.untold(count=untold), bool(untold)),
        (_SAY.one_block(), summary.blocks == 1 and bool(summary.judged)),
    ]
