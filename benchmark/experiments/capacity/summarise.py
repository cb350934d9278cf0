"""The record of a run -> its summary: the tries of each contender, and the capacity that follows from them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.stats import ratio_interval
from benchmark.analysis.summary import failures_of, summary_head
from benchmark.analysis.validity import disturbance_reasons
from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.experiments.capacity.observed import TRIES, read_try
from benchmark.experiments.capacity.plan import CapacityPlan
from benchmark.experiments.capacity.schema import CapacityEntry, CapacitySummary, Ratio, TryEntry
from benchmark.experiments.capacity.search import Capacity, Kind, Offer, Standing, Tried, conclude
from benchmark.load.objectives import Objective
from benchmark.record.damage import reading
from benchmark.record.manifest import recorded_contenders
from benchmark.record.resources import disturbance_between
from benchmark.record.run import SUMMARY, Run, TrialRecord

QUESTION: Final = "What is the highest rate at which each contender keeps the promise?"
FIGURE: Final = "capacity_rps"
_NOT_OF_PLAN: Final = ("objectives", "around", "most_coarse", "coarse_steps")


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError."""
    manifest, trials = run.manifest, run.trials()
    with reading(run.path / "manifest.json"):
        plan = plan_of(manifest["plan"])
    contenders = recorded_contenders(manifest)
    entries = {each.label: _entry(run, each, trials, plan) for each in contenders}
    baseline = _baseline(entries)
    entries = {label: _compared(label, entry, entries, baseline) for label, entry in entries.items()}
    interrupted = manifest.get("interrupted", False) or any(trial.status == "interrupted" for trial in trials)
    measured = sum(trial.status == "measured" for trial in trials)
    summary = CapacitySummary(
        **summary_head(
            manifest,
            {label: entry.reasons for label, entry in entries.items()},
            not interrupted,
            f"{measured} tries were measured",
        ),
        objectives=tuple(each.written for each in plan.objectives),
        limits_ms=tuple(each.limit_ms for each in plan.objectives),
        allowed_pct=tuple(round(100 * (1 - each.share), 9) for each in plan.objectives),
        baseline=baseline,
        contenders=entries,
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def plan_of(recorded: Mapping[str, Any]) -> CapacityPlan:
    """Return the plan that a manifest holds."""
    own = {key: value for key, value in recorded.items() if key not in _NOT_OF_PLAN}
    objectives = tuple(Objective(**each) for each in recorded["objectives"])
    return CapacityPlan(objectives, coarse_steps=tuple(recorded["coarse_steps"]), **own)


def _entry(run: Run, contender: Contender, trials: Sequence[TrialRecord], plan: CapacityPlan) -> CapacityEntry:
    facts = {
        "title": contender.title,
        "floor_ms": round(law_of(contender).floor_ms, 3),
        "harness_floor": contender.harness_floor,
    }
    own = {trial.part: trial for trial in trials if trial.contender == contender.label}
    tries, disturbances = [], []
    with reading(run.path / TRIES):
        rows = [row for row in run.lines(TRIES) if row["contender"] == contender.label]
        for row in rows:
            trial = own.get(row["part"])
            if trial is None or trial.status != "measured" or not trial.windows:
                continue
            offer = Offer(row["rate_rps"], Kind(row["kind"]), row["block"])
            load = plan.load(offer, row["number"])
            tries.append(read_try(run, trial, offer, load, plan.objectives, plan.generators))
            window = trial.windows[-1]
            disturbances.append(disturbance_between(run.cell_resources(trial), window.start_ns, window.end_ns))
    reasons = failures_of(list(own.values()))
    if not tries:
        reasons = reasons or [because("not_measured")]
        return CapacityEntry(**facts, valid=False, reasons=tuple(reasons))
    reasons += disturbance_reasons(disturbances, "trial")
    found = conclude(tries, plan.objectives, plan.blocks)
    return CapacityEntry(
        **facts,
        valid=not reasons,
        reasons=tuple(reasons),
        **_of_capacity(found),
        tries=tuple(_of_try(tried) for tried in tries),
    )


def _of_capacity(found: Capacity) -> dict[str, Any]:
    value = found.estimate
    return {
        "standing": found.standing,
        "capacity_rps": round(value.rps, 3) if value else None,
        "ci95": (round(value.low_rps, 3), round(value.high_rps, 3)) if value else None,
        "rate_rps": round(found.rate_rps, 3) if found.rate_rps else None,
        "by_generator": found.by_generator,
        "binding": found.binding,
        "confirmed": found.confirmed,
        "confirmed_rps": round(found.confirmed_rps, 3) if found.confirmed_rps else None,
        "by_block_rps": tuple(round(each, 3) for each in found.by_block_rps),
    }


def _of_try(tried: Tried) -> TryEntry:
    return TryEntry(
        kind=tried.offer.kind,
        block=tried.offer.block,
        rate_rps=round(tried.offer.rate_rps, 3),
        due=max(count.due for count in tried.counts),
        missed=tuple(count.missed for count in tried.counts),
        at_least=any(count.at_least for count in tried.counts),
        kept=tried.sustained,
        offered=tried.offered,
        verdict=tried.verdict,
    )


def _baseline(entries: Mapping[str, CapacityEntry]) -> str | None:
    """Return whom the others are compared with: the first that has a capacity, or else the first."""
    real = {label: entry for label, entry in entries.items() if not entry.harness_floor}
    known = (label for label, entry in real.items() if entry.standing is Standing.FOUND and entry.valid)
    return next(known, next(iter(real), None))


def _compared(
    label: str, entry: CapacityEntry, entries: Mapping[str, CapacityEntry], baseline: str | None
) -> CapacityEntry:
    """Return an entry with its ratio to the baseline, where both have a capacity in the same blocks."""
    if baseline is None or label == baseline:
        return entry
    other = entries[baseline]
    stand = all(each.standing is Standing.FOUND and each.valid for each in (entry, other))
    if not stand or not entry.by_block_rps or len(entry.by_block_rps) != len(other.by_block_rps):
        return entry
    found = ratio_interval(entry.by_block_rps, other.by_block_rps)
    ends = found.as_list()
    shown = ends is not None and not ends[0] <= 1 <= ends[1]
    ci95 = None if ends is None else (round(ends[0], 4), round(ends[1], 4))
    ratio = Ratio(versus=baseline, ratio=round(found.value, 4), ci95=ci95, shown=shown)
    return entry.model_copy(update={"ratio": ratio})


def _findings(summary: CapacitySummary) -> Iterator[Finding]:
    for name, entry in summary.contenders.items():
        if entry.standing is not Standing.FOUND or entry.capacity_rps is None:
            continue
        compared: dict[str, object] = {}
        if entry.ratio:
            compared = {"versus": entry.ratio.versus, "ratio": entry.ratio.ratio, "ratio_ci95": entry.ratio.ci95}
            compared["shown"] = entry.ratio.shown
        reasons: Sequence[Reason] = entry.reasons
        yield finding(QUESTION, name, FIGURE, "rps", entry.capacity_rps, reasons, entry.ci95, **compared)
