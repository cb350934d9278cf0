"""`python -m strategies.batch_endpoint.vectorised`: NumPy for 1,000 rows at once against a loop, as a JSON object."""

import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from strategies.batch_endpoint.model import Row, scores, scores_in_a_loop
from strategies.batch_endpoint.parameters import FEATURES

ROWS: Final = 1_000
CLOSE: Final = 1e-12  # the last bits differ: sums are made in another order
_ROUNDS: Final = 20


def random_rows(seed: int = 1) -> list[Row]:
    """Return rows of numbers such as those of the iris data set."""
    draw = random.Random(seed)
    return [tuple(round(draw.uniform(0.1, 8), 1) for _ in range(FEATURES)) for _ in range(ROWS)]


def took_ms(score: Callable[[Sequence[Row]], object], rows: Sequence[Row]) -> float:
    """Return how long scoring takes: the least of some rounds, which other processes disturb least."""
    best_s = float("inf")
    for _ in range(_ROUNDS):
        start_s = time.perf_counter()
        score(rows)
        best_s = min(best_s, time.perf_counter() - start_s)
    return best_s * 1e3


def figures() -> dict[str, float]:
    """Return both times, their ratio, and how many rows differ."""
    rows = random_rows()
    differ = np.abs(scores(rows) - np.asarray(scores_in_a_loop(rows))).max(axis=1) > CLOSE
    loop_ms, numpy_ms = took_ms(scores_in_a_loop, rows), took_ms(scores, rows)
    return {
        "loop_ms": loop_ms,
        "numpy_ms": numpy_ms,
        "times": loop_ms / numpy_ms,
        "rows_that_differ": int(differ.sum()),
    }


if __name__ == "__main__":
    print(json.dumps(figures()))
