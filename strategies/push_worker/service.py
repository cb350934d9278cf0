"""The summary API: a known summary is answered at once, a new one is accepted, and worked on by others.

What is accepted is kept: its row and its message are on disk, in one transaction, before the client is told.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, ClassVar, Final

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.exceptions import RedisError

from async_api.web import InFlight, answer, read_body
from contract.errors import RETRY_AFTER_S, BadModelAnswer, ServiceError
from contract.schema import JSON_CONTENT_TYPE, parse_scoring_numbers
from contract.settings import Settings
from strategies.push_worker import stream
from strategies.push_worker.backlog import Backlog
from strategies.push_worker.database import Database, Row, Status, open_database
from strategies.push_worker.fill import fill
from strategies.push_worker.relay import Relay
from strategies.push_worker.summary import key_of, payload_of
from strategies.web import create_app, serve

SUMMARIES_PATH: Final = "/api/v1/summaries"

_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class ApiSettings(BaseSettings):
    """Read from the environment as PUSH_<NAME>, but for what only a measurement needs."""

    model_config = SettingsConfigDict(env_prefix="PUSH_", frozen=True, populate_by_name=True)

    database_url: str = "sqlite:///summaries.sqlite3"  # or postgresql://user@host:port/database
    redis_url: str = "redis://127.0.0.1:6379/0"
    backlog: int = Field(20_000, ge=1)  # unfinished summaries before 503
    sweep_s: float = Field(1.0, gt=0)  # after which the outbox is looked through although nobody says so
    known: int = Field(0, ge=0, le=1000, validation_alias="STRATEGY_KNOWN")  # summaries of known.jsonl from the start


class UnknownSummary(ServiceError):
    status: ClassVar[HTTPStatus] = HTTPStatus.NOT_FOUND

    def __init__(self) -> None:
        super().__init__("There is no summary of this key: nothing was accepted under it.")


class Summaries:
    """The database, and beside it the relay that publishes what was accepted."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._redis = stream.connect(settings.redis_url)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the database, and publish, for as long as the block runs. Raises DatabaseError."""
        self._database: Database = await open_database(self._settings.database_url)
        try:
            await fill(self._database, self._settings.known)
            self._relay = Relay(self._database, self._publish, self._settings.sweep_s)
            self._backlog = Backlog(self._database, self._settings.backlog)
            async with self._backlog.counting(), self._relay.running():
                yield
        finally:
            await self._database.close()
            await self._redis.aclose()

    async def submit(self, numbers: list[float]) -> Row:
        """Return the row of these numbers, which is kept if it is new. Raises Unavailable."""
        payload = payload_of(numbers)
        key = key_of(payload)
        row = await self._database.find(key)  # beside the transactions of others, which a new one has to wait for
        if row is None:
            self._backlog.accept()
            row, is_new = await self._database.submit(key, payload)
            if is_new:
                self._relay.wake()
        return row

    async def find(self, key: str) -> Row:
        """Return the row of a key. Raises UnknownSummary or Unavailable."""
        row = await self._database.find(key) if _KEY.fullmatch(key) else None
        if row is None:
            raise UnknownSummary
        return row

    async def statistics(self) -> dict[str, Any]:
        """Return what database, relay and, if it answers, the broker count."""
        try:
            of_broker = await stream.statistics(self._redis)
        except (RedisError, OSError):
            of_broker = {}
        of_relay = {"published": self._relay.published, "publish_failures": self._relay.failures}
        return {**of_broker, **of_relay, **await self._database.statistics()}

    async def _publish(self, messages: Any) -> None:
        await stream.publish(self._redis, messages)


def respond(row: Row) -> Response:
    """Return the answer for a row: 200 with the summary, 202 as long as there is none. Raises BadModelAnswer."""
    if row.status is Status.SUCCESS:
        return answer(row.result or b"")
    if row.status is Status.ERROR:
        reason = (row.result or b"").decode(errors="replace")
        raise BadModelAnswer(f"This summary was given up after {row.runs} runs: {reason}")
    headers = {"Location": f"{SUMMARIES_PATH}/{row.key}", "Retry-After": str(RETRY_AFTER_S)}
    body = json.dumps({"id": row.key, "status": row.status}).encode()
    return Response(body, HTTPStatus.ACCEPTED, headers, JSON_CONTENT_TYPE)


def make_app(settings: Settings) -> FastAPI:
    """Create the service."""
    summaries = Summaries(ApiSettings())
    in_flight = InFlight(settings.max_in_flight)
    routes = APIRouter()

    @routes.post(SUMMARIES_PATH)
    async def submit(request: Request) -> Response:
        numbers = parse_scoring_numbers(await read_body(request, settings.max_body_bytes))
        with in_flight:
            return respond(await summaries.submit(numbers))

    @routes.get(SUMMARIES_PATH + "/{key}")
    async def find(key: str) -> Response:
        with in_flight:
            return respond(await summaries.find(key))

    return create_app(routes, summaries.statistics, summaries.running)


if __name__ == "__main__":
    serve(make_app)
