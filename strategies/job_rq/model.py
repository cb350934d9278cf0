"""The model: it blocks its process, for a time that depends on the job alone, and needs no CPU meanwhile."""

import math
import random
import time
from collections.abc import Sequence

from contract.errors import BadModelAnswer


def duration_ms(job_id: str, shortest_ms: float, longest_ms: float) -> float:
    """Return how long the model takes for a job: the same whenever it is run again."""
    return random.Random(job_id).uniform(shortest_ms, longest_ms)


def predict(numbers: Sequence[float], takes_ms: float) -> float:
    """Return twice the sum. Raises BadModelAnswer for a negative number, and for a sum that is too large."""
    time.sleep(takes_ms / 1e3)
    if min(numbers) < 0:
        raise BadModelAnswer("The model has no answer for a negative number.")
    total = 2 * sum(numbers)
    if not math.isfinite(total):
        raise BadModelAnswer("The model has no answer for numbers that are so large.")
    return total
