"""concurrent.futures.ProcessPoolExecutor: when one process of it dies, the whole of it is broken."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import asynccontextmanager
from typing import Any, Final

from contract.errors import Unavailable
from strategies.hub.model import predict
from strategies.hub.settings import HubSettings

_START_S: Final = 0.02  # that each process is busy at first, so that the next call starts another


class ExecutorPool:
    """An executor that is made again when it is broken, as a careful user would; or, without `rebuilds`, is not."""

    def __init__(self, settings: HubSettings) -> None:
        self._settings = settings
        self.replaced = 0  # executors
        self.retried = 0  # requests

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep an executor for as long as the block runs. It begins when all of its processes have started."""
        self._executor = self._make()
        loop = asyncio.get_running_loop()
        started = [loop.run_in_executor(self._executor, time.sleep, _START_S) for _ in range(self._settings.workers)]
        await asyncio.gather(*started)
        try:
            yield
        finally:
            self._executor.shutdown(wait=False, cancel_futures=True)

    async def predict(self, numbers: Sequence[float]) -> float:
        """Return the model's answer. Raises BadModelAnswer, or Unavailable if the executor broke twice."""
        loop = asyncio.get_running_loop()
        for _ in range(2 if self._settings.rebuilds else 1):
            executor = self._executor
            try:
                return await loop.run_in_executor(executor, predict, numbers, self._settings.model_ms)
            except BrokenProcessPool:
                self._replace(executor)
        raise Unavailable("The pool of processes is broken.")

    def statistics(self) -> Mapping[str, Any]:
        pids = [process.pid for process in multiprocessing.active_children()]
        return {"pids": pids, "replaced": self.replaced, "retried": self.retried}

    def _make(self) -> ProcessPoolExecutor:
        # To fork this process would copy its threads' locks, whoever holds them.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["strategies.hub.model", "concurrent.futures.process"])
        return ProcessPoolExecutor(self._settings.workers, mp_context=context)

    def _replace(self, broken: ProcessPoolExecutor) -> None:
        """Make a new executor, unless another request has: all that were under way find the old one broken."""
        if not self._settings.rebuilds:
            return
        self.retried += 1
        if self._executor is broken:
            self.replaced += 1
            broken.shutdown(wait=False)
            self._executor = self._make()


make_pool = ExecutorPool
