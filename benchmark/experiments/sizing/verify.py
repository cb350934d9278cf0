"""From the rates that a configuration was offered to the capacity that was measured.

`Measured` is all that the rest needs to know: a better way to find a capacity only has to return one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from benchmark.analysis.promises import good_requests
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.validity import MAX_GENERATOR_CPU, disturbance_reasons, most_late
from benchmark.load.objectives import Objective
from benchmark.measure.locust_process import late_arrivals
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import cpu_ns_between, disturbance_between
from benchmark.record.run import Run, TrialRecord, Window, read_samples


@dataclass(frozen=True)
class Measured:
    """A capacity between the highest rate that was kept and the lowest that was broken; None where there was none."""

    kept_rps: float | None
    broken_rps: float | None
    reasons: Sequence[Reason] = ()

    @property
    def rps(self) -> float | None:
        """The middle of the two, if there are two."""
        if self.kept_rps is None or self.broken_rps is None:
            return None
        return (self.kept_rps + self.broken_rps) / 2


def measured_capacity(
    run: Run, trial: TrialRecord, rates_rps: Sequence[float], windows: Sequence[Window], objectives: Sequence[Objective]
) -> Measured:
    """Return the capacity of a trial that was offered ascending rates, each in a window."""
    samples, resources = read_samples(run.file("samples", trial, ".csv")), run.cell_resources(trial)
    kept = broken = None
    for rate_rps, window in zip(rates_rps, windows, strict=False):  # an interrupted trial has fewer
        due = samples[samples["scheduled_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
        if reasons := _reasons(due, resources, window):
            return Measured(kept, broken, reasons)
        if not _is_kept(due, objectives):
            broken = rate_rps
            break
        kept = rate_rps
    return Measured(kept, broken)


def _is_kept(due: pd.DataFrame, objectives: Sequence[Objective]) -> bool:
    latency_ms, ok = due["response_ms"].to_numpy(dtype=float), due["ok"].to_numpy(dtype=bool)
    return all(bool(good_requests(latency_ms, ok, each).mean() >= each.share) for each in objectives)


def _reasons(due: pd.DataFrame, resources: pd.DataFrame, window: Window) -> list[Reason]:
    """Return why a window says nothing. A generator that is late on a machine that it shares is such a reason."""
    if due.empty:
        return [because("silent")]
    reasons: list[Reason] = []
    if (late := late_arrivals(due)) > most_late(len(due)):
        reasons.append(because("late_arrivals", late=late, dropped=0))
    generator = resources[resources["role"] == GENERATOR_ROLE]
    if not generator.empty:
        used = cpu_ns_between(generator, window.start_ns, window.end_ns) / (window.end_ns - window.start_ns)
        if used > MAX_GENERATOR_CPU:
            reasons.append(because("generator_saturated", share=used))
    return reasons + disturbance_reasons([disturbance_between(resources, window.start_ns, window.end_ns)])
