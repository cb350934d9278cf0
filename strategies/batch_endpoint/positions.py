"""`python -m strategies.batch_endpoint.positions`: does every item get its own answer? A JSON object.

Random lists with duplicates, invalid items, and rows that the model refuses; in several processes, since what depends
on the hash of an object may differ between them.
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.errors import ServiceError
from strategies.batch_endpoint.batch import Answer, distinct, naive, one_by_one, row_of
from strategies.batch_endpoint.model import Row, scores

LISTS: Final = 10_000
HASH_SEEDS: Final = ("0", "1", "2")
CLOSE: Final = 1e-12  # one call for many rows adds in another order than many calls
_INVALID: Final[tuple[object, ...]] = ("a word", None, [1, 2, 3], [1, 2, 3, "4"], [1, 2, 3, 1e999], [1, 2, 3, True], {})
_MOST_ITEMS: Final = 12


def random_items(draw: random.Random) -> list[object]:
    """Return a list of few different rows, so that there are duplicates, with some faults among them."""
    values = (0, 0.5, 1, 2.5, 7)
    rows = [[draw.choice(values) for _ in range(4)] for _ in range(draw.randint(1, 5))]
    rows.append([-2.0, 1, 1, 1])  # for which the model has no score
    return [
        draw.choice(_INVALID) if draw.random() < 0.1 else draw.choice(rows) for _ in range(draw.randint(1, _MOST_ITEMS))
    ]


def same(one: Answer, other: Answer) -> bool:
    """Return whether two answers say the same."""
    if isinstance(one, ServiceError) or isinstance(other, ServiceError):
        return isinstance(one, ServiceError) and isinstance(other, ServiceError) and one.body() == other.body()
    return bool(np.allclose(one, other, rtol=0, atol=CLOSE))


class Counting:
    """The model, and how many rows it was asked for."""

    def __init__(self) -> None:
        self.rows = 0

    def __call__(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        self.rows += len(rows)
        return scores(rows)


def check(lists: int, seed: int) -> dict[str, int]:
    """Return what went wrong in so many random lists."""
    draw = random.Random(seed)
    found = {"lists": 0, "items": 0, "wrong_items": 0, "needless_rows": 0, "naive_wrong_lists": 0}
    for _ in range(lists):
        items, model = random_items(draw), Counting()
        answers, right = distinct(items, model), one_by_one(items, scores)
        found["lists"] += 1
        found["items"] += len(items)
        found["wrong_items"] += abs(len(answers) - len(right))
        found["wrong_items"] += sum(not same(*pair) for pair in zip(answers, right, strict=False))
        found["needless_rows"] += model.rows - len({row for item in items if isinstance(row := row_of(item), tuple)})
        by_set = naive(items, scores)
        fits = len(by_set) == len(right) and all(same(*pair) for pair in zip(by_set, right, strict=True))
        found["naive_wrong_lists"] += not fits
    return found


def figures(lists: int = LISTS) -> dict[str, float]:
    """Return the findings of a process for each hash seed, added up, and the naive form's failures in percent."""
    total: dict[str, float] = {}
    for number, hash_seed in enumerate(HASH_SEEDS):
        share = lists // len(HASH_SEEDS) + (number < lists % len(HASH_SEEDS))
        argv = [sys.executable, "-m", __spec__.name, str(share), hash_seed]
        done = subprocess.run(argv, env={**os.environ, "PYTHONHASHSEED": hash_seed}, check=True, stdout=subprocess.PIPE)
        for key, value in json.loads(done.stdout).items():
            total[key] = total.get(key, 0) + value
    return {**total, "naive_wrong_pct": 100 * total["naive_wrong_lists"] / total["lists"]}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(check(int(sys.argv[1]), int(sys.argv[2]))))
    else:
        print(json.dumps(figures()))
