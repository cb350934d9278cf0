"""Measures the scheduling delay of this process: a task sleeps and logs how much later than requested it woke."""

import asyncio
import logging
import time

from contract.lag import LagMeter

logger = logging.getLogger("async_api")


class LagSampler:
    """Logs once per second how long a ready task waits for its turn on the event loop.

    uvloop's timers have a resolution of 1 ms and may fire early, so delays below 1 ms mean little.
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
