"""The model: it blocks the worker for as long as the job's number says, and may keep what it has predicted."""

import math
import random
import time
from collections.abc import MutableMapping, Sequence

from cachetools import LRUCache

from contract.errors import BadModelAnswer
from strategies.job_huey.settings import JobSettings


class Model:
    """A model in one worker. Its cache, if it has one, is part of the process, and gone with it."""

    def __init__(self, settings: JobSettings) -> None:
        self._bounds_ms = (settings.model_min_ms, settings.model_max_ms)
        self._kept: MutableMapping[tuple[float, ...], float] | None = (
            LRUCache(settings.cached) if settings.cached else None
        )
        self.hits = self.misses = 0

    def predict(self, numbers: Sequence[float], seed: int) -> float:
        """Return twice the sum, at once if it is known. Raises BadModelAnswer if it has none."""
        key = tuple(numbers)
        if self._kept is not None and key in self._kept:
            self.hits += 1
            return self._kept[key]
        self.misses += 1
        total = _predict(numbers, random.Random(seed).uniform(*self._bounds_ms))
        if self._kept is not None:
            self._kept[key] = total
        return total


def _predict(numbers: Sequence[float], model_ms: float) -> float:
    """Return twice the sum. Raises BadModelAnswer for a negative number, and for a sum that is too large for JSON."""
    time.sleep(model_ms / 1e3)
    if min(numbers) < 0:
        raise BadModelAnswer("The model has no answer for a negative number.")
    total = 2 * sum(numbers)
    if not math.isfinite(total):
        raise BadModelAnswer("The model has no answer for numbers that are so large.")
    return total
