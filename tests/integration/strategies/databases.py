"""What tests of databases share."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

import uvloop

from strategies.push_worker.database import Database, open_database

PATIENCE_S: Final = 60.0


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run on the event loop that serves. What hangs fails the test."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await check

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = await open_database(url)
    try:
        yield database
    finally:
        await database.close()
