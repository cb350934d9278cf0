"""`python -m strategies.micro_batching.numpy_model`: what a batch gains for real models on the CPU, as a JSON object.

Networks of NumPy. A batch pays as far as a call has a fixed cost, which takes no GPU: of a small network a call is
nearly all of the cost, of a wide one it is little.
"""

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

BATCH: Final = 16
NETWORKS: Final = {"small": (4, 16, 3), "wide": (64, 256, 256, 8)}
_ROUNDS, _CALLS = 50, 20

Matrix = NDArray[np.float64]


def make_layers(widths: Sequence[int], seed: int = 1) -> list[Matrix]:
    """Return the weights of a network."""
    draw = np.random.default_rng(seed)
    return [draw.normal(0, rows**-0.5, (rows, columns)) for rows, columns in pairwise(widths)]


def predict(layers: Sequence[Matrix], rows: Matrix) -> Matrix:
    """Return the output of the network for each row."""
    for layer in layers[:-1]:
        rows = np.maximum(rows @ layer, 0)
    return rows @ layers[-1]


def took_us(layers: Sequence[Matrix], size: int) -> float:
    """Return how long a batch takes: the least of some rounds, which other processes disturb least."""
    rows = np.random.default_rng(2).normal(size=(size, len(layers[0])))
    best_s = float("inf")
    for _ in range(_ROUNDS):
        start_s = time.perf_counter()
        for _ in range(_CALLS):
            predict(layers, rows)
        best_s = min(best_s, (time.perf_counter() - start_s) / _CALLS)
    return best_s * 1e6


def figures() -> dict[str, float]:
    """Return for each network the time of one row and of a batch, and how many times as many rows a batch scores."""
    found: dict[str, float] = {}
    for name, widths in NETWORKS.items():
        layers = make_layers(widths)
        one_us, batch_us = took_us(layers, 1), took_us(layers, BATCH)
        found |= {f"{name}_one_us": one_us, f"{name}_batch_us": batch_us, f"{name}_gain": BATCH * one_us / batch_us}
    return found


if __name__ == "__main__":
    print(json.dumps(figures()))
