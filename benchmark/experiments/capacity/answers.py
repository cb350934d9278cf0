"""The answers of a capacity run: who carries how much within the promise, and what breaks first."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from benchmark.analysis.promises import Verdict
from benchmark.analysis.validity import run_reasons
from benchmark.experiments.capacity.schema import CapacityEntry, CapacitySummary
from benchmark.experiments.capacity.search import WIDEST, Standing
from benchmark.report.answers import REASON, Answer, Phrases

_SAY: Final = Phrases(Path(__file__).parent)
_FLOOR_SHARE: Final = 0.85  # of a limit: a floor above it leaves the serving little room
_CAPACITY, _NONE, _BINDS, _CONFIRMED = "Capacity", "No capacity", "What breaks first", "Confirmed"

Entries = Mapping[str, CapacityEntry]


def answers(summary: CapacitySummary, busy_before: float = 0.0) -> list[Answer]:
    """Return one sentence for each thing to say, the most important first."""
    if run_reasons(busy_before):
        return [Answer(_SAY.condemned())]
    standing = {
        name: each
        for name, each in summary.contenders.items()
        if each.valid and not each.harness_floor and each.standing is not None
    }
    if not standing:
        return [Answer(_SAY.nobody_valid())]
    found = [*_capacities(standing), *_without(standing, summary), *_binding(standing), *_confirmed(standing)]
    if not summary.complete:
        found.append(Answer(_SAY.interrupted()))
    return found


def _capacities(standing: Entries) -> Iterator[Answer]:
    """Say what each carries, the highest first, and how many times the baseline's that is."""
    known = {name: each for name, each in standing.items() if each.standing is Standing.FOUND}
    for name, each in sorted(known.items(), key=lambda item: -(item[1].capacity_rps or 0.0)):
        ratio = each.ratio
        if ratio and ratio.shown:
            said = _SAY.most(name=name, rps=each.capacity_rps, times=ratio.ratio, versus=ratio.versus)
        else:
            said = _SAY.found(name=name, rps=each.capacity_rps)
        yield Answer(said, topic=_CAPACITY)
        if ratio and ratio.ci95 and not ratio.shown:
            yield Answer(_SAY.alike(name=name, versus=ratio.versus), topic=_CAPACITY)


def _without(standing: Entries, summary: CapacitySummary) -> Iterator[Answer]:
    for name, each in standing.items():
        match each.standing:
            case Standing.AT_LEAST:
                say = _SAY.generator if each.by_generator else _SAY.at_least
                yield Answer(say(name=name, rps=each.rate_rps), topic=_NONE)
            case Standing.NOWHERE:
                yield Answer(_SAY.nowhere(name=name, rps=each.rate_rps, objective=each.binding), topic=_NONE)
                if _is_near_floor(each, summary):
                    yield Answer(_SAY.floor(name=name, floor_ms=each.floor_ms), topic=REASON)
            case Standing.UNKNOWN:
                yield Answer(_why_unknown(name, each), topic=_NONE)


def _is_near_floor(entry: CapacityEntry, summary: CapacitySummary) -> bool:
    limit_ms = dict(zip(summary.objectives, summary.limits_ms, strict=True)).get(entry.binding)
    return limit_ms is not None and entry.floor_ms > _FLOOR_SHARE * limit_ms


def _why_unknown(name: str, entry: CapacityEntry) -> str:
    if entry.confirmed is Verdict.BROKEN:
        return _SAY.refuted(name=name, rps=entry.confirmed_rps)
    if entry.ci95 and entry.capacity_rps and (entry.ci95[1] - entry.ci95[0]) / 2 > WIDEST * entry.capacity_rps:
        return _SAY.wide(name=name, low=entry.ci95[0], high=entry.ci95[1])
    return _SAY.unknown(name=name)


def _binding(standing: Entries) -> Iterator[Answer]:
    """Say which objective is broken first, where there are several to choose from."""
    known = {name: each.binding for name, each in standing.items() if each.standing is Standing.FOUND}
    for objective in dict.fromkeys(known.values()):
        names = [name for name, own in known.items() if own == objective]
        yield Answer(_SAY.binds(names=names, objective=objective), topic=_BINDS)


def _confirmed(standing: Entries) -> Iterator[Answer]:
    known = {name: each for name, each in standing.items() if each.standing is Standing.FOUND}
    for verdict, say in ((Verdict.KEPT, _SAY.confirmed), (Verdict.TOO_FEW, _SAY.unconfirmed)):
        if names := [name for name, each in known.items() if each.confirmed is verdict]:
            yield Answer(say(names=names), topic=_CONFIRMED)
