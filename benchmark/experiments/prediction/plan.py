"""How much is measured of a contender before its rates are foretold."""

from dataclasses import dataclass

from benchmark.experiments.prediction.bursts import SIZES


@dataclass(frozen=True)
class CalibrationPlan:
    """The bursts that follow the light levels of a contender."""

    burst_s: float  # for the bursts of each size
    burst_sizes: tuple[int, ...] = SIZES
    seed: int = 1
    free_ports: bool = False
