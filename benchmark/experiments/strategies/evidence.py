"""All that was observed of one contender or computation of a strategy, and what speaks against it."""

from dataclasses import dataclass, field

import numpy as np

from benchmark.analysis.reasons import Reason, because
from benchmark.experiments.strategies.law import Figure
from benchmark.experiments.strategies.observed import Observed
from benchmark.record.resources import Disturbance


@dataclass
class Evidence:
    """Observations by load and block, and reasons why figures are INVALID."""

    observed: dict[tuple[str, int], Observed] = field(default_factory=dict)  # by load and block
    reasons: list[Reason] = field(default_factory=list)  # against all of it
    by_load: dict[str, list[Reason]] = field(default_factory=dict)
    disturbed: list[Disturbance] = field(default_factory=list)
    not_available: str = ""
    run_invalid: bool = False

    def reasons_of(self, load: str) -> list[Reason]:
        condemned = [because("run_invalid")] if self.run_invalid and self.observed else []
        return [*condemned, *self.reasons, *self.by_load.get(load, [])]

    def values(self, figure: Figure, load: str) -> dict[int, float | None]:
        """Return a figure by block."""
        found = {block: figure.of(seen) for (name, block), seen in sorted(self.observed.items()) if name == load}
        return {block: value if value is not None and np.isfinite(value) else None for block, value in found.items()}

    def known(self, figure: Figure, load: str) -> list[float]:
        """Return a figure in each block where it can be told."""
        return [value for value in self.values(figure, load).values() if value is not None]
