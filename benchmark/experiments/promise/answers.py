"""The answers of a promise run: who keeps the promise, who breaks it from when, and who cannot be told."""

from pathlib import Path
from typing import Final

from benchmark.analysis.promises import Verdict
from benchmark.analysis.validity import run_reasons
from benchmark.experiments.promise.schema import Outcome, PromiseEntry, PromiseSummary
from benchmark.report.answers import REASON, Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_FLOOR_SHARE: Final = 0.85  # of the limit: a floor above it leaves the serving little room
_KEPT, _BROKEN, _TOO_FEW, _STEPS = "Kept", "Broken", "Not told", "Two steps"


def answers(summary: PromiseSummary, busy_before: float = 0.0) -> list[Answer]:
    """Return one sentence for each thing to say, the most important first."""
    if run_reasons(busy_before):
        return [Answer(_SAY.condemned())]
    standing = {name: each for name, each in summary.contenders.items() if each.valid and not each.harness_floor}
    if not standing:
        return [Answer(_SAY.nobody_valid())]
    kept = [name for name, each in standing.items() if each.verdict is Verdict.KEPT]
    found = [Answer(_SAY.all_kept(names=kept, shape=summary.shape) if kept else _SAY.none_kept(), topic=_KEPT)]
    for name, each in standing.items():
        if each.verdict is Verdict.BROKEN:
            found += _broken(name, each, summary)
        found += _in_two_steps(name, each)
    if unknown := [name for name, each in standing.items() if each.verdict is Verdict.TOO_FEW]:
        found.append(Answer(_SAY.too_few(names=unknown), topic=_TOO_FEW))
    if not summary.complete:
        found.append(Answer(_SAY.interrupted()))
    return found


def _in_two_steps(name: str, entry: PromiseEntry) -> list[Answer]:
    """Say how long the first answer and the result took, where these are two."""
    for first, result in zip(entry.accepted, entry.outcomes, strict=False):
        if first.measured_ms is not None:
            quantile, times = first.objective.partition("<")[0], (first.measured_ms, result.measured_ms)
            said = _SAY.in_two_steps(name=name, quantile=quantile, first_ms=times[0], result_ms=times[1])
            return [Answer(said, topic=_STEPS)]
    return []


def worst_outcome(entry: PromiseEntry) -> Outcome:
    """Return the broken objective that most requests missed, or if none is broken, the one most missed."""
    return max(entry.outcomes, key=lambda each: (each.verdict is Verdict.BROKEN, each.bad))


def _broken(name: str, entry: PromiseEntry, summary: PromiseSummary) -> list[Answer]:
    worst = worst_outcome(entry)
    from_s = next((trouble.from_s for trouble in entry.troubles if trouble.objective == worst.objective), None)
    share_pct = 100 * worst.bad / worst.requests
    found = [
        Answer(_SAY.broken(name=name, objective=worst.objective, share_pct=share_pct, from_s=from_s), topic=_BROKEN)
    ]
    limit_ms = dict(zip(summary.objectives, summary.limits_ms, strict=True)).get(worst.objective)
    if limit_ms is not None and entry.floor_ms > _FLOOR_SHARE * limit_ms:
        said = _SAY.broken_by_floor(name=name, objective=worst.objective, floor_ms=entry.floor_ms)
        found.append(Answer(said, topic=REASON))
    return found
