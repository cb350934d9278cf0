"""Runs a coroutine that a signal may end."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Final, TypeVar

_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
T = TypeVar("T")


def run_async(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does, and cancel it when a signal comes whose handler may raise.

    Such a handler would otherwise raise in the middle of whatever task is running, or of the event loop itself, and
    the tasks would not be closed in order. It is called when they are. `asyncio.run` knows this for SIGINT only.
    """
    before = {number: handler for number in _ENDING if callable(handler := signal.getsignal(number))}
    received: list[signal.Signals] = []
    running: list[asyncio.Task[Any]] = []

    def cancel(number: int, _: FrameType | None) -> None:
        received.append(signal.Signals(number))
        for task in running:
            if not task.done():
                # Later, since the loop may be in the middle of anything.
                task.get_loop().call_soon_threadsafe(task.cancel)

    async def cancellable() -> T:
        task = asyncio.current_task()
        assert task is not None
        running.append(task)
        if received:
            main.close()
            raise asyncio.CancelledError
        return await main

    if threading.current_thread() is not threading.main_thread():  # no signal handler is called there
        return asyncio.run(main)
    try:
        for number in before:
            signal.signal(number, cancel)
        return asyncio.run(cancellable())
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if received:
            before[received[-1]](received[-1], None)
