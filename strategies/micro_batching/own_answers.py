"""`python -m strategies.micro_batching.own_answers`: does everyone get the answer to what they asked? JSON object.

Thousands of items through the batcher of the service, with batches of every size, some that fail, items that the
model refuses, and callers who leave while they wait.
"""

import asyncio
import json
import logging
import random
from typing import Final

from contract.errors import BadModelAnswer
from strategies.micro_batching.batcher import Batcher, BatchingParameters
from strategies.micro_batching.sizing import FixedSize

ITEMS: Final = 10_000
_POISON: Final = 997  # an item that is a multiple of it makes the model fail on its whole batch
_REFUSED: Final = 7  # the model has no answer for multiples of it
_AT_ONCE: Final = 40


def model(items: list[int]) -> list[int | BadModelAnswer]:
    """Answer in each item's place. Raises ValueError for the whole batch."""
    if any(item % _POISON == 0 for item in items):
        raise ValueError("a batch that the model cannot compute")
    return [item * item if item % _REFUSED else BadModelAnswer(str(item)) for item in items]


async def ask_all(seed: int = 1) -> dict[str, int]:
    """Return how many answers were wrong, missing or another's, and what the batcher counted."""
    draw = random.Random(seed)
    batcher: Batcher[int, int] = Batcher(model, BatchingParameters(max_batch_size=16), FixedSize(16))
    found = {"wrong": 0, "right": 0, "refused": 0, "failed_with_batch": 0, "left": 0}

    async def ask(item: int) -> None:
        try:
            answer = await batcher.ask(item)
            found["right" if answer == item * item and item % _REFUSED else "wrong"] += 1
        except BadModelAnswer as error:
            if error.detail.startswith("The model failed"):
                found["failed_with_batch"] += 1
            else:
                found["refused" if error.detail == str(item) and not item % _REFUSED else "wrong"] += 1
        except asyncio.CancelledError:
            found["left"] += 1

    async with batcher.running():
        coming = list(range(1, ITEMS + 1))
        while coming:
            now, coming = coming[:_AT_ONCE], coming[_AT_ONCE:]
            tasks = [asyncio.create_task(ask(item)) for item in now]
            await asyncio.sleep(0)
            for task in draw.sample(tasks, 3):
                task.cancel()
            await asyncio.gather(*tasks)
    found["unanswered"] = ITEMS - sum(found.values())
    # A failing batch takes at most its own items with it.
    found["failed_beyond_batches"] = max(found["failed_with_batch"] - 16 * (ITEMS // _POISON), 0)
    return found


if __name__ == "__main__":
    logging.disable(logging.ERROR)  # the failures are part of the plan
    print(json.dumps(asyncio.run(ask_all())))
