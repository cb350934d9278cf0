"""The answers of a run: how many laws held, and which strategy gained most."""

from pathlib import Path
from typing import Final

from benchmark.experiments.strategies.schema import StrategiesSummary
from benchmark.report.answers import Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)


def answers(summary: StrategiesSummary) -> list[Answer]:
    """Return what the run answers, in reading order."""
    condemned = any(not reason.contender and reason.code != "interrupted" for reason in summary.reasons)
    state = [text for text, applies in _state(summary) if applies]
    if condemned or not summary.judged:
        return [Answer(text) for text in [*([_SAY.condemned()] if condemned else []), *state, _SAY.nothing()]]
    count, held, untold = len(summary.judged), len(summary.held), len(summary.untold)
    laws = _SAY.all_held(count=count) if held == count else _SAY.some_held(held=held, count=count)
    missing = [_SAY.untold(count=untold)] if untold else []
    once = [_SAY.one_block()] if summary.blocks == 1 else []
    return [Answer(text) for text in [laws, *_most(summary), *missing, *state, *once]]


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
    return [say_most(title, times, says)]


def say_most(title: str, times: float, says: str) -> str:
    """Return that a strategy gained most, and how much; of its title only what stands before a colon."""
    return _SAY.most(title=title.partition(":")[0], times=times, says=says)


def _state(summary: StrategiesSummary) -> list[tuple[str, bool]]:
    """Say what the state of the run means for its figures."""
    missing = len(summary.not_available)
    return [
        (_SAY.interrupted(), not summary.complete),
        (_SAY.not_available(count=missing), bool(missing)),
    ]
