"""The record of a run -> its summary: the prediction as it was written, and beside it what was measured."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason
from benchmark.analysis.summary import failures_of, summary_head
from benchmark.errors import RecordError
from benchmark.experiments.sizing.capacity import Configuration
from benchmark.experiments.sizing.measure import PREDICTION
from benchmark.experiments.sizing.outlook import Assumed, assumptions
from benchmark.experiments.sizing.plan import LADDER, WARMUP_WINDOWS
from benchmark.experiments.sizing.schema import PlanEntry, PlanSummary, VerifiedRow
from benchmark.experiments.sizing.verify import measured_capacity
from benchmark.load.objectives import Objective
from benchmark.record.damage import WHAT_TO_DO, reading
from benchmark.record.run import SUMMARY, Run, TrialRecord

QUESTION: Final = "What must I run to keep my promise at this rate, and what does it cost?"
CLOSE: Final = 0.15  # predicted / measured - 1, at most, for a prediction to count as close


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError."""
    manifest, trials, plan = run.manifest, run.trials(), run.manifest["plan"]
    foretold = _foretold(run)
    objectives = [Objective(**each) for each in plan["objectives"]]
    with reading(run.path / PREDICTION):
        entries = {
            name: _entry(run, row, objectives, [trial for trial in trials if trial.contender == name])
            for name, row in (foretold["contenders"] if foretold else {}).items()
        }
    expected = sum(len(entry.verified) for entry in entries.values())
    done = [trial for trial in trials if trial.status != "interrupted"]
    complete = not run.interrupted and bool(foretold) and len(done) >= expected
    measured = f"{len(done)} of {expected} configurations were measured"
    rows = [row for entry in entries.values() for row in entry.verified]
    errors = [row.error for row in rows if row.error is not None and not row.reasons]
    summary = PlanSummary(
        **summary_head(manifest, {name: entry.reasons for name, entry in entries.items()}, complete, measured),
        rate_rps=plan["rate_rps"],
        objectives=tuple(each.written for each in objectives),
        price=plan["price"],
        source=plan["source"],
        shape=plan["shape"],
        predicted_utc=foretold.get("written_utc", ""),
        assumptions=tuple(assumptions(Assumed(**plan["assumed"]))),
        refused=foretold.get("refused", {}),
        within=sum(abs(error) <= CLOSE for error in errors),
        verified=len(errors),
        contenders=entries,
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def _foretold(run: Run) -> dict[str, Any]:
    """Return the prediction; nothing if the run ended before there was any."""
    if not (run.path / PREDICTION).exists():
        if not run.interrupted and run.manifest.get("finished_utc"):
            raise RecordError(f"{run.path / PREDICTION} is missing: {WHAT_TO_DO}")
        return {}
    found = run.read_json(PREDICTION)
    with reading(run.path / PREDICTION):
        return {"contenders": dict(found["contenders"]), "refused": dict(found["refused"]), **found}


def _entry(
    run: Run, row: Mapping[str, Any], objectives: Sequence[Objective], trials: Sequence[TrialRecord]
) -> PlanEntry:
    verified = []
    for here in row.get("here", ()) if run.manifest["plan"]["verify"] else ():
        if here["rps"]:
            part = Configuration(here["threads"], here["workers"]).part
            own = [trial for trial in trials if trial.part == part]
            verified.append(_verified(run, here, objectives, own))
    reasons = [*failures_of(trials), *(reason for each in verified for reason in each.reasons)]
    return PlanEntry(**{**row, "verified": verified, "valid": not reasons, "reasons": reasons})


def _verified(
    run: Run, here: Mapping[str, Any], objectives: Sequence[Objective], trials: Sequence[TrialRecord]
) -> VerifiedRow:
    row = VerifiedRow(
        threads=here["threads"], workers=here["workers"], predicted_rps=here["rps"], bound_rps=here["bound_rps"]
    )
    windows = [trial for trial in trials if len(trial.windows) > WARMUP_WINDOWS]
    if not windows:
        return row
    trial = windows[-1]
    rates = [share * here["rps"] for share in LADDER]
    found = measured_capacity(run, trial, rates, trial.windows[WARMUP_WINDOWS:], objectives)
    return row.model_copy(
        update={
            "measured_rps": found.rps,
            "kept_rps": found.kept_rps,
            "broken_rps": found.broken_rps,
            "error": here["rps"] / found.rps - 1 if found.rps else None,
            "reasons": tuple(_at(found.reasons, trial.part)),
        }
    )


def _at(reasons: Sequence[Reason], part: str) -> Iterator[Reason]:
    for reason in reasons:
        yield reason.at(part=part)


def _findings(summary: PlanSummary) -> Iterator[Finding]:
    for name, entry in summary.contenders.items():
        if entry.chosen and entry.scoring and entry.per_million is not None:
            yield finding(QUESTION, name, "replicas", "pods", entry.scoring.replicas, ())
            yield finding(QUESTION, name, "capacity_per_pod_rps", "rps", entry.chosen.rps, ())
            yield finding(QUESTION, name, "cost_per_million", "", round(entry.per_million, 4), ())
