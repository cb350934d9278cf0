"""The record of a run -> its summary: what was answered under each fault, and under overload. Reads the record."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.summary import summary_head
from benchmark.analysis.validity import run_reasons
from benchmark.experiments.under_fire.measure import OFFERED
from benchmark.experiments.under_fire.overloaded import overload_result
from benchmark.experiments.under_fire.plan import OVERLOAD, PEAK, Trouble, plan_of
from benchmark.experiments.under_fire.schema import (
    OverloadResult,
    Subject,
    TroubleResult,
    TroubleSummary,
    UnderFireSummary,
)
from benchmark.experiments.under_fire.troubled import trouble_result
from benchmark.measure.faults import FAULTS
from benchmark.record.damage import reading
from benchmark.record.run import SUMMARY, Run

QUESTION: Final = "What does a service answer when something breaks, and when too much is asked of it?"


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError."""
    manifest = run.manifest
    with reading(run.path / "manifest.json"):
        plan, labels = plan_of(manifest["plan"]), list(manifest["contenders"])
        deadlines_s = {label: float(manifest["deadlines_s"][label]) for label in labels}
    trials = {(trial.part, trial.contender): trial for trial in run.trials()}
    with reading(run.path / FAULTS):
        inflicted = {(row["part"], row["contender"]): row for row in run.lines(FAULTS)}
    with reading(run.path / OFFERED):
        offered = {row["contender"]: row for row in run.lines(OFFERED)}
    troubles = [
        _trouble(trouble, [
            trouble_result(run, trouble, trials.get((trouble.name, label)), inflicted.get((trouble.name, label)), label,
                           deadlines_s[label])
            for label in labels
        ])
        for trouble in plan.troubles
    ]  # fmt: skip
    overload = [
        overload_result(run, label, trials.get((PEAK, label)), trials.get((OVERLOAD, label)), offered.get(label),
                        deadlines_s[label])
        for label in (labels if plan.overload else [])
    ]  # fmt: skip
    if run_reasons(manifest["busy_before_start"]):
        troubles, overload = _condemned(troubles, overload)
    against = _against(labels, troubles, overload)
    planned = plan.parts(labels)
    done = [trials[part] for part in planned if part in trials]
    complete = len(done) == len(planned) and not any(trial.status == "interrupted" for trial in done)
    summary = UnderFireSummary(
        **summary_head(manifest, against, complete, f"{len(done)} of {len(planned)} trials were measured"),
        rate_rps=plan.rate_rps,
        deadlines_s=deadlines_s,
        contenders={label: Subject(valid=not own, reasons=tuple(own)) for label, own in against.items()},
        troubles=tuple(troubles),
        overload=tuple(overload),
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def may_answer(trouble: Trouble) -> str:
    """Return what the contract lets a service answer, in words."""
    lost = [f"connections {kind}" for kind in trouble.no_answers]
    return ", ".join(["200", *map(str, trouble.statuses), *lost])


def _trouble(trouble: Trouble, results: Sequence[TroubleResult]) -> TroubleSummary:
    return TroubleSummary(name=trouble.name, says=trouble.says, may=may_answer(trouble), results=tuple(results))


def _condemned(
    troubles: Sequence[TroubleSummary], overload: Sequence[OverloadResult]
) -> tuple[list[TroubleSummary], list[OverloadResult]]:
    """Return the same, INVALID since the whole run is."""
    why = because("run_invalid")
    condemned = []
    for trouble in troubles:
        results = [each.model_copy(update={"reasons": (*each.reasons, why)}) for each in trouble.results]
        condemned.append(trouble.model_copy(update={"results": tuple(results)}))
    loaded = []
    for each in overload:
        untold = tuple(bound.model_copy(update={"held": None}) for bound in each.bounds)
        loaded.append(each.model_copy(update={"reasons": (*each.reasons, why), "bounds": untold}))
    return condemned, loaded


def _against(
    labels: Sequence[str], troubles: Sequence[TroubleSummary], overload: Sequence[OverloadResult]
) -> dict[str, list[Reason]]:
    """Return the reasons against each contender, each with the part that it is about."""
    found: dict[str, list[Reason]] = {label: [] for label in labels}
    for trouble in troubles:
        for result in trouble.results:
            found[result.contender] += [reason.at(part=trouble.name) for reason in result.reasons]
    for each in overload:
        found[each.contender] += [reason.at(part=OVERLOAD) for reason in each.reasons]
    return {label: [reason for reason in own if reason.code != "run_invalid"] for label, own in found.items()}


def _findings(summary: UnderFireSummary) -> Iterator[Finding]:
    """Yield what came of each fault, and of overload, as findings."""
    for trouble in summary.troubles:
        for each in trouble.results:
            if each.is_measured:
                name = trouble.name.replace("-", "_")
                yield finding(QUESTION, each.contender, f"unexplained_{name}", "", each.unexplained, each.reasons)
                if each.recovery_s is not None:
                    yield finding(QUESTION, each.contender, f"recovery_{name}", "s", each.recovery_s, each.reasons)
    for result in summary.overload:
        for bound in result.bounds:
            if bound.value is not None:
                figure = f"overload_{bound.name.replace(' ', '_')}"
                unit = "times" if "peak" in bound.unit else bound.unit
                yield finding(QUESTION, result.contender, figure, unit, bound.value, result.reasons)
