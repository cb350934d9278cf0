"""How long an event loop stood still: a task wakes every millisecond and notes how late it is."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator
from typing import Final

_TICK_S: Final = 0.001


class LoopStall:
    """The longest stall, and the most threads seen, since they were last read."""

    def __init__(self) -> None:
        self._longest_s, self._threads, self._last_s = 0.0, 0, time.monotonic()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch the running loop for as long as the block runs."""
        task = asyncio.create_task(self._tick(), name="loop-stall")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def read(self) -> dict[str, float]:
        """Return `loop_stall_ms` and `threads`, and begin anew. A stall that goes on counts as far as it has come."""
        self._note()
        found = {"loop_stall_ms": round(self._longest_s * 1e3, 3), "threads": float(self._threads)}
        self._longest_s, self._threads = 0.0, 0
        return found

    async def _tick(self) -> None:
        self._last_s = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S)
            self._note()
            self._last_s = time.monotonic()

    def _note(self) -> None:
        self._longest_s = max(self._longest_s, time.monotonic() - self._last_s - _TICK_S)
        self._threads = max(self._threads, threading.active_count())
