"""The worker: messages are pushed to it, and the status of its answer says whether they are done with.

    POST /api/v1/push       204 done, now or before; 400 no envelope, or no job; 502 the model failed;
                            503 the database is away, or too much is under way: deliver it again
    POST /api/v1/push/dead  204 the job is given up; 503

Nothing is acknowledged before its result is in the database. A message may come twice, even at the same time: then the
job may be worked on twice, and the first to finish sets the result.
"""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from async_api.web import InFlight, read_body
from contract.errors import BadModelAnswer, InvalidRequest
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.push_worker.database import Database, Status, open_database
from strategies.push_worker.envelope import DEAD_PATH, PUSH_PATH, PushedMessage, envelope_limit, unwrap
from strategies.push_worker.model import duration_ms, predict
from strategies.push_worker.parameters import IN_FLIGHT, MODEL_MS, SPREAD_MS
from strategies.web import create_app, serve

_OVERLAP: Final = 2  # pushes per thread: one that is given up by the dispatcher is worked on to its end


class WorkerSettings(BaseSettings):
    """The model, and how many run at once. Read from the environment as PUSH_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="PUSH_", frozen=True)

    database_url: str
    threads: int = Field(IN_FLIGHT, ge=1, le=256)
    model_ms: float = Field(MODEL_MS, ge=0)  # mean
    model_spread_ms: float = Field(SPREAD_MS, ge=0)  # above and below

    @model_validator(mode="after")
    def _check(self) -> "WorkerSettings":
        if self.model_spread_ms > self.model_ms:
            raise ValueError(f"model_spread_ms is {self.model_spread_ms:g}, above model_ms {self.model_ms:g}")
        return self


class Worker:
    """Does the jobs of pushed messages."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._database: Database | None = None
        self._threads = ThreadPoolExecutor(settings.threads, "model")
        self.counts = {"pushed": 0, "done": 0, "skipped": 0, "given_up": 0}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the database open for as long as the block runs. Raises DatabaseError."""
        self._database = await open_database(self._settings.database_url)
        try:
            yield
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            await self._database.close()

    async def work(self, message: PushedMessage) -> None:
        """Do a job, unless it is done. Raises InvalidRequest, BadModelAnswer or Unavailable."""
        self.counts["pushed"] += 1
        database, key = self._opened(), _key_of(message)
        numbers = parse_scoring_numbers(message.data)
        row = await database.find(key)
        if row is None:
            raise InvalidRequest("There is no job of this key.")
        if row.status is Status.SUCCESS:
            self.counts["skipped"] += 1
            return
        await database.begin(key)
        await database.finish(key, await self._predict(key, numbers))
        self.counts["done"] += 1

    async def give_up(self, message: PushedMessage) -> None:
        """Say of the job of a dead letter that it is not tried any more. Raises Unavailable.

        Nothing comes after a dead letter, so one of no job is acknowledged, too.
        """
        reason = message.attributes.get("reason", "It was tried too often.")
        if await self._opened().fail(message.attributes.get("key", ""), reason):
            self.counts["given_up"] += 1

    async def _predict(self, key: str, numbers: list[float]) -> bytes:
        own = self._settings
        needed_ms = duration_ms(key, own.model_ms, own.model_spread_ms)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, predict, numbers, needed_ms)
        except BadModelAnswer:
            raise
        except Exception as error:
            raise BadModelAnswer("The model failed.") from error

    def _opened(self) -> Database:
        assert self._database is not None, "the lifespan of the app has not started"
        return self._database


def _key_of(message: PushedMessage) -> str:
    key = message.attributes.get("key", "")
    if not key:
        raise InvalidRequest("The message has no attribute `key`.")
    return key


def make_app(settings: Settings) -> FastAPI:
    """Create the service of the worker."""
    own = WorkerSettings()
    worker, in_flight = Worker(own), InFlight(own.threads * _OVERLAP)
    limit_bytes = envelope_limit(settings.max_body_bytes)
    routes = APIRouter()

    @routes.post(PUSH_PATH)
    async def push(request: Request) -> Response:
        message = unwrap(await read_body(request, limit_bytes)).message
        with in_flight:
            await worker.work(message)
        return Response(status_code=204)

    @routes.post(DEAD_PATH)
    async def push_dead(request: Request) -> Response:
        await worker.give_up(unwrap(await read_body(request, limit_bytes)).message)
        return Response(status_code=204)

    def statistics() -> dict[str, Any]:
        return {**worker.counts, "model_threads": own.threads}

    return create_app(routes, statistics, worker.running)


if __name__ == "__main__":
    serve(make_app)
