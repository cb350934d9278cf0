"""The service level objective (SLO) of a load test, and the breaking point: the highest rate that meets it."""

from dataclasses import dataclass

FOLLOWS = 0.95  # share of the offered rate that must be answered


P95_LIMIT = 3.0  # times the p95 at low load


@dataclass(frozen=True)
class BreakingPoint:
    """The highest sustained rate with its 95 % interval; `broke` is False if no higher rate failed."""

    rps: float
    low_rps: float
    high_rps: float
    broke: bool
    reason: str
