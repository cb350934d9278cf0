"""The fake model: how long an answer takes and what it costs. It draws, it never sleeps.

The service that asks `FakeModel.draw_s()` does the waiting, in its own way.
"""

import math
import os
import random
import time
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contract.settings import Settings


class FakeModel:
    """Draws the durations of one process's answers, the same sequence for the same seed."""

    def __init__(self, settings: "Settings") -> None:
        # Several workers must not all draw the same sequence; one worker must draw a known one.
        seed = settings.model_seed if settings.workers == 1 else f"{settings.model_seed}-{os.getpid()}"
        self._random = random.Random(seed)
        self._quantile = quantile_function(settings)
        self._cpu_s = settings.model_cpu_ms / 1e3

    def draw_s(self) -> float:
        """Return the duration of the next answer in seconds, to the microsecond."""
        return round(self._quantile(self._random.random()), 6)

    def burn_cpu(self) -> None:
        """Compute for the model's CPU time: as this thread's CPU clock counts it, not the wall's."""
        if not self._cpu_s:
            return
        until_s = time.thread_time() + self._cpu_s
        while time.thread_time() < until_s:
            pass


def quantile_function(settings: "Settings") -> "QuantileFunction":
    """Return the law of a model's duration as its quantile function."""
    return QuantileFunction(
        settings.model_law,
        settings.model_min_ms / 1e3,
        settings.model_max_ms / 1e3,
        settings.model_sigma,
    )


class QuantileFunction:
    """A law's inverse distribution function, from (0, 1) to seconds.

    - `uniform`: between min and max
    - `constant`: always halfway between min and max
    - `lognormal`: median halfway between min and max, `sigma` the sd of its logarithm
    """

    def __init__(self, law: str, min_s: float, max_s: float, sigma: float) -> None:
        self.law = law
        self._min_s = min_s
        self._width_s = max_s - min_s
        self._median_s = (min_s + max_s) / 2
        self._sigma = sigma
        self._normal = NormalDist()

    def __call__(self, u: float) -> float:
        if self.law == "uniform":
            return self._min_s + self._width_s * u
        if self.law == "constant":
            return self._median_s
        return self._median_s * math.exp(self._sigma * self._normal.inv_cdf(min(max(u, 1e-12), 1 - 1e-12)))

    @property
    def bounds_s(self) -> tuple[float, float]:
        """The range in which every draw lies, in seconds."""
        if self.law == "uniform":
            return self._min_s, self._min_s + self._width_s
        return self(0.0), self(1.0)

    def expected_max_s(self, draws: int) -> float:
        """Return the mean of the largest of independent draws, in seconds; of one draw, the mean.

        E[max of n] = integral over u of n u^(n-1) Q(u) (David & Nagaraja, Order Statistics, 3rd ed.,
        section 3.1), by the midpoint rule.
        """
        steps = 20_000
        midpoints = ((i + 0.5) / steps for i in range(steps))
        return math.fsum(draws * u ** (draws - 1) * self(u) for u in midpoints) / steps


def latency_floor_ms(settings: "Settings", floor: str) -> float:
    """Return the mean latency that no implementation can beat, in ms.

    `floor` says how the models are asked: `sum` one after the other, `max` all at once,
    `none` not at all.
    """
    models = len(settings.model_urls)
    quantile = quantile_function(settings)
    match floor:
        case "sum":
            return models * (quantile.expected_max_s(1) * 1e3 + settings.model_cpu_ms)
        case "max":
            return quantile.expected_max_s(models) * 1e3 + settings.model_cpu_ms
        case "none":
            return 0.0
    raise ValueError(f"floor is {floor!r}, expected 'sum', 'max' or 'none'")
