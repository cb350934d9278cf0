"""The model: it blocks its thread for as long as it is told, and fails for a marked job."""

import random
import time
from collections.abc import Sequence
from typing import Final

from contract.errors import BadModelAnswer

POISON: Final = -1313.0  # a job that begins with this number fails however often it is tried


def predict(numbers: Sequence[float], duration_ms: float) -> float:
    """Return twice the sum. Raises BadModelAnswer."""
    time.sleep(duration_ms / 1e3)
    if numbers[0] == POISON:
        raise BadModelAnswer("The model has no answer for these numbers.")
    return 2 * sum(numbers)


def duration_ms(key: str, mean_ms: float, spread_ms: float) -> float:
    """Return how long the model takes for a job: the same whenever it is done."""
    return random.Random(key).uniform(mean_ms - spread_ms, mean_ms + spread_ms)
