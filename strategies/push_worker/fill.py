"""Makes summaries known, for a measurement: `python -m strategies.push_worker.fill [N]`, into PUSH_DATABASE_URL.

They are those of known.jsonl, a request body in each line.
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from contract.schema import parse_scoring_numbers
from strategies.push_worker.database import Database, DatabaseError, open_database
from strategies.push_worker.summary import key_of, payload_of, summary_of

BODIES: Final = Path(__file__).with_name("known.jsonl")
_AT_ONCE: Final = 100  # more would only wait for each other


async def fill(database: Database, count: int) -> None:
    """Keep the first so many summaries, finished. Those that are there already stay as they are."""
    numbers = [parse_scoring_numbers(line) for line in BODIES.read_bytes().splitlines()[:count]]
    for some in _parts(numbers):
        await asyncio.gather(*(_keep(database, each) for each in some))
    keys = {key_of(payload_of(each)) for each in numbers}
    messages = await database.unpublished(2 * len(keys))
    await database.published([message.id for message in messages if message.key in keys])


async def _keep(database: Database, numbers: Sequence[float]) -> None:
    payload = payload_of(numbers)
    await database.submit(key_of(payload), payload)
    await database.finish(key_of(payload), summary_of(numbers))


def _parts(numbers: Sequence[Sequence[float]]) -> Iterator[list[Sequence[float]]]:
    left = iter(numbers)
    while some := list(islice(left, _AT_ONCE)):
        yield some


async def main(url: str, count: int) -> None:
    """Fill a database. Raises DatabaseError."""
    database = await open_database(url)
    try:
        await fill(database, count)
    finally:
        await database.close()


if __name__ == "__main__":
    from strategies.push_worker.service import ApiSettings

    try:
        asyncio.run(main(ApiSettings().database_url, int(sys.argv[1]) if sys.argv[1:] else 1000))
    except DatabaseError as problem:
        sys.exit(str(problem))
