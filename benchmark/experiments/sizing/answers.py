"""The answers of a plan: what is cheapest, what cannot be kept, what binds, and how good the prediction was."""

from pathlib import Path
from typing import Final

from benchmark.experiments.sizing.schema import PlanEntry, PlanSummary
from benchmark.experiments.sizing.summarise import CLOSE
from benchmark.report.answers import REASON, Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_SAME: Final = 1.02  # times as much, that is about the same
_ALMOST_NONE: Final = 0.001
_RUN, _NEVER, _START, _CHECKED = "What to run", "Not at any rate", "A start from nothing", "Predicted"


def answers(summary: PlanSummary) -> list[Answer]:
    """Return one sentence for each thing to say, the most important first."""
    found: list[Answer] = []
    planned = list(summary.planned.items())
    if planned:
        found += _what_to_run(planned)
    elif summary.contenders:
        found.append(Answer(_SAY.nobody(), topic=_RUN))
    for name, entry in summary.contenders.items():
        if not entry.chosen:
            limits = [each for each in summary.objectives if not each.startswith("errors")]
            said = _SAY.cannot(name=name, objectives=limits, lone_ms=entry.lone_ms)
            found.append(Answer(said, topic=_NEVER))
    if planned and planned[0][1].starts:
        found.append(_from_nothing(*planned[0]))
    if not summary.complete:
        found.append(Answer(_SAY.interrupted()))
    elif summary.verified:
        say = _SAY.verified_elsewhere if summary.measured_elsewhere else _SAY.verified
        said = say(within=summary.within, of=summary.verified, close=100 * CLOSE)
        found.append(Answer(said, topic=_CHECKED))
    elif any(entry.verified for entry in summary.contenders.values()):
        found.append(Answer(_SAY.not_measured(), topic=_CHECKED))
    else:
        found.append(Answer(_SAY.unverified(), topic=_CHECKED))
    return found


def _what_to_run(planned: list[tuple[str, PlanEntry]]) -> list[Answer]:
    (name, first), *others = planned
    assert first.chosen
    assert first.scoring
    assert first.models
    said = _SAY.cheapest(name=name, pods=first.scoring.replicas, models=first.models.replicas, cost=first.per_million)
    found = [Answer(said, topic=_RUN)]
    for other, entry in others:
        assert entry.scoring
        times = (entry.hourly or 0.0) / (first.hourly or 1.0)
        say = _SAY.as_dear if times < _SAME else _SAY.dearer
        given = {} if times < _SAME else {"times": times}
        found.append(Answer(say(name=other, pods=entry.scoring.replicas, **given), topic=_RUN))
    found.append(Answer(_SAY.binds(name=name, what=_bound_by(first.chosen.binds), rps=first.chosen.rps), topic=REASON))
    return found


def _bound_by(binds: str) -> str:
    """Return what binds, to follow "bound by"."""
    return f"its {binds}" if binds == "threads" else binds if binds.startswith("waiting") else f"the {binds}"


def _from_nothing(name: str, entry: PlanEntry) -> Answer:
    """Say what a start from nothing costs, and the fewest pods that make it almost harmless, or the most."""
    shares = {row.least: row.missed / max(row.requests, 1) for row in entry.starts}
    enough = next((least for least, share in shares.items() if least and share <= _ALMOST_NONE), None)
    if enough is not None:
        return Answer(_SAY.from_nothing(name=name, share_pct=100 * shares[0], least=enough), topic=_START)
    most = max(shares)
    still = _SAY.from_nothing_still(name=name, share_pct=100 * shares[0], least=most, still_pct=100 * shares[most])
    return Answer(still, topic=_START)
