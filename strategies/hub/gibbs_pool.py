"""gibbs 0.2.0: a hub on ZeroMQ, in an environment of its own, since it needs an older pyzmq than Locust.

What a careful user adds: a timeout with a retry, without which a request whose worker dies waits for ever; a new worker
for one that has died, since gibbs starts none; and a hub that listens on loopback, since its own listens everywhere.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import zmq
import zmq.asyncio
from gibbs import Hub, Worker  # type: ignore[import-not-found]
from gibbs.hub import UserCodeException, WorkerManager  # type: ignore[import-not-found]

from contract.errors import BadModelAnswer, Unavailable
from strategies.hub.model import Model
from strategies.hub.settings import HubSettings

_LOOK_S: Final = 0.05  # between two looks at the workers
_START_S: Final = 10.0


class GibbsPool:
    """The hub of gibbs, and its workers."""

    def __init__(self, settings: HubSettings) -> None:
        self._settings = settings
        self._try_s = settings.deadline_ms / 2e3
        self._workers: list[Any] = []
        self.replaced = 0
        # To fork this process would copy the event loop into every worker.
        multiprocessing.set_start_method("forkserver", force=True)
        multiprocessing.set_forkserver_preload(["strategies.hub.model", "gibbs"])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run hub and workers for as long as the block runs. It begins when the hub knows all workers."""
        self._hub = hub = Hub()
        # What the hub does at its first request, but on loopback, on a free port, and before workers look for it.
        hub.socket = zmq.asyncio.Context.instance().socket(zmq.ROUTER)
        self._port = hub.socket.bind_to_random_port("tcp://127.0.0.1")
        hub.w_manager = WorkerManager(hub.heartbeat_t)
        tasks = [asyncio.create_task(hub.receive_loop())]
        try:
            self._workers = [self._start_worker() for _ in range(self._settings.workers)]
            async with asyncio.timeout(_START_S):
                while len(hub.w_manager.w_ts) < self._settings.workers:
                    await asyncio.sleep(_LOOK_S)
            tasks.append(asyncio.create_task(self._replace_dead()))
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for worker in self._workers:
                worker.terminate()
            for worker in self._workers:
                await asyncio.to_thread(worker.join, 1)
                worker.kill()
            hub.socket.close(linger=0)

    async def predict(self, numbers: Sequence[float]) -> float:
        """Return the model's answer. Raises BadModelAnswer, Unavailable or TimeoutError."""
        try:
            return float(await self._hub.request(list(numbers), gibbs_timeout=self._try_s, gibbs_retries=1))
        except UserCodeException:
            raise BadModelAnswer("The model failed.") from None
        except KeyError:
            # The hub woke a request for a free worker, which another request had taken meanwhile.
            raise Unavailable("The hub has no worker for this request.") from None

    def statistics(self) -> Mapping[str, Any]:
        pids = [process.pid for process in multiprocessing.active_children()]
        return {"pids": pids, "replaced": self.replaced}

    def _start_worker(self) -> Any:
        worker = Worker(Model, self._settings.model_ms, gibbs_host="127.0.0.1", gibbs_port=self._port)
        worker.start()
        return worker

    async def _replace_dead(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            for place, worker in enumerate(self._workers):
                if not worker.is_alive():
                    self._workers[place] = self._start_worker()
                    self.replaced += 1


make_pool = GibbsPool
