"""The model: it blocks its thread for as long as it is told, and fails for a marked job."""

import math
import random
import time
from collections.abc import Sequence

from contract.errors import BadModelAnswer
from strategies.push_worker.parameters import POISON
from strategies.push_worker.summary import summary_of


def predict(numbers: Sequence[float], duration_ms: float) -> bytes:
    """Return the summary of some numbers. Raises BadModelAnswer."""
    time.sleep(duration_ms / 1e3)
    if numbers[0] == POISON or not math.isfinite(2 * sum(numbers)):
        raise BadModelAnswer("The model has no answer for these numbers.")
    return summary_of(numbers)


def duration_ms(key: str, mean_ms: float, spread_ms: float) -> float:
    """Return how long the model takes for a job: the same whenever it is done."""
    return random.Random(key).uniform(mean_ms - spread_ms, mean_ms + spread_ms)
