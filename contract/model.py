"""The fake model: draws how long an answer takes, and burns its CPU time. It never sleeps.

The service that calls `FakeModel.draw_s()` waits for that long, each twin in its own way.
"""

import math
import os
import random
import time
from collections.abc import Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from contract.settings import Settings


class FakeModel:
    """Draws the durations of one process's answers; a seed gives the same sequence again."""

    def __init__(self, settings: "Settings") -> None:
        # With several workers, each needs its own sequence; a single worker's sequence must be reproducible.
        seed = settings.model_seed if settings.workers == 1 else f"{settings.model_seed}-{os.getpid()}"
        self._random = random.Random(seed)
        self._quantile = quantile_function(settings)
        self._cpu_s = settings.model_cpu_ms / 1e3

    def draw_s(self) -> float:
        """Return the duration of the next answer in seconds, to the microsecond."""
        return round(self._quantile(self._random.random()), 6)

    def burn_cpu(self) -> None:
        """Use the model's CPU time, measured by this thread's CPU clock."""
        if not self._cpu_s:
            return
        until_s = time.thread_time() + self._cpu_s
        while time.thread_time() < until_s:
            pass


class ModelLaw(NamedTuple):
    """The settings that determine a model's duration. Fields have the names of the settings."""

    model_law: str
    model_min_ms: float
    model_max_ms: float
    model_sigma: float
    model_cpu_ms: float


def law_in(settings: "Settings") -> ModelLaw:
    """Return the law of a model with these settings."""
    return ModelLaw(*(getattr(settings, name) for name in ModelLaw._fields))


def quantile_function(settings: "Settings | ModelLaw") -> "QuantileFunction":
    """Return the quantile function of a model's duration."""
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

    def probability_below(self, duration_s: float) -> float:
        """Return the probability that a draw is at most this long: the distribution function."""
        if self.law == "uniform" and self._width_s:
            return min(max((duration_s - self._min_s) / self._width_s, 0.0), 1.0)
        if self.law == "lognormal" and self._sigma and self._median_s:
            return self._normal.cdf(math.log(duration_s / self._median_s) / self._sigma) if duration_s > 0 else 0.0
        return float(duration_s >= self._median_s)

    def expected_max_s(self, draws: int) -> float:
        """Return the expected maximum of independent draws, in seconds; for one draw, the mean.

        E[max of n] = integral over u of n u^(n-1) Q(u) (David & Nagaraja, Order Statistics, 3rd ed.,
        section 3.1), by the midpoint rule.
        """
        steps = 20_000
        midpoints = ((i + 0.5) / steps for i in range(steps))
        return math.fsum(draws * u ** (draws - 1) * self(u) for u in midpoints) / steps


def expected_max_ms(models: Sequence["ModelLaw"]) -> float:
    """Return the expected maximum of the models' durations, in ms, each including its CPU time.

    For identical models as an order statistic, see `expected_max_s`; otherwise E[max] = integral over t of
    1 - F1(t) F2(t) ... (David & Nagaraja, Order Statistics, 3rd ed., section 5.2), by the midpoint rule.
    """
    if len(set(models)) == 1:
        return quantile_function(models[0]).expected_max_s(len(models)) * 1e3 + models[0].model_cpu_ms
    laws = [(quantile_function(model), model.model_cpu_ms / 1e3) for model in models]
    longest_s = max(law.bounds_s[1] + cpu_s for law, cpu_s in laws)
    steps = 20_000
    width_s = longest_s / steps
    beyond = (
        1 - math.prod(law.probability_below((i + 0.5) * width_s - cpu_s) for law, cpu_s in laws) for i in range(steps)
    )
    return math.fsum(beyond) * width_s * 1e3


def latency_floor_ms(settings: "Settings", floor: str) -> float:
    """Return `floor_of_models` for the models of the settings, all with the settings' own law."""
    return floor_of_models([law_in(settings)] * len(settings.model_urls), floor)


def floor_of_models(models: Sequence["ModelLaw"], floor: str) -> float:
    """Return the floor in ms: no implementation's mean latency can be lower.

    `floor` says how the models are called: `sum` one after the other, `max` all at once, `none` not at all.
    """
    match floor:
        case "sum":
            return math.fsum(quantile_function(m).expected_max_s(1) * 1e3 + m.model_cpu_ms for m in models)
        case "max":
            return expected_max_ms(models)
        case "none":
            return 0.0
    raise ValueError(f"floor is {floor!r}, expected 'sum', 'max' or 'none'")
