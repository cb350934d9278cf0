"""The record of a run -> its summary: of each figure, what the recorded looks decide."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.level_figures import LevelFigures
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.sequential import Decision
from benchmark.analysis.stats import geometric_interval
from benchmark.analysis.summary import failures_of, summary_head
from benchmark.analysis.validity import level_reasons, run_reasons
from benchmark.contenders.discovery import Contender
from benchmark.experiments.gate.judge import Judged, Trials, all_trials, judge, read_looks, whole_pairs
from benchmark.experiments.gate.plan import BASE, FIGURES, HEAD, Figure
from benchmark.experiments.gate.schema import GateFigure, GateSummary, Side
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SUMMARY, Run, TrialRecord

QUESTION: Final = "Is head worse than base by more than allowed?"
# The share of the windows that may be disturbed: among a hundred there is often one. A few hardly move the mean over
# all pairs, and make its interval wider; `make calibrate` has a gate with so many disturbed windows.
SPARED: Final = 0.1


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError."""
    manifest, contenders, cells = run.manifest, recorded_contenders(run.manifest), run.trials()
    plan, trials, looks = manifest["plan"], all_trials(run, contenders), read_looks(run)
    pairs = len(whole_pairs(trials))
    wanted = [FIGURES[name] for name in plan["allowed"]]
    at_level = {each.label: _reasons_at_levels(each, trials, wanted) for each in contenders}
    sides = {each.label: _side(each, cells, at_level[each.label], manifest["revisions"]) for each in contenders}
    everywhere = [*run_reasons(manifest["busy_before_start"]), *_failures(sides)]
    figures = [
        _figure(each, [*everywhere, *_reasons_of(each, at_level)]) for each in judge(trials, plan["allowed"], looks)
    ]
    summary = GateSummary(
        **summary_head(
            manifest, {label: side.reasons for label, side in sides.items()}, not run.interrupted, _count(pairs)
        ),
        pairs=pairs,
        budget_s=plan["budget_s"],
        contenders=sides,
        figures=tuple(figures),
        notes=tuple(f"{each.name}: {each.why}" for each in figures if each.valid and each.why),
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def _count(pairs: int) -> str:
    return "1 pair was measured" if pairs == 1 else f"{pairs} pairs were measured"


def _failures(sides: Mapping[str, Side]) -> list[Reason]:
    return [
        reason.at(contender=name) for name, side in sides.items() for reason in side.reasons if reason.users is None
    ]


def _reasons_at_levels(contender: Contender, trials: Trials, wanted: Sequence[Figure]) -> dict[int, list[Reason]]:
    """Return by number of users what strikes any of the figures that are wanted there."""
    by_users: dict[int, list[LevelFigures]] = {}
    for (label, _), levels in sorted(trials.items(), key=lambda item: item[0]):
        for level in levels if label == contender.label else ():
            by_users.setdefault(level.users, []).append(level)
    return {
        users: [
            reason
            for reason in level_reasons(contender, blocks, SPARED)
            if any(figure.users == users and reason.code not in figure.unharmed_by for figure in wanted)
        ]
        for users, blocks in sorted(by_users.items())
    }


def _side(
    contender: Contender,
    cells: Sequence[TrialRecord],
    at_level: Mapping[int, Sequence[Reason]],
    revisions: Mapping[str, str],
) -> Side:
    reasons = failures_of([cell for cell in cells if cell.contender == contender.label], "pair")
    reasons += [reason.at(users=users) for users, found in at_level.items() for reason in found]
    if not at_level and not reasons:
        reasons.append(because("not_measured"))
    return Side(
        title=contender.title,
        row=contender.name,
        revision=revisions[contender.label],
        valid=not reasons,
        reasons=tuple(reasons),
    )


def _reasons_of(judged: Judged, at_level: Mapping[str, Mapping[int, Sequence[Reason]]]) -> list[Reason]:
    """Return what strikes a figure: what is wrong at its number of users, on either side."""
    users = judged.figure.users
    return [
        reason.at(contender=side, users=users)
        for side in (BASE, HEAD)
        for reason in at_level[side].get(users, ())
        if reason.code not in judged.figure.unharmed_by
    ]


def _figure(judged: Judged, reasons: Sequence[Reason]) -> GateFigure:
    figure, decided = judged.figure, judged.decided
    measured = bool(judged.base)
    return GateFigure(
        name=judged.name,
        called=figure.called,
        unit=figure.unit,
        users=figure.users,
        allowed=judged.allowed,
        decision=decided.decision,
        valid=not reasons,
        reasons=tuple(reasons),
        pairs=decided.pairs,
        base=_rounded(geometric_interval(judged.base[: decided.pairs or None]).value) if measured else None,
        head=_rounded(geometric_interval(judged.head[: decided.pairs or None]).value) if measured else None,
        change=_rounded(decided.share) if decided.pairs else None,
        interval=None
        if decided.low is None or decided.high is None
        else (_rounded(decided.low), _rounded(decided.high)),
        could_show=None if decided.could_show is None else _rounded(decided.could_show),
        why=_why(judged),
    )


def _why(judged: Judged) -> str:
    """Return why a figure cannot be told, and what to do; empty if it can."""
    decided = judged.decided
    if decided.decision is not Decision.OPEN:
        return ""
    if judged.lacking is not None:
        return f"{judged.lacking} answers in a window, it takes {judged.figure.needs}: give a longer --seconds"
    if decided.could_show is None:
        return "too few pairs: give more --minutes"
    return "too close to what is allowed, or too much noise: give more --minutes"


def _findings(summary: GateSummary) -> Iterator[Finding]:
    for each in summary.figures:
        if each.head is None or each.base is None:
            continue
        ends = each.interval and [1 + end for end in each.interval]
        compared: dict[str, Any] = {
            "versus": BASE,
            "ratio": each.head / each.base,
            "ratio_ci95": (ends if each.unit != "rps" else [1 / ends[1], 1 / ends[0]]) if ends else None,
            "shown": each.decision is Decision.WORSE,
        }
        yield finding(QUESTION, HEAD, each.name, each.unit, each.head, each.reasons, **compared)


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
