"""What a service promises under load, and the rate up to which it keeps that."""

from dataclasses import dataclass

FOLLOWS = 0.95  # of the offer


P95_LIMIT = 3.0  # times the p95 at low load


@dataclass(frozen=True)
class BreakingPoint:
    """The highest rate that was followed, with its 95 % interval; `broke` False if no bin was beyond it."""

    rps: float
    low_rps: float
    high_rps: float
    broke: bool
    reason: str
