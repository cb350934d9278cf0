"""Our hub: worker processes, each on two pipes, and one queue in front of them, first come, first served.

Whatever happens to a worker, the end of its output says so at once, whether it was idle or at work. Its request goes
back to the head of the queue and is tried once more, so a request may be computed twice: the model must be pure.
"""

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from contract.errors import BadModelAnswer, Unavailable
from strategies.hub.settings import HubSettings

_READY: Final = b"ready\n"  # a worker's first line
_START_S: Final = 10.0  # within which it must come
_GRACE_S: Final = 1.0  # for a worker to end by itself
_PAUSES_S: Final = (0.1, 5.0)  # before a worker that cannot start is started again: at first, and at most
_NO_WORKER: Final = "No worker is running."


@dataclass(eq=False)
class Job:
    """A request that waits for its answer."""

    line: bytes
    answer: asyncio.Future[bytes]
    deaths: int = 0  # of workers that had it


class Worker:
    """A running process, and what it works on."""

    def __init__(self, process: Process) -> None:
        assert process.stdin
        assert process.stdout
        self.process, self.requests, self.answers = process, process.stdin, process.stdout
        self.job: Job | None = None
        self._overdue: asyncio.TimerHandle | None = None

    def give(self, job: Job, longest_s: float) -> None:
        """Give a job to an idle worker, and kill it if that takes too long."""
        self.job = job
        self._overdue = asyncio.get_running_loop().call_later(longest_s, self.kill)
        # A worker that has just died refuses. The end of its output, which is on its way, takes care of that.
        with contextlib.suppress(OSError, RuntimeError):
            self.requests.write(job.line)

    def take_back(self) -> Job | None:
        """Return what it works on, which it does no longer."""
        if self._overdue:
            self._overdue.cancel()
        job, self.job, self._overdue = self.job, None, None
        return job

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def end(self) -> None:
        """End the process: without input it ends by itself; one that does not is killed."""
        self.requests.close()
        try:
            async with asyncio.timeout(_GRACE_S):
                await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()


class Hub:
    """Gives each request to a free worker. A worker that dies, or works longer than `longest_s`, is replaced."""

    def __init__(self, command: Sequence[str], size: int, longest_s: float) -> None:
        self._command, self._size, self._longest_s = command, size, longest_s
        self._waiting: deque[Job] = deque()
        self._idle: deque[Worker] = deque()
        self._workers: list[Worker] = []
        self._is_down = not size  # no worker runs, and none could be started
        self.replaced = 0  # workers
        self.retried = 0  # requests

    @property
    def pids(self) -> list[int]:
        return [worker.process.pid for worker in self._workers]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the workers for as long as the block runs. It begins when each is ready, or could not be started."""
        tried = [asyncio.Event() for _ in range(self._size)]
        keepers = [asyncio.create_task(self._keep(event)) for event in tried]
        try:
            for event in tried:
                await event.wait()
            yield
        finally:
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, return_exceptions=True)
            self._refuse_all()

    async def ask(self, line: bytes) -> bytes:
        """Return a worker's answer to a line.

        Raises Unavailable without workers, and BadModelAnswer if two workers died of this request.
        """
        if self._is_down:
            raise Unavailable(_NO_WORKER)
        job = Job(line, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._hand_out()
        try:
            return await job.answer
        finally:  # a caller that has given up waits no longer
            with contextlib.suppress(ValueError):
                self._waiting.remove(job)

    def _hand_out(self) -> None:
        while self._waiting and self._idle:
            self._idle.popleft().give(self._waiting.popleft(), self._longest_s)

    async def _keep(self, tried: asyncio.Event) -> None:
        """Keep one worker running. One that cannot start is tried again, more and more rarely."""
        pause_s = 0.0
        while True:
            if await self._run_worker(tried):
                pause_s = 0.0
                self.replaced += 1
                continue
            tried.set()
            if not self._workers:
                self._refuse_all()
            pause_s = min(max(2 * pause_s, _PAUSES_S[0]), _PAUSES_S[1])
            await asyncio.sleep(pause_s)

    async def _run_worker(self, tried: asyncio.Event) -> bool:
        """Start a worker and let it work until it dies. Return whether it could be started."""
        try:
            worker = Worker(await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE))
        except OSError:
            return False
        try:
            async with asyncio.timeout(_START_S):
                is_ready = await worker.answers.readline() == _READY
            if is_ready:
                self._is_down = False
                tried.set()
                await self._work(worker)
            return is_ready
        except TimeoutError:
            return False
        finally:
            await worker.end()

    async def _work(self, worker: Worker) -> None:
        """Pass a worker's answers on until there are no more."""
        self._workers.append(worker)
        self._idle.append(worker)
        self._hand_out()
        try:
            while (line := await worker.answers.readline()).endswith(b"\n"):
                job = worker.take_back()
                if job and not job.answer.done():
                    job.answer.set_result(line)
                self._idle.append(worker)
                self._hand_out()
        finally:
            self._workers.remove(worker)
            self._lose(worker)

    def _lose(self, worker: Worker) -> None:
        """Take a dead worker out of service, and its request back."""
        if worker in self._idle:
            self._idle.remove(worker)
        job = worker.take_back()
        if job is None or job.answer.done():
            return
        job.deaths += 1
        if job.deaths > 1:
            job.answer.set_exception(BadModelAnswer("Two workers died while they worked on this request."))
            return
        self.retried += 1
        self._waiting.appendleft(job)
        self._hand_out()

    def _refuse_all(self) -> None:
        """Answer everything that waits: there is no worker, and none to come."""
        self._is_down = True
        for job in self._waiting:
            if not job.answer.done():
                job.answer.set_exception(Unavailable(_NO_WORKER))


class OwnPool:
    """The hub, with the model in its workers."""

    def __init__(self, settings: HubSettings) -> None:
        command = (sys.executable, "-m", "strategies.hub.worker", str(settings.model_ms))
        self._hub = Hub(command, settings.workers, settings.deadline_ms / 1e3)
        self.running = self._hub.running

    async def predict(self, numbers: Sequence[float]) -> float:
        """Return the model's answer. Raises BadModelAnswer or Unavailable."""
        document = json.loads(await self._hub.ask(json.dumps(list(numbers)).encode() + b"\n"))
        if "failed" in document:
            raise BadModelAnswer(document["failed"])
        return float(document["total"])

    def statistics(self) -> Mapping[str, Any]:
        return {"pids": self._hub.pids, "replaced": self._hub.replaced, "retried": self._hub.retried}


make_pool = OwnPool
