"""A small classifier: four features, three classes. With NumPy for all rows at once, and in a loop, row by row."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Row = tuple[float, ...]

_WEIGHTS: Final = np.array([[0.9, -0.4, -1.1], [0.7, -0.2, -0.6], [-1.6, 0.3, 1.2], [-0.8, -0.3, 1.4]])


def scores(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Return the probability of each class for each row, NaN where the model has none: for a feature of -1 or less."""
    with np.errstate(invalid="ignore", divide="ignore"):
        logits = np.log1p(np.asarray(rows, dtype=float)) @ _WEIGHTS
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        found: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return found


def scores_in_a_loop(rows: Sequence[Row]) -> list[list[float]]:
    """Return the same without NumPy, row by row. Raises ValueError where the model has no score."""
    weights = _WEIGHTS.tolist()
    found = []
    for row in rows:
        features = [math.log1p(value) for value in row]
        logits = [sum(feature * line[k] for feature, line in zip(features, weights, strict=True)) for k in range(3)]
        powers = [math.exp(logit - max(logits)) for logit in logits]
        found.append([power / sum(powers) for power in powers])
    return found
