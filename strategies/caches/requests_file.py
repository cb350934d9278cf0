"""`python -m strategies.caches.requests_file > strategies/caches/requests.jsonl`: what the services are asked, in turn.

First waves, each of which asks for one new item: of one request, of eight, of 64. Then waves of eight different new
items. Then items by Zipf's law.
"""

import random
from collections.abc import Iterator
from itertools import count, islice
from typing import Final, NamedTuple

from strategies.caches.parameters import SERVED


class Waved(NamedTuple):
    """So many requests at once, and in so many waves."""

    size: int
    waves: int


STAMPEDES: Final = {"one": Waved(1, 1), "eight": Waved(8, 2), "sixty-four": Waved(64, 2)}  # each for one new item
DIFFERENT: Final = Waved(8, 2)  # each for as many new items
IN_WAVES: Final = sum(size * waves for size, waves in (*STAMPEDES.values(), DIFFERENT))  # requests
_BY_ZIPF: Final = 1_400
_SEED: Final = 1


def items() -> list[int]:
    """Return all items in turn."""
    return [*_in_waves(), *_by_zipf()]


def _in_waves() -> Iterator[int]:
    new = count(SERVED.items)  # that Zipf's law does not ask for
    for size, waves in STAMPEDES.values():
        for item in islice(new, waves):
            yield from [item] * size
    yield from islice(new, DIFFERENT.size * DIFFERENT.waves)


def _by_zipf() -> list[int]:
    weights = [rank**-SERVED.exponent for rank in range(1, SERVED.items + 1)]
    return random.Random(_SEED).choices(range(SERVED.items), weights, k=_BY_ZIPF)


if __name__ == "__main__":
    for item in items():
        print(f"[{item}]")
