"""How much may be unfinished. What is accepted beyond what can be done would only wait longer and longer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from contract.errors import Unavailable
from strategies.push_worker.database import Database

_COUNT_EVERY_S: Final = 0.5


class Backlog:
    """An estimate of what is unfinished: as the database counted it last, and what this process accepted since.

    The bound is kept up to what several processes accept within half a second.
    """

    def __init__(self, database: Database, limit: int) -> None:
        self._database, self._limit = database, limit
        self._counted, self._since = 0, 0

    def accept(self) -> None:
        """Count one more. Raises Unavailable beyond the limit."""
        if self._counted + self._since >= self._limit:
            raise Unavailable(f"{self._limit} summaries are unfinished already, the limit.")
        self._since += 1

    @contextlib.asynccontextmanager
    async def counting(self) -> AsyncIterator[None]:
        """Count now, and again and again for as long as the block runs."""
        await self._count()
        task = asyncio.create_task(self._count_again_and_again(), name="backlog")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _count_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(_COUNT_EVERY_S)
            with contextlib.suppress(Unavailable):
                await self._count()

    async def _count(self) -> None:
        before = self._since
        self._counted = (await self._database.statistics())["backlog"]
        self._since -= before
