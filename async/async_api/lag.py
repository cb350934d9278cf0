"""How long this process makes a waiter wait: a task that sleeps, and tells by how much it overslept."""

import asyncio
import logging
import time

from contract.lag import LagMeter

logger = logging.getLogger("async_api")


class LagSampler:
    """Logs once per second how long a task that is due waits to run: for its turn of the event loop.

    uvloop's timers count whole milliseconds, and one may ring early: a wait below one says little.
    """

    def __init__(self, interval_ms: int) -> None:
        self._interval_s = interval_ms / 1e3
        self._meter = LagMeter(interval_ms)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._sample(), name="lag")

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _sample(self) -> None:
        while True:
            asleep_ns = time.monotonic_ns()
            await asyncio.sleep(self._interval_s)
            sample = self._meter.add(asleep_ns, time.monotonic_ns())
            if sample:
                logger.info(sample.line())
