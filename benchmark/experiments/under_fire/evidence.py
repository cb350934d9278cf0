"""What speaks against a trial: a generator at its limit, other programs; and how much memory a service took."""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from benchmark.analysis.reasons import Reason, because, failure
from benchmark.analysis.validity import MAX_GENERATOR_CPU, disturbance_reasons, most_late
from benchmark.measure.levels import generator_role
from benchmark.measure.locust_process import late_arrivals
from benchmark.record.resources import cpu_ns_between, disturbance_between
from benchmark.record.run import TrialRecord

_SCORING: Final = "scoring"


def why_not(trial: TrialRecord | None) -> Reason:
    """Return why there is nothing of a trial."""
    if trial is not None and trial.status == "failed":
        return failure(trial.code, trial.reason)
    return because("not_measured")


def late(samples: pd.DataFrame) -> list[Reason]:
    """Return the reason if too many arrivals were sent late."""
    count = late_arrivals(samples)
    return [because("late_arrivals", late=count, dropped=0)] if count > most_late(len(samples)) else []


def saturated(resources: pd.DataFrame, start_ns: float, end_ns: float, generators: int = 1) -> list[Reason]:
    """Return the reason if one of the load generators was at its limit."""
    if end_ns <= start_ns:
        return []
    shares = [
        cpu_ns_between(own, int(start_ns), int(end_ns)) / (end_ns - start_ns)
        for own in (resources[resources["role"] == generator_role(number)] for number in range(generators))
        if len(own)
    ]
    worst = max(shares, default=0.0)
    return [because("generator_saturated", share=worst)] if worst > MAX_GENERATOR_CPU else []


def disturbed(resources: pd.DataFrame, spans: Sequence[tuple[float, float]]) -> list[Reason]:
    """Return the reasons if others used too much of the machine in one of these times."""
    return disturbance_reasons([disturbance_between(resources, int(start), int(end)) for start, end in spans])


def memory_mb(resources: pd.DataFrame, start_ns: float, end_ns: float) -> float | None:
    """Return the most memory that the scoring handler took between two moments; None if it was not seen."""
    own = resources[(resources["role"] == _SCORING) & resources["t_ns"].between(start_ns, end_ns)]
    return round(float(own["rss_bytes"].max()) / 1e6, 1) if len(own) else None


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
