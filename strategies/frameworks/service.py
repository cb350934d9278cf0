"""`python -m strategies.frameworks.service`: the same model behind a plain FastAPI service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import ValidationError

from async_api.web import answer, read_body
from contract.errors import InvalidRequest, TooManyInFlight
from contract.settings import Settings
from strategies.frameworks.model import Asked, Form, predict
from strategies.web import SCORE_PATH, create_app, serve

_MAX_WAITING: Final = 256


class Waiting(NamedTuple):
    """A row, and where its answer goes."""

    row: list[float]
    answer: asyncio.Future[float]
    due_s: float  # when its batch is computed even if there is room in it


class Batcher:
    """Computes rows one batch after the other: a batch is begun when the model is free, and full or old enough."""

    def __init__(self, form: Form) -> None:
        self._form, self._waiting = form, asyncio.Queue[Waiting](_MAX_WAITING)
        self._model = ThreadPoolExecutor(1)  # it computes one batch at a time, as a GPU does
        self.batches = self.rows = 0

    async def compute(self, row: list[float]) -> float:
        """Return the model's answer for a row. Raises TooManyInFlight."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(row, loop.create_future(), loop.time() + self._form.window_ms / 1e3)
        try:
            self._waiting.put_nowait(waiting)
        except asyncio.QueueFull:
            raise TooManyInFlight(_MAX_WAITING) from None
        return await waiting.answer

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Compute batches for as long as the block runs."""
        task = asyncio.create_task(self._run(), name="batches")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._model.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while True:
            batch = await self._collect()
            self.batches, self.rows = self.batches + 1, self.rows + len(batch)
            rows = [each.row for each in batch]
            try:
                found = await asyncio.get_running_loop().run_in_executor(self._model, predict, rows, self._form)
            except Exception as error:  # whatever a model raises is the answer to this batch, not the end of all
                for each in batch:
                    _settle(each.answer, error)
            else:
                for each, value in zip(batch, found, strict=True):
                    _settle(each.answer, value)

    async def _collect(self) -> list[Waiting]:
        """Wait for a row, and for others until the batch is full or its first row is due."""
        batch = [await self._waiting.get()]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(batch[0].due_s):
                while len(batch) < self._form.max_batch:
                    batch.append(await self._waiting.get())
        return batch


def make_app(settings: Settings) -> FastAPI:
    """Create the service."""
    batcher = Batcher(Form())
    routes = APIRouter()

    @routes.post(SCORE_PATH)
    async def score(request: Request) -> Response:
        row = parse(await read_body(request, settings.max_body_bytes))
        return answer(b"[%s]" % repr(await batcher.compute(row)).encode())

    return create_app(routes, lambda: {"batches": batcher.batches, "rows": batcher.rows}, batcher.running)


def parse(body: bytes) -> list[float]:
    """Return the row of a request. Raises InvalidRequest."""
    try:
        return Asked.model_validate_json(body).rows[0]
    except ValidationError as error:
        raise InvalidRequest("Expected rows with one row of numbers.") from error


def _settle(future: asyncio.Future[float], outcome: float | Exception) -> None:
    if future.done():  # its request has gone away
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


if __name__ == "__main__":
    serve(make_app)
