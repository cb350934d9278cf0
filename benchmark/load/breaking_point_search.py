"""What is asked of a rate in the search of the breaking point: goodput follows it, and the p95 meets its limit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.load.slo import FOLLOWS


@dataclass(frozen=True)
class TryOutcome:
    """The outcome of a trial, as shares of all arrivals that were scheduled after its warm-up."""

    answered: float  # correctly, in time or not
    in_time: float  # correctly and in time

    @property
    def sustained(self) -> bool:
        """Whether goodput followed the offered rate and the p95 of all arrivals met its limit."""
        return self.in_time >= FOLLOWS

    @property
    def reason(self) -> str:
        """Which of the two failed; empty if neither did."""
        if self.sustained:
            return ""
        return "p95" if self.answered >= FOLLOWS else "goodput"


def judge(
    scheduled_s: NDArray[np.float64],
    answered_s: NDArray[np.float64],
    latency_ms: NDArray[np.float64],
    since_s: float,
    until_s: float,
    limit_ms: float,
) -> TryOutcome:
    """Return the outcome of the arrivals that were scheduled between two moments (seconds since the start).

    `scheduled_s` holds all scheduled times, `answered_s` those that were answered correctly, with their latencies
    from the scheduled time.
    """
    due = int(np.sum((scheduled_s >= since_s) & (scheduled_s < until_s)))
    inside = (answered_s >= since_s) & (answered_s < until_s)
    if not due:
        return TryOutcome(0.0, 0.0)
    return TryOutcome(float(inside.sum()) / due, float((inside & (latency_ms <= limit_ms)).sum()) / due)
