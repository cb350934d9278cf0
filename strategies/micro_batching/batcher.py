"""Collects single items into batches for a model that takes many at once, by the rule of TensorFlow Serving."""

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, Field

from contract.errors import BadModelAnswer, ServiceError, Unavailable
from strategies.micro_batching.sizing import Sizing

Item = TypeVar("Item")
Answer = TypeVar("Answer")
# A model answers each item in its place. It may put an error there, which is that item's alone.
Model = Callable[[list[Item]], Sequence[Answer | ServiceError]]

logger = logging.getLogger(__name__)


class BatchingParameters(BaseModel):
    """The parameters of a batcher, with the names of TensorFlow Serving's `batching_parameters_file`."""

    max_batch_size: int = Field(16, ge=1)
    batch_timeout_micros: int = Field(0, ge=0)  # that the oldest item waits for others, while a thread is free
    max_enqueued_batches: int = Field(100, ge=1)  # as many full ones may wait; what comes then is refused
    num_batch_threads: int = Field(1, ge=1)  # batches that the model works on at the same time


@dataclass(eq=False)
class _Waiting(Generic[Item, Answer]):
    item: Item
    answer: asyncio.Future[Answer]
    since_s: float


class Batcher(Generic[Item, Answer]):
    """Gives a model its items in batches, in the order in which they came.

    A batch starts when a thread is free and either the batch is full or its oldest item has waited for the timeout.
    Everything but the model runs on the event loop, so nothing here needs a lock, apart from what the threads note.
    """

    def __init__(
        self,
        model: Model[Item, Answer],
        parameters: BatchingParameters,
        sizing: Sizing,
        slo_ms: float = math.inf,
    ) -> None:
        self._model, self._parameters, self._sizing, self._slo_ms = model, parameters, sizing, slo_ms
        self._waiting: deque[_Waiting[Item, Answer]] = deque()
        self._changed, self._collecting = asyncio.Event(), asyncio.Lock()
        self._threads = ThreadPoolExecutor(parameters.num_batch_threads, thread_name_prefix="batch")
        self._noting = threading.Lock()
        self._batches = self._items = self._late = self._refused = self._abandoned = 0

    async def ask(self, item: Item) -> Answer:
        """Return the model's answer. Raises Unavailable if the queue is full, BadModelAnswer if the model failed.

        An item leaves the queue when its caller's task is cancelled.
        """
        places = self._parameters.max_enqueued_batches * self._parameters.max_batch_size
        if len(self._waiting) >= places:
            self._refused += 1
            raise Unavailable(f"{places} items wait already, as many as the queue holds.")
        waiting: _Waiting[Item, Answer] = _Waiting(item, asyncio.get_running_loop().create_future(), time.monotonic())
        self._waiting.append(waiting)
        self._changed.set()
        try:
            return await waiting.answer
        except asyncio.CancelledError:
            with suppress(ValueError):  # its batch runs already
                self._waiting.remove(waiting)
                self._abandoned += 1
            raise

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work on batches for as long as the block runs; what waits then is refused."""
        workers = [asyncio.create_task(self._work(), name="batches") for _ in range(self._parameters.num_batch_threads)]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            _refuse(self._waiting)
            self._threads.shutdown(wait=False, cancel_futures=True)

    def statistics(self) -> dict[str, float]:
        """Return the counters, how many items wait, and how many a batch may hold."""
        return {
            "batches": self._batches,
            "items": self._items,
            "late": self._late,  # batches that took longer than the objective
            "refused": self._refused,
            "abandoned": self._abandoned,
            "waiting": len(self._waiting),
            "limit": self._limit,
        }

    @property
    def _limit(self) -> int:
        return min(self._sizing.limit, self._parameters.max_batch_size)

    async def _work(self) -> None:
        while True:
            await self._run(await self._next_batch())

    async def _next_batch(self) -> list[_Waiting[Item, Answer]]:
        """Wait until a batch may start, and take it from the queue."""
        async with self._collecting:  # one idle worker watches the queue, the others wait for their turn
            while (due_in_s := self._due_in_s()) > 0:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(due_in_s if math.isfinite(due_in_s) else None):
                        await self._changed.wait()
            return [self._waiting.popleft() for _ in range(min(len(self._waiting), self._limit))]

    def _due_in_s(self) -> float:
        """Return in how many seconds a free thread may start a batch, unless more items come."""
        if not self._waiting:
            return math.inf
        if len(self._waiting) >= self._limit:
            return 0.0
        return self._waiting[0].since_s + self._parameters.batch_timeout_micros / 1e6 - time.monotonic()

    async def _run(self, batch: list[_Waiting[Item, Answer]]) -> None:
        """Let the model answer a batch. If it fails, the items of this batch fail, and no others."""
        self._batches += 1
        self._items += len(batch)
        answers: Sequence[Answer | ServiceError]
        try:
            items = [each.item for each in batch]
            answers = await asyncio.get_running_loop().run_in_executor(self._threads, self._compute, items)
        except asyncio.CancelledError:
            _refuse(batch)
            raise
        except Exception as error:
            logger.error("a batch of %d failed", len(batch), exc_info=error)
            detail = "The model failed on the batch that this item was in."
            answers = [BadModelAnswer(detail) for _ in batch]  # each its own: raising one changes it
        for each, answer in zip(batch, answers, strict=True):
            if each.answer.done():  # its caller has gone
                continue
            if isinstance(answer, ServiceError):
                each.answer.set_exception(answer)
            else:
                each.answer.set_result(answer)

    def _compute(self, items: list[Item]) -> Sequence[Answer | ServiceError]:
        """Ask the model, in a thread, and note how long it took."""
        start_s = time.perf_counter()
        answers = self._model(items)
        took_ms = (time.perf_counter() - start_s) * 1e3
        with self._noting:
            self._late += took_ms > self._slo_ms
            self._sizing.note(len(items), took_ms)
        if len(answers) != len(items):
            raise ValueError(f"the model gave {len(answers)} answers for {len(items)} items")
        return answers


def _refuse(waiting: Iterable[_Waiting[Item, Answer]]) -> None:
    for each in waiting:
        if not each.answer.done():
            each.answer.set_exception(Unavailable("The service stops."))
