"""How much is measured of a contender before its rates are predicted."""

from dataclasses import dataclass

SIZES = (16, 32, 64, 128)  # users; fewer of them are as many as the light levels have


@dataclass(frozen=True)
class CalibrationPlan:
    """The bursts that follow the light levels of a contender."""

    burst_s: float  # for the bursts of each size
    burst_sizes: tuple[int, ...] = SIZES
