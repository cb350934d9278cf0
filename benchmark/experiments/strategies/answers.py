"""The answers of a run: how many laws held, and what the strategies gained."""

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
    return [Answer(text) for text in [laws, *_gains(summary), *missing, *state, *once]]


def _gains(summary: StrategiesSummary) -> list[str]:
    """Say how many strategies gained, and if all did, from how much to how much. One alone is its page's picture."""
    gains = sorted(
        (each.gain.times, name)
        for name, each in summary.strategies.items()
        if each.gain and each.gain.valid and each.gain.times
    )
    if len(gains) < 2:
        return []
    gained = [times for times, _ in gains if times > 1]
    if len(gained) < len(gains):
        return [_SAY.some_gained(gained=len(gained), count=len(gains))]
    return [say_gains(*gains[0], *gains[-1])]


def say_gains(least_times: float, least: str, most_times: float, most: str) -> str:
    """Return from how much, of which strategy, to how much the gains reach. A strategy is called by its folder."""
    names = {"least": least.replace("_", " "), "most": most.replace("_", " ")}
    return _SAY.gains(least_times=least_times, most_times=most_times, **names)


def _state(summary: StrategiesSummary) -> list[tuple[str, bool]]:
    """Say what the state of the run means for its figures."""
    missing = len(summary.not_available)
    return [
        (_SAY.interrupted(), not summary.complete),
        (_SAY.not_available(count=missing), bool(missing)),
    ]
