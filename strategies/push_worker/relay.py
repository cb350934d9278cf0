"""Publishes what is in the outbox: a row is kept together with its message, and the message is sent afterwards.

So a message may be sent twice, if the process ends in between, and never not at all. One relay is enough. Several work,
and send more of them twice.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from redis.exceptions import RedisError

from contract.errors import Unavailable
from strategies.push_worker.database import Database, Message

_BATCH: Final = 200  # messages that are published at once
_PAUSE_S: Final = 0.25  # after a failure

logger = logging.getLogger("push_worker.relay")

Publish = Callable[[Sequence[Message]], Awaitable[None]]


class Relay:
    """Empties the outbox: at the start, when it is woken, and every so many seconds in any case."""

    def __init__(self, database: Database, publish: Publish, sweep_s: float) -> None:
        self._database, self._publish, self._sweep_s = database, publish, sweep_s
        self._awake = asyncio.Event()
        self.published = 0  # messages, those sent twice counted twice
        self.failures = 0  # tries of which one side was away

    def wake(self) -> None:
        """Say that there is something in the outbox."""
        self._awake.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publish for as long as the block runs."""
        task = asyncio.create_task(self._run(), name="relay")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        works = True
        while True:
            self._awake.clear()
            try:
                while await self._publish_some():
                    pass
            except Exception as error:  # the relay outlives a bug, too: what is in the outbox was promised
                if works:
                    is_bug = not isinstance(error, Unavailable | RedisError | OSError)
                    logger.warning("nothing is published for now: %s", error, exc_info=is_bug)
                works = False
                self.failures += 1
                await asyncio.sleep(_PAUSE_S)
                continue
            if not works:
                logger.warning("messages are published again")
            works = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._sweep_s):
                    await self._awake.wait()

    async def _publish_some(self) -> bool:
        """Publish the oldest messages. Return whether there may be more."""
        messages = await self._database.unpublished(_BATCH)
        if messages:
            await self._publish(messages)
            await self._database.published([message.id for message in messages])
            self.published += len(messages)
        return len(messages) == _BATCH
