"""`python -m strategies.micro_batching.numpy_model`: what a batch costs a real model on the CPU, as a JSON object.

A network of NumPy with two hidden layers. Batches pay wherever a call has a fixed cost, which a GPU is not needed for.
"""

import json
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIZES: Final = (1, 2, 4, 8, 16)
_WIDTHS: Final = (64, 256, 256, 8)
_ROUNDS, _CALLS = 30, 20

Matrix = NDArray[np.float64]


def make_layers(seed: int = 1) -> list[Matrix]:
    """Return the weights of the network."""
    draw = np.random.default_rng(seed)
    return [draw.normal(0, rows**-0.5, (rows, columns)) for rows, columns in zip(_WIDTHS, _WIDTHS[1:], strict=False)]


def predict(layers: list[Matrix], rows: Matrix) -> Matrix:
    """Return the output of the network for each row."""
    for layer in layers[:-1]:
        rows = np.maximum(rows @ layer, 0)
    return rows @ layers[-1]


def took_us(layers: list[Matrix], size: int) -> float:
    """Return how long a batch takes: the least of some rounds, which other processes disturb least."""
    rows = np.random.default_rng(2).normal(size=(size, _WIDTHS[0]))
    best_s = float("inf")
    for _ in range(_ROUNDS):
        start_s = time.perf_counter()
        for _ in range(_CALLS):
            predict(layers, rows)
        best_s = min(best_s, (time.perf_counter() - start_s) / _CALLS)
    return best_s * 1e6


def figures() -> dict[str, float]:
    """Return the time per batch, the line through it, and the gain of the largest batch."""
    layers = make_layers()
    found = {size: took_us(layers, size) for size in SIZES}
    item_us, fixed_us = np.polyfit(list(found), list(found.values()), 1)
    gain = SIZES[-1] * found[1] / found[SIZES[-1]]
    times = {f"batch_{size}_us": us for size, us in found.items()}
    return {**times, "fixed_us": float(fixed_us), "item_us": float(item_us), "gain_16": gain}


if __name__ == "__main__":
    print(json.dumps(figures()))
