"""The same summary API without a second step: whoever asks for a new summary waits for the model."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request, Response

from async_api.web import InFlight, answer, read_body
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.push_worker.database import Database, Status, open_database
from strategies.push_worker.model import duration_ms, predict
from strategies.push_worker.service import SUMMARIES_PATH
from strategies.push_worker.summary import key_of, payload_of
from strategies.push_worker.worker import WorkerSettings
from strategies.web import create_app, serve


class Direct:
    """Finds a summary, or makes it."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.threads, "model")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the database open for as long as the block runs. Raises DatabaseError."""
        self._database: Database = await open_database(self._settings.database_url)
        try:
            yield
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            await self._database.close()

    async def summary(self, numbers: list[float]) -> bytes:
        """Return the summary of some numbers. Raises BadModelAnswer or Unavailable."""
        payload = payload_of(numbers)
        key = key_of(payload)
        row = await self._database.find(key)
        if row and row.status is Status.SUCCESS:
            return row.result or b""
        needed_ms = duration_ms(key, self._settings.model_ms, self._settings.model_spread_ms)
        loop = asyncio.get_running_loop()
        summary = await loop.run_in_executor(self._threads, predict, numbers, needed_ms)
        await self._database.submit(key, payload)
        await self._database.finish(key, summary)
        return summary


def make_app(settings: Settings) -> FastAPI:
    """Create the service."""
    direct, in_flight = Direct(WorkerSettings()), InFlight(settings.max_in_flight)
    routes = APIRouter()

    @routes.post(SUMMARIES_PATH)
    async def submit(request: Request) -> Response:
        numbers = parse_scoring_numbers(await read_body(request, settings.max_body_bytes))
        with in_flight:
            return answer(await direct.summary(numbers))

    return create_app(routes, opening=direct.running)


if __name__ == "__main__":
    serve(make_app)
