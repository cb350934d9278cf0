"""The record of a run -> its summary: each law beside what was measured. Reads the record and the folders' laws."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason, because, failure
from benchmark.analysis.summary import summary_head
from benchmark.analysis.validity import MAX_GENERATOR_CPU, disturbance_reasons, most_late, run_reasons
from benchmark.errors import NotAvailable
from benchmark.experiments.strategies.discovery import load_strategy
from benchmark.experiments.strategies.evidence import Evidence
from benchmark.experiments.strategies.figure_kinds import FAILURES
from benchmark.experiments.strategies.law import Gain, Law, Seen, Strategy
from benchmark.experiments.strategies.measure import NOT_THE_STRATEGY, STATISTICS
from benchmark.experiments.strategies.observed import Observed
from benchmark.experiments.strategies.pictured import chart_data, over_time_data, stages_data
from benchmark.experiments.strategies.recorded import Measured, as_measured
from benchmark.experiments.strategies.schema import (
    GainResult,
    LawResult,
    Result,
    StrategiesSummary,
    StrategySummary,
    Subject,
)
from benchmark.load.plan import Arrivals, Level, Load, Pause
from benchmark.measure.locust_process import late_arrivals
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import SURROUNDING_ROLES, cpu_ns_between, disturbance_between
from benchmark.record.run import SUMMARY, Run, TrialRecord, Window, read_samples

QUESTION: Final = "Which way of serving helps against which trouble?"
_NOT_ITS_OWN: Final = (*SURROUNDING_ROLES, GENERATOR_ROLE, *NOT_THE_STRATEGY)
_LONG_ENOUGH_NS: Final = 1_000_000_000  # to say what share of a core the generator used


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError or StrategyError."""
    manifest, plan = run.manifest, run.manifest["plan"]
    condemned, said = bool(run_reasons(manifest["busy_before_start"])), run.lines(STATISTICS)
    strategies = {
        name: as_measured(name, load_strategy(name, plan["scale"]), manifest["laws"][name])
        for name in plan["strategies"]
    }
    trials = [trial for trial in run.trials() if trial.part in strategies]
    subjects = {
        name: _subjects(run, measured, [trial for trial in trials if trial.part == name], _of(said, name), condemned)
        for name, measured in strategies.items()
    }
    planned = plan["blocks"] * sum(measured.count for measured in strategies.values())
    complete = len(trials) == planned and not any(trial.status == "interrupted" for trial in trials)
    against = _against(subjects)
    summary = StrategiesSummary(
        **summary_head(manifest, against, complete, f"{len(trials)} of {planned} trials were measured"),
        blocks=plan["blocks"],
        scale=plan["scale"],
        contenders={label: Subject(valid=not own, reasons=tuple(own)) for label, own in against.items()},
        strategies={name: _entry(measured.strategy, subjects[name]) for name, measured in strategies.items()},
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def _of(said: Iterable[Mapping[str, Any]], strategy: str) -> list[Mapping[str, Any]]:
    return [row for row in said if row["strategy"] == strategy]


def _subjects(
    run: Run,
    measured: Measured,
    trials: Sequence[TrialRecord],
    said: Sequence[Mapping[str, Any]],
    condemned: bool,
) -> dict[str, Evidence]:
    """Return everything observed by subject."""
    strategy = measured.strategy
    names = (*strategy.contenders, *measured.asked, *strategy.computations)
    found = {name: Evidence(run_invalid=condemned) for name in names}
    for trial in trials:
        subject = found[trial.contender]
        if trial.status == "failed":
            _note_failure(subject, trial)
            continue
        own = [row for row in said if (row["subject"], row["block"]) == (trial.contender, trial.block)]
        if trial.contender in strategy.computations:
            subject.observed["", trial.block] = Observed(after=own[-1]["said"] if own else {})
        else:
            _observe(subject, run, measured, trial, own)
    for subject in found.values():
        subject.reasons += disturbance_reasons(subject.disturbed)
        if not subject.observed and not subject.reasons and not subject.not_available:
            subject.reasons.append(because("not_measured"))
    return found


def _note_failure(subject: Evidence, trial: TrialRecord) -> None:
    if trial.code == NotAvailable.code:
        subject.not_available = trial.reason
    else:
        subject.reasons.append(failure(trial.code, trial.reason, block=trial.block))


def _observe(
    subject: Evidence, run: Run, measured: Measured, trial: TrialRecord, said: Sequence[Mapping[str, Any]]
) -> None:
    """Add what was observed in one trial of a contender; an interrupted one has windows of its first loads only."""
    samples, resources = read_samples(run.file("samples", trial, ".csv")), run.cell_resources(trial)
    names = measured.asked[trial.contender][: len(trial.windows)]
    for name, window in zip(names, trial.windows, strict=True):
        of_load = [row for row in said if row["load"] == name]
        own = {row["when"]: row for row in of_load}
        after = own.get("after", {})
        load = measured.loads[name]
        observed = Observed(
            samples=_inside(samples, window, load),
            start_ns=window.start_ns,
            end_ns=window.end_ns,
            before=own.get("before", {}).get("said", {}),
            after={**after.get("said", {}), "killed": after.get("killed", 0)},
            series=_series(of_load, window),
            cpu_cores=_cpu_cores(resources, window, _NOT_ITS_OWN),
            pss_mb=after.get("pss_mb"),
            under_way=samples[(samples["end_ns"] > window.start_ns) & (samples["start_ns"] < window.end_ns)],
        )
        subject.observed[name, trial.block] = observed
        counts_failures = _counts_failures(measured.strategy, trial.contender, name)
        reasons = _load_reasons(load, observed, resources, counts_failures)
        subject.by_load.setdefault(name, []).extend(reason.at(part=name, block=trial.block) for reason in reasons)
    if trial.windows:
        span = trial.windows[0].start_ns, trial.windows[-1].end_ns
        subject.disturbed.append(disturbance_between(resources, *span))


def _series(said: Iterable[Mapping[str, Any]], window: Window) -> list[tuple[float, Mapping[str, Any]]]:
    """Return what the service said while it was watched, with the seconds since the window began."""
    during = [row for row in said if row["when"] == "during"]
    return [((row["t_ns"] - window.start_ns) / 1e9, row["said"]) for row in during]


def _inside(samples: pd.DataFrame, window: Window, load: Load) -> pd.DataFrame:
    """Return the samples of a window: of a closed loop what was answered in it, otherwise what was due in it."""
    if isinstance(load, Pause):
        return samples[:0]
    moment = samples["end_ns" if isinstance(load, Level) else "scheduled_ns"]
    return samples[moment.between(window.start_ns, window.end_ns, inclusive="left")]


def _counts_failures(strategy: Strategy, subject: str, load: str) -> bool:
    """Whether a law is about the failures of a contender under a load."""
    return any((law.subject, law.load) == (subject, load) and law.figure is FAILURES for law in strategy.laws)


def _load_reasons(load: Load, observed: Observed, resources: pd.DataFrame, counts_failures: bool) -> list[Reason]:
    """Return why the figures of one load are INVALID: failures that no law is about, or a generator at its limit."""
    samples = observed.samples
    reasons: list[Reason] = []
    failed = samples[~samples["ok"]]
    if len(failed) and not counts_failures:
        reasons.append(because("errors", errors=len(failed), example=str(failed["error"].iloc[0])))
    if not len(samples) and not isinstance(load, Pause):
        reasons.append(because("silent"))
    if isinstance(load, Arrivals) and (late := late_arrivals(samples)) > most_late(len(samples)):
        reasons.append(because("late_arrivals", late=late, dropped=0))
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


def _entry(strategy: Strategy, subjects: Mapping[str, Evidence]) -> StrategySummary:
    return StrategySummary(
        title=strategy.title,
        trouble=strategy.trouble,
        claim=strategy.claim,
        source=strategy.source,
        use_when=strategy.use_when,
        laws=tuple(_law(law, subjects[law.subject]) for law in strategy.laws),
        seen=tuple(Result(**_result(each, subjects[each.subject])) for each in strategy.seen),
        gain=_gain(strategy.gain, subjects) if strategy.gain else None,
        charts=tuple(chart_data(chart, strategy, subjects) for chart in strategy.charts),
        over_time=tuple(over_time_data(each, subjects) for each in strategy.over_time),
        stages=tuple(stages_data(each, subjects) for each in strategy.stages),
        not_available={name: each.not_available for name, each in subjects.items() if each.not_available},
    )


def _result(asked: Law | Seen, subject: Evidence) -> dict[str, Any]:
    by_block = subject.values(asked.figure, asked.load)
    known = subject.known(asked.figure, asked.load)
    # A figure that one block lacks, such as the statistics of a service that did not answer, rests on the others.
    lacking = [because("not_measured").at(block=block) for block, value in by_block.items() if value is None and known]
    return {
        "says": asked.says,
        "subject": asked.subject,
        "load": asked.load,
        "figure": asked.figure.name,
        "unit": asked.figure.unit,
        "value": _rounded(float(np.median(known))) if known else None,
        "by_block": tuple(_rounded(value) for value in by_block.values()),
        "reasons": (*subject.reasons_of(asked.load), *lacking),
    }


def _law(law: Law, subject: Evidence) -> LawResult:
    """Judge a law by the median of the blocks; a count that must be exact by the worst, since a median hides it."""
    result = _result(law, subject)
    known = subject.known(law.figure, law.load)
    is_count = law.at_least == law.at_most or law.figure is FAILURES
    value = max(known, key=lambda each: abs(each - law.expected)) if known and is_count else None
    if known and value is None:
        value = float(np.median(known))
    held = law.at_least <= value <= law.at_most if value is not None and not result["reasons"] else None
    bounds = {"expected": law.expected, "at_least": law.at_least, "at_most": law.at_most}
    return LawResult(**{**result, "value": _rounded(value)}, **bounds, contrast=law.contrast, held=held)


def _gain(gain: Gain, subjects: Mapping[str, Evidence]) -> GainResult:
    better, worse = (subjects[name].values(gain.figure, gain.load) for name in (gain.better, gain.worse))
    pairs = [(better[block], worse[block]) for block in better if block in worse]
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


def _against(subjects: Mapping[str, Mapping[str, Evidence]]) -> dict[str, list[Reason]]:
    """Return the reasons against each contender, of all strategies that measure it and of all loads."""
    found: dict[str, list[Reason]] = {}
    for strategy, own in subjects.items():
        for name, subject in own.items():
            reasons = [*subject.reasons, *(reason for each in subject.by_load.values() for reason in each)]
            where = [", ".join(filter(None, (strategy, reason.part))) for reason in reasons]
            found.setdefault(name, []).extend(r.at(part=part) for r, part in zip(reasons, where, strict=True))
    return found


def _findings(summary: StrategiesSummary) -> list[Finding]:
    """Return each law that could be told as a finding."""
    return [
        finding(QUESTION, law.subject, f"{law.figure}_{law.load}".rstrip("_"), law.unit, law.value, law.reasons)
        for law in summary.judged
        if law.value is not None
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
