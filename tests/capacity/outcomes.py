"""The table of how well `capacity` finds known capacities."""

from dataclasses import dataclass, field

import numpy as np

from benchmark.experiments.capacity.curve import Estimate

HEAD = f"{'law':<10}{'truth/s':>9}{'holds it':>12}{'half-width':>12}{'median off':>12}{'minutes':>10}{'most':>8}"


@dataclass
class Outcome:
    """What a number of searches found; None where one had no interval, which does not hold the truth."""

    name: str
    truth_rps: float
    found: list[Estimate | None] = field(default_factory=list)
    minutes: list[float] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(map(self._holds, self.found))

    @property
    def half_widths(self) -> list[float]:
        return [each.half_width for each in self.found if each]

    @property
    def row(self) -> str:
        off = np.median([each.rps / self.truth_rps - 1 for each in self.found if each] or [np.nan])
        return (
            f"{self.name:<10}{self.truth_rps:>9.1f}{f'{self.held} of {len(self.found)}':>12}"
            f"{np.median(self.half_widths or [np.nan]):>12.1%}{off:>+12.1%}"
            f"{np.median(self.minutes):>10.1f}{max(self.minutes):>8.1f}"
        )

    def recorded(self, first: int) -> dict[str, object]:
        """Return what doc/recorded keeps of it, and how many of the first searches held the truth."""
        return {
            "name": f"capacity, {self.name}",
            "law": self.name,
            "held": self.held / len(self.found),
            "held_in_first": sum(map(self._holds, self.found[:first])),
            "half_width": round(float(np.median(self.half_widths)), 4),
            "minutes": round(float(np.median(self.minutes)), 2),
        }

    def _holds(self, found: Estimate | None) -> bool:
        return found is not None and found.low_rps <= self.truth_rps <= found.high_rps
