"""What a contender did under a fault: samples, and the fault as it was, beside what the contract allows."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from benchmark.analysis.reasons import Reason, because
from benchmark.experiments.under_fire.evidence import disturbed, late, memory_mb, rounded, saturated, why_not
from benchmark.experiments.under_fire.observed import (
    OK,
    answers_in,
    course,
    good_rps,
    no_answers_in,
    recovery_s,
    samples_of_trial,
    unexplained,
    usual_limit_ns,
    usual_share,
)
from benchmark.experiments.under_fire.plan import SLACK_S, Trouble
from benchmark.experiments.under_fire.schema import TroubleResult
from benchmark.measure.faults import FAULTS
from benchmark.record.damage import reading
from benchmark.record.run import Run, TrialRecord, Window

_NS: Final = 1e9


def trouble_result(
    run: Run, trouble: Trouble, trial: TrialRecord | None, row: Mapping[str, Any] | None, label: str, deadline_s: float
) -> TroubleResult:
    """Return what a contender did under a fault. Raises RecordError."""
    if trial is None or trial.status != "measured" or not trial.windows or row is None:
        return TroubleResult(contender=label, reasons=(why_not(trial),))
    window, resources = trial.windows[0], run.cell_resources(trial)
    with reading(run.path / FAULTS):
        start_ns, end_ns, orphans = float(row["start_ns"]), float(row["end_ns"]), int(row["orphans"])
    samples = samples_of_trial(run, trial)
    due = samples[samples["scheduled_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
    if not len(due):
        return TroubleResult(contender=label, reasons=(because("silent"),))
    last_ns = float(due["scheduled_ns"].max())
    before = due[due["end_ns"] < start_ns]
    good = before[before["outcome"] == OK]
    limit_ns = usual_limit_ns(good)
    odd = unexplained(due, {*map(str, trouble.statuses), *trouble.no_answers}, start_ns, end_ns + deadline_s * _NS)
    return TroubleResult(
        contender=label,
        sent=len(due),
        answers=answers_in(due),
        no_answers=no_answers_in(due),
        hanging=hanging(due, deadline_s),
        unexplained=len(odd),
        example=example(odd, start_ns),
        before_rps=rounded(good_rps(due, window.start_ns, start_ns)),
        during_rps=rounded(good_rps(due, start_ns, end_ns)),
        after_rps=rounded(good_rps(due, end_ns, last_ns)),
        longest_ms=rounded(float(due["response_ms"].max())),
        recovery_s=rounded(recovery_s(due, end_ns, last_ns, usual_share(before, limit_ns), limit_ns)),
        orphans=orphans,
        memory_mb=memory_mb(resources, window.start_ns, window.end_ns),
        begun_s=round((start_ns - window.start_ns) / _NS, 3),
        over_s=round((end_ns - window.start_ns) / _NS, 3),
        observed_s=round((last_ns - end_ns) / _NS, 3),
        course=course(due, window.start_ns, last_ns),
        reasons=tuple(_against(due, good, resources, window, last_ns)),
    )


def hanging(samples: pd.DataFrame, deadline_s: float) -> int:
    """Return how many had no answer by the deadline, and a little more for the load generator."""
    return int((samples["latency_ns"] > (deadline_s + SLACK_S) * _NS).sum())


def example(odd: pd.DataFrame, start_ns: float) -> str:
    """Return the first of what nothing explains, in words; empty without any."""
    if not len(odd):
        return ""
    first = odd.sort_values("end_ns").iloc[0]
    error = str(first["error"]).partition(": ")[2] if isinstance(first["error"], str) else ""
    return f"{error or first['outcome']}, {(first['end_ns'] - start_ns) / _NS:+.1f} s from its begin"


def _against(
    due: pd.DataFrame, good: pd.DataFrame, resources: pd.DataFrame, window: Window, last_ns: float
) -> list[Reason]:
    span = (window.start_ns, last_ns)
    silent = [] if len(good) else [because("no_answer", blocks="1")]
    return [*silent, *late(due), *saturated(resources, *span), *disturbed(resources, [span])]
