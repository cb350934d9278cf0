"""The figures by which two runs of a promise are compared."""

from benchmark.analysis.comparable import Comparable
from benchmark.analysis.validity import run_reasons
from benchmark.experiments.promise.schema import Outcome, PromiseSummary
from benchmark.record.run import Run

_ABSENT = "none under the same load"


def comparable(run: Run, label: str, _: int | None) -> list[Comparable]:
    """Return how many requests kept each objective, within how long, and what one cost: of the same load only."""
    summary = PromiseSummary.model_validate(run.summary)
    entry, load = summary.contenders[label], f"{summary.shape}, seed {run.manifest['seed']}"
    valid = entry.valid and not run_reasons(run.manifest["busy_before_start"])
    found = [each for outcome in entry.outcomes for each in _of(outcome, "", valid, load)]
    found += [each for outcome in entry.accepted for each in _of(outcome, " of the first answer", valid, load)]
    if entry.cpu_ms_per_request is not None:
        found.append(Comparable("CPU per request", "ms", True, (entry.cpu_ms_per_request,), valid, load, _ABSENT))
    return found


def _of(outcome: Outcome, until: str, valid: bool, load: str) -> list[Comparable]:
    if not outcome.requests:
        return []
    kept_pct = 100 * (1 - outcome.bad / outcome.requests)
    found = [Comparable(f"kept {outcome.objective}{until}", "%", False, (kept_pct,), valid, load, _ABSENT)]
    if outcome.measured_ms is not None:
        quantile = outcome.objective.partition("<")[0]
        found.append(Comparable(f"{quantile}{until}", "ms", True, (outcome.measured_ms,), valid, load, _ABSENT))
    return found
