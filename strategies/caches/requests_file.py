"""`python -m strategies.caches.requests_file > strategies/caches/requests.jsonl`: what the services are asked, in turn.

First waves, each of which asks for one new item: of one request, of eight, of 64. Then waves of eight different new
items. Then items by Zipf's law.
"""

import random
from collections.abc import Iterator
from typing import Final

from strategies.caches.parameters import SERVED

WAVES: Final = {"one": 1, "eight": 8, "sixty-four": 64}  # requests at once
DIFFERENT: Final = 8  # items at once
COUNT, WARMUP_COUNT = 3, 1  # waves of each kind
IN_WAVES: Final = (COUNT + WARMUP_COUNT) * (sum(WAVES.values()) + DIFFERENT)  # requests
_BY_ZIPF: Final = 1_300
_SEED: Final = 1


def items() -> list[int]:
    """Return all items in turn."""
    return [*_in_waves(), *_by_zipf()]


def _in_waves() -> Iterator[int]:
    item = SERVED.items  # the first that Zipf's law does not ask for
    for size in WAVES.values():
        for _ in range(COUNT + WARMUP_COUNT):
            yield from [item] * size
            item += 1
    yield from range(item, item + DIFFERENT * (COUNT + WARMUP_COUNT))


def _by_zipf() -> list[int]:
    weights = [rank**-SERVED.exponent for rank in range(1, SERVED.items + 1)]
    return random.Random(_SEED).choices(range(SERVED.items), weights, k=_BY_ZIPF)


if __name__ == "__main__":
    for item in items():
        print(f"[{item}]")
