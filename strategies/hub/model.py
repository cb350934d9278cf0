"""The model: it blocks its process for as long as it is told, and needs no CPU meanwhile."""

import time
from collections.abc import Sequence

from contract.errors import BadModelAnswer


def predict(numbers: Sequence[float], model_ms: float) -> float:
    """Return twice the sum. Raises BadModelAnswer for a negative number."""
    time.sleep(model_ms / 1e3)
    if min(numbers) < 0:
        raise BadModelAnswer("The model has no answer for a negative number.")
    return 2 * sum(numbers)


class Model:
    """The same as an object, for gibbs."""

    def __init__(self, model_ms: float) -> None:
        self._model_ms = model_ms

    def __call__(self, numbers: Sequence[float]) -> float:
        return predict(numbers, self._model_ms)
