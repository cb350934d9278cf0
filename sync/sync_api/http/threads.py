"""Threads that work on what they are given."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("sync_api")


class Threads:
    """A pool of which `submit` takes no lock that a thread may hold: unlike ThreadPoolExecutor's, it never waits.

    The threads end with the process, whatever they do.
    """

    def __init__(self, number: int, name: str, work: Callable[[Any], object]) -> None:
        self._work, self._waiting = work, queue.SimpleQueue[Any]()
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{index}", daemon=True) for index in range(number)
        ]

    def start(self) -> None:
        """Start all threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, item: Any) -> None:
        """Have a thread work on this, after all that was submitted before."""
        self._waiting.put(item)

    def _run(self) -> None:
        while True:
            item = self._waiting.get()
            try:
                self._work(item)
            except BaseException:  # even SystemExit: the others would have one thread less
                logger.exception("%s failed", threading.current_thread().name)
            del item
