"""What a request costs each process, learnt from light load alone: steady levels and bursts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.analysis.level_figures import LevelFigures
from benchmark.experiments.prediction.bursts import MAX_BUSY, Burst
from benchmark.experiments.prediction.simulation import Demand, constant
from benchmark.record.columns import GENERATOR_ROLE


class NotCalibrated(Exception):
    """There is not enough light load to learn from."""


@dataclass(frozen=True)
class Demands:
    """CPU per request in ms by process; and which levels and bursts taught it."""

    scoring_ms: float  # without a backlog; with one, see `in_burst`
    model_ms: float
    store_ms: float
    mean_ms: float  # measured latency of a single user
    bursts: tuple[Burst, ...]
    levels: tuple[int, ...]  # users

    @property
    def sizes(self) -> list[int]:
        """The sizes of the bursts."""
        return sorted({burst.size for burst in self.bursts})

    def asks(self, size: int) -> int:
        """Return how often each user of a burst of this size asked."""
        return next(burst.asks for burst in self.bursts if burst.size == size)

    def in_burst(self, size: int, role: str) -> float:
        """Return the CPU per request of a process in bursts of a size, in ms."""
        return _in_burst(self.bursts, size, role)


@dataclass(frozen=True)
class GeneratorDemand:
    """CPU per request of the load generator, a straight line over the logarithm of the rate.

    The generator is the same program for every contender, so their light levels are pooled.
    """

    at_1_rps: float
    slope: float
    least_ms: float

    def at(self, rps: float) -> Demand:
        return constant(max(self.at_1_rps + self.slope * math.log(max(rps, 1.0)), self.least_ms))


def learn(levels: Sequence[LevelFigures], bursts: Sequence[Burst]) -> Demands:
    """Return the demands of one contender from all its light levels (of all blocks) and its bursts.

    Levels and bursts at which the scoring process used more than half a core are left out. Without a
    backlog a request costs what it does at the highest of these levels. Raises NotCalibrated.
    """
    light = [level for level in levels if level.n and level.cpu_share.get("scoring", 1.0) <= MAX_BUSY]
    singles = [level.mean_ms for level in light if level.users == 1]
    if not singles:
        raise NotCalibrated("no light level with a single user")
    highest = max(level.users for level in light)
    top = [level.cpu_ms_per_request for level in light if level.users == highest]
    quiet = {role: float(np.mean([cpu[role] for cpu in top if role in cpu])) for role in top[0]}
    allowed = tuple(burst for burst in bursts if burst.busy["scoring"] <= MAX_BUSY)
    return Demands(
        scoring_ms=quiet["scoring"],
        model_ms=_when_busy(allowed, "model", quiet),
        store_ms=_when_busy(allowed, "redis", quiet),
        mean_ms=float(np.mean(singles)),
        bursts=allowed,
        levels=tuple(sorted({level.users for level in light})),
    )


def _in_burst(bursts: Sequence[Burst], size: int, role: str) -> float:
    """Return the CPU per request in bursts of one size, the mean over all blocks.

    What few bursts cost more than the others, as when garbage is collected, comes once in so many requests
    of any size: it is spread evenly over all.
    """
    seldom_ms = sum(b.seldom_ms.get(role, 0.0) * b.requests for b in bursts) / sum(b.requests for b in bursts)
    return float(np.mean([b.cpu_ms.get(role, 0.0) for b in bursts if b.size == size])) + seldom_ms


def _when_busy(bursts: Sequence[Burst], role: str, quiet: Mapping[str, float]) -> float:
    """Return what a request costs a process that has work for more than a moment: in the two largest sizes."""
    largest = sorted({burst.size for burst in bursts})[-2:]
    return float(np.mean([_in_burst(bursts, size, role) for size in largest])) if largest else quiet.get(role, 0.0)


def learn_generator(levels: Sequence[LevelFigures]) -> GeneratorDemand:
    """Return the generator's demand from the levels of all contenders. Raises NotCalibrated."""
    points = [
        (math.log(level.rps), level.cpu_ms_per_request[GENERATOR_ROLE])
        for level in levels
        if level.n and level.rps > 1 and GENERATOR_ROLE in level.cpu_ms_per_request
    ]
    if len(points) < 2:
        raise NotCalibrated("the load generator was seen at fewer than two levels")
    log_rps, cpu_ms = map(np.array, zip(*points, strict=True))
    slope, at_1_rps = np.polyfit(log_rps, cpu_ms, 1) if np.ptp(log_rps) > 0.1 else (0.0, 0.0)
    if slope >= 0:  # requests do not become dearer with the rate: what looks so is noise
        slope, at_1_rps = 0.0, cpu_ms.mean()
    return GeneratorDemand(float(at_1_rps), float(slope), 0.5 * float(cpu_ms.min()))
