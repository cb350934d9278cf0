"""The record of a run -> its summary: each law beside what was measured. Reads the record and the folders' laws."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason, because, failure
from benchmark.analysis.summary import summary_head
from benchmark.analysis.validity import MAX_GENERATOR_CPU, disturbance_reasons
from benchmark.experiments.strategies.discovery import load_strategy
from benchmark.experiments.strategies.figure_kinds import FAILURES
from benchmark.experiments.strategies.law import Chart, Figure, Gain, Law, Seen, Strategy
from benchmark.experiments.strategies.measure import NOT_THE_STRATEGY, STATISTICS
from benchmark.experiments.strategies.observed import Observed
from benchmark.experiments.strategies.schema import (
    ChartData,
    ChartPoint,
    GainResult,
    LawResult,
    Result,
    StrategiesSummary,
    StrategySummary,
)
from benchmark.load.plan import Level, Load, Pause
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import BUSY, HARNESS, IDLE, STEAL, Disturbance, cpu_ns_between, disturbance_between
from benchmark.record.run import SUMMARY, Run, TrialRecord, Window, read_samples

QUESTION: Final = "Which way of serving helps against which trouble?"
NOT_AVAILABLE: Final = "not_available"  # the code of an error: an environment that could not be built
_NOT_ITS_OWN: Final = (BUSY, IDLE, STEAL, HARNESS, GENERATOR_ROLE, *NOT_THE_STRATEGY)
_LONG_ENOUGH_NS: Final = 1_000_000_000  # to say what share of a core the generator used


@dataclass
class _Subject:
    """All that was observed of a contender or computation of a strategy."""

    observed: dict[tuple[str, int], Observed] = field(default_factory=dict)  # by load and block
    reasons: list[Reason] = field(default_factory=list)  # against all of it
    by_load: dict[str, list[Reason]] = field(default_factory=dict)
    disturbed: list[Disturbance] = field(default_factory=list)
    not_available: str = ""

    def reasons_of(self, load: str) -> list[Reason]:
        return [*self.reasons, *self.by_load.get(load, [])]

    def values(self, figure: Figure, load: str) -> list[float | None]:
        """Return a figure in each block."""
        found = {block: seen for (name, block), seen in self.observed.items() if name == load}
        return [figure.of(found[block]) for block in sorted(found)]


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError or StrategyError."""
    manifest, plan = run.manifest, run.manifest["plan"]
    said = run.lines(STATISTICS)
    strategies = {name: load_strategy(name, plan["scale"]) for name in plan["strategies"]}
    trials = [trial for trial in run.trials() if trial.part in strategies]
    subjects = {
        name: _subjects(run, strategy, [trial for trial in trials if trial.part == name], _of(said, name))
        for name, strategy in strategies.items()
    }
    planned = plan["blocks"] * sum(len(each.contenders) + len(each.computations) for each in strategies.values())
    complete = len(trials) == planned and not any(trial.status == "interrupted" for trial in trials)
    entries = {name: _entry(strategy, subjects[name]) for name, strategy in strategies.items()}
    against = {label: reasons for own in subjects.values() for label, reasons in _against(own).items()}
    summary = StrategiesSummary(
        **summary_head(manifest, against, complete, f"{len(trials)} of {planned} trials were measured"),
        blocks=plan["blocks"],
        scale=plan["scale"],
        strategies=entries,
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def _of(said: Iterable[Mapping[str, Any]], strategy: str) -> list[Mapping[str, Any]]:
    return [row for row in said if row["strategy"] == strategy]


def _subjects(
    run: Run, strategy: Strategy, trials: Sequence[TrialRecord], said: Sequence[Mapping[str, Any]]
) -> dict[str, _Subject]:
    """Return everything observed by subject."""
    found = {name: _Subject() for name in (*strategy.contenders, *strategy.computations)}
    for trial in trials:
        subject = found[trial.contender]
        if trial.status == "failed":
            _note_failure(subject, trial)
            continue
        own = [row for row in said if (row["subject"], row["block"]) == (trial.contender, trial.block)]
        if trial.contender in strategy.computations:
            subject.observed["", trial.block] = Observed(after=own[-1]["said"] if own else {})
        else:
            _observe(subject, run, strategy, trial, own)
    for subject in found.values():
        subject.reasons += disturbance_reasons(subject.disturbed)
        if not subject.observed and not subject.reasons and not subject.not_available:
            subject.reasons.append(because("not_measured"))
    return found


def _note_failure(subject: _Subject, trial: TrialRecord) -> None:
    if trial.code == NOT_AVAILABLE:
        subject.not_available = trial.reason
    else:
        subject.reasons.append(failure(trial.code, trial.reason, block=trial.block))


def _observe(
    subject: _Subject, run: Run, strategy: Strategy, trial: TrialRecord, said: Sequence[Mapping[str, Any]]
) -> None:
    """Add what was observed in one trial of a contender."""
    samples, resources = read_samples(run.file("samples", trial, ".csv")), run.cell_resources(trial)
    for name, window in zip(strategy.loads_of(trial.contender), trial.windows, strict=False):
        own = {row["when"]: row for row in said if row["load"] == name}
        after = own.get("after", {})
        observed = Observed(
            samples=_inside(samples, window, strategy.loads[name]),
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            before=own.get("before", {}).get("said", {}),
            after={**after.get("said", {}), "killed": after.get("killed", 0)},
            cpu_cores=_cpu_cores(resources, window, _NOT_ITS_OWN),
            pss_mb=after.get("pss_mb"),
        )
        subject.observed[name, trial.block] = observed
        subject.by_load.setdefault(name, []).extend(
            reason.at(block=trial.block) for reason in _load_reasons(strategy, trial, name, observed, resources)
        )
    if trial.windows:
        span = trial.windows[0].start_ns, trial.windows[-1].end_ns
        subject.disturbed.append(disturbance_between(resources, *span))


def _inside(samples: pd.DataFrame, window: Window, load: Load) -> pd.DataFrame:
    """Return the samples of a window: of a closed loop what was answered in it, otherwise what was due in it."""
    if isinstance(load, Pause):
        return samples[:0]
    moment = samples["end_ns" if isinstance(load, Level) else "scheduled_ns"]
    return samples[moment.between(window.start_ns, window.end_ns, inclusive="left")]


def _load_reasons(
    strategy: Strategy, trial: TrialRecord, name: str, observed: Observed, resources: pd.DataFrame
) -> list[Reason]:
    """Return why the figures of one load are INVALID: failures that no law is about, or a saturated generator."""
    reasons = []
    counted = any(law.subject == trial.contender and law.load == name and law.figure is FAILURES for law in strategy.laws)
    failed = observed.samples[~observed.samples["ok"]] if len(observed.samples) else observed.samples
    if len(failed) and not counted:
        reasons.append(because("errors", errors=len(failed), example=str(failed["error"].iloc[0])))
    if observed.end_ns - observed.start_ns >= _LONG_ENOUGH_NS:
        window = Window(0, observed.start_ns, observed.end_ns)
        used = _cpu_cores(resources[resources["role"] == GENERATOR_ROLE], window, ())
        if used is not None and used > MAX_GENERATOR_CPU:
            reasons.append(because("generator_saturated", share=used))
    return reasons


def _cpu_cores(resources: pd.DataFrame, window: Window, without: Sequence[str]) -> float | None:
    """Return the CPU use of all roles but some within a window, in cores; None if nothing was recorded."""
    groups = [group for role, group in resources.groupby("role") if role not in without]
    if not groups or window.end_ns <= window.start_ns:
        return None
    used_ns = sum(cpu_ns_between(group, window.start_ns, window.end_ns) for group in groups)
    return used_ns / (window.end_ns - window.start_ns)


def _entry(strategy: Strategy, subjects: Mapping[str, _Subject]) -> StrategySummary:
    return StrategySummary(
        title=strategy.title,
        trouble=strategy.trouble,
        claim=strategy.claim,
        source=strategy.source,
        use_when=strategy.use_when,
        laws=tuple(_law(law, subjects[law.subject]) for law in strategy.laws),
        seen=tuple(Result(**_result(each, subjects[each.subject])) for each in strategy.seen),
        gain=_gain(strategy.gain, subjects) if strategy.gain else None,
        charts=tuple(_chart(chart, strategy, subjects) for chart in strategy.charts),
        not_available={name: each.not_available for name, each in subjects.items() if each.not_available},
    )


def _result(asked: Law | Seen, subject: _Subject) -> dict[str, Any]:
    by_block = subject.values(asked.figure, asked.load)
    known = [value for value in by_block if value is not None]
    return {
        "says": asked.says,
        "subject": asked.subject,
        "load": asked.load,
        "figure": asked.figure.name,
        "unit": asked.figure.unit,
        "value": _rounded(float(np.median(known))) if known else None,
        "by_block": tuple(_rounded(value) for value in by_block),
        "reasons": tuple(subject.reasons_of(asked.load)),
    }


def _law(law: Law, subject: _Subject) -> LawResult:
    result = LawResult(
        **_result(law, subject),
        expected=law.expected,
        at_least=law.at_least,
        at_most=law.at_most,
        contrast=law.contrast,
    )
    told = result.value is not None and result.valid
    held = law.at_least <= result.value <= law.at_most if told and result.value is not None else None
    return result.model_copy(update={"held": held})


def _gain(gain: Gain, subjects: Mapping[str, _Subject]) -> GainResult:
    pairs = zip(*(subjects[name].values(gain.figure, gain.load) for name in (gain.better, gain.worse)), strict=False)
    ratios = [worse / better if gain.less_is_better else better / worse for better, worse in pairs if better and worse]
    return GainResult(
        says=gain.says,
        better=gain.better,
        worse=gain.worse,
        times=_rounded(float(np.median(ratios))) if ratios else None,
        low=_rounded(min(ratios)) if ratios else None,
        high=_rounded(max(ratios)) if ratios else None,
        valid=not any(subjects[name].reasons_of(gain.load) for name in (gain.better, gain.worse)),
    )


def _chart(chart: Chart, strategy: Strategy, subjects: Mapping[str, _Subject]) -> ChartData:
    points = []
    for name in chart.subjects:
        laws = {law.load: law for law in strategy.laws if (law.subject, law.figure) == (name, chart.figure)}
        for load, x in chart.over.items():
            known = [value for value in subjects[name].values(chart.figure, load) if value is not None]
            if not known:
                continue
            ends = float(np.median(known)), min(known), max(known)
            value, low, high = (float(f"{end:.6g}") for end in ends)
            expected = laws[load].expected if load in laws else None
            valid = not subjects[name].reasons_of(load)
            line, place = chart.point_of.get(name, (name, x))
            points.append(
                ChartPoint(subject=line, x=place, value=value, low=low, high=high, expected=expected, valid=valid)
            )
    return ChartData(
        title=chart.title,
        figure=chart.figure.name,
        unit=chart.figure.unit,
        x_label=chart.x_label,
        is_log=chart.is_log,
        points=tuple(points),
    )


def _against(subjects: Mapping[str, _Subject]) -> dict[str, Sequence[Reason]]:
    """Return the reasons against each contender as a whole, and against its loads."""
    return {
        name: [*each.reasons, *(reason for reasons in each.by_load.values() for reason in reasons)]
        for name, each in subjects.items()
    }


def _findings(summary: StrategiesSummary) -> list[Finding]:
    """Return each law that could be told as a finding."""
    return [
        finding(QUESTION, law.subject, f"{law.figure}_{law.load}".rstrip("_"), law.unit, law.value, law.reasons)
        for law in summary.judged
        if law.value is not None
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")
