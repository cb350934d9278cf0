"""The record of a selftest -> its summary: what the generator said beside what was so, and each check."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.summary import failures_of, summary_head
from benchmark.analysis.validity import disturbance_reasons
from benchmark.contenders.discovery import Contender
from benchmark.experiments.selftest.graded import graded
from benchmark.experiments.selftest.observed import Observed, observe
from benchmark.experiments.selftest.plan import ABSORBER, AT_ONCE, BIMODAL, EXPONENTIAL
from benchmark.experiments.selftest.schema import Check, Entry, Errors, SelftestSummary, Verdict
from benchmark.record.manifest import recorded_contenders
from benchmark.record.resources import disturbance_between
from benchmark.record.run import SUMMARY, Run, TrialRecord, read_samples

QUESTION: Final = "Is the load generator telling the truth here?"
MAX_OVERHEAD_P50_MS: Final = 0.3
MAX_ERROR_PCT: Final = 2.0
MAX_LATE_P99_MS: Final = 3.0
_THREE: Final = ("mean", "p50", "p99")


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError."""
    manifest, trials = run.manifest, run.trials()
    planned = int(manifest["plan"]["trials"])
    done = [trial for trial in trials if trial.status != "interrupted"]
    entries = {each.label: _entry(run, each, trials) for each in recorded_contenders(manifest)}
    against = {name: entry.reasons for name, entry in entries.items()}
    # Without the fastest loop there is no ceiling to look for: one trial less, of which a reason tells.
    complete = not run.interrupted and len(done) == len(trials)
    head = summary_head(manifest, against, complete, f"{len(done)} of {planned} trials were measured")
    observed = observe(run)
    checks = _checks(observed)
    summary = SelftestSummary(
        **head,
        verdict_on_generator=_verdict(checks, bool(head["valid"])),
        checks=tuple(checks),
        **observed._asdict(),
        others=tuple(graded(run)),
        contenders=entries,
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def _entry(run: Run, contender: Contender, trials: Sequence[TrialRecord]) -> Entry:
    """Return what speaks against what was measured with a service: failures, wrong answers, other programs.

    What other generators do speaks against nobody but them.
    """
    others = tuple(f"{name}-" for name in run.manifest["plan"]["others"])
    own = [each for each in trials if each.contender == contender.label and not each.part.startswith(others)]
    reasons = failures_of(own) if own else [because("not_measured")]
    for trial in own:
        reasons += [reason.at(part=trial.part) for reason in _wrong_answers(run, trial)]
    seen = [
        disturbance_between(run.cell_resources(trial), window.start_ns, window.end_ns)
        for trial in own
        for window in trial.windows
    ]
    reasons += disturbance_reasons(seen, "window")
    return Entry(title=contender.title, valid=not reasons, reasons=tuple(reasons))


def _wrong_answers(run: Run, trial: TrialRecord) -> list[Reason]:
    samples = read_samples(run.file("samples", trial, ".csv"))
    failed = samples[~samples["ok"]]
    if failed.empty:
        return []
    return [because("errors", errors=len(failed), example=str(failed["error"].iloc[0]))]


def _checks(observed: Observed) -> list[Check]:
    """Return every bound with what was measured; None where there were too few requests, or no trial."""
    overhead, stall = observed.overhead, observed.stall
    checks = [
        Check(figure="overhead_p50_ms", says="added at one user, p50", limit=MAX_OVERHEAD_P50_MS, unit="ms",
              value=overhead.p50_ms if overhead else None),
        *_error_checks("stall", "over the stall", stall.errors if stall else None),
    ]  # fmt: skip
    found = {each.part: each for each in observed.laws}
    for part in (EXPONENTIAL, BIMODAL):
        checks += _error_checks(part, f"under the {part} law", found[part].errors if part in found else None)
    late_ms = [each.late_p99_ms for each in observed.laws]
    value = None if None in late_ms or not late_ms else max(each for each in late_ms if each is not None)
    checks.append(
        Check(figure="late_p99_ms", says="arrivals sent late, p99", limit=MAX_LATE_P99_MS, unit="ms", value=value)
    )
    return checks


def _error_checks(key: str, where: str, errors: Errors | None) -> list[Check]:
    values = errors.three if errors else (None, None, None)
    return [
        Check(
            figure=f"{key}_{name}_pct",
            says=f"error of the {name} {where}",
            value=None if value is None else abs(value),
            limit=MAX_ERROR_PCT,
            unit="%",
        )
        for name, value in zip(_THREE, values, strict=True)
    ]


def _verdict(checks: Sequence[Check], valid: bool) -> Verdict:
    """Return whether the generator may be trusted: nothing can be told where others used the machine, or by half."""
    states = {check.ok for check in checks}
    if not valid or None in states:
        return Verdict.UNTOLD
    return Verdict.FAILED if False in states else Verdict.PASSED


def _findings(summary: SelftestSummary) -> Iterator[Finding]:
    absorber, at_once = summary.contenders[ABSORBER].reasons, summary.contenders[AT_ONCE].reasons
    for check in summary.checks:
        if check.value is not None:
            yield finding(QUESTION, ABSORBER, check.figure, check.unit, check.value, absorber)
    if summary.ceiling_rps is not None:
        yield finding(QUESTION, AT_ONCE, "ceiling_rps", "rps", summary.ceiling_rps, at_once)
