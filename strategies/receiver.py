"""A receiver of callbacks: `python -m strategies.receiver --port P`, as the client of an asynchronous service runs one.

It keeps everything in Redis, and answers 204 only then: killed at any moment, it has what it has acknowledged, and what
it has not acknowledged is delivered again. The second delivery of the same id changes nothing but a counter.
"""

import argparse
import asyncio
import contextlib
import logging
import math
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final, Protocol

import redis.asyncio as redis
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from redis.exceptions import RedisError

from async_api.web import answer, read_body
from contract.errors import InvalidRequest, ServiceError, Unavailable
from contract.settings import Settings
from strategies.callbacks import ID_HEADER, CallbackSettings, verify
from strategies.web import create_app, serve

CALLBACKS_PATH: Final = "/callbacks"
MAX_WAIT_S: Final = 60.0
KEPT_S: Final = 24 * 3600
COUNTERS: Final = ("received", "duplicates", "rejected")
_DRAIN_S: Final = 2  # a client that waits asks again
_TIMEOUT_S: Final = 2.0

# One step, so that a kill leaves no body without its count.
_KEEP: Final = """
local new = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2])
redis.call('HINCRBY', KEYS[2], new and 'received' or 'duplicates', 1)
return redis.call('HGETALL', KEYS[2])
"""

logger = logging.getLogger(__name__)


class ReceiverSettings(BaseSettings):
    """Where the receiver keeps what it gets. Read from the environment as STRATEGY_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    redis_url: str = "redis://127.0.0.1:6379/0"


class Store(Protocol):
    """Keeps bodies and counters. Its methods raise Unavailable."""

    async def keep(self, message_id: str, body: bytes) -> Mapping[str, int]:
        """Keep a body if it is the first of this id, count it, and return the counters."""
        ...

    async def body(self, message_id: str) -> bytes | None: ...

    async def reject(self) -> Mapping[str, int]:
        """Count a callback that was refused, and return the counters."""
        ...

    async def counters(self) -> Mapping[str, int]: ...

    async def close(self) -> None: ...


class RedisStore:
    """Keeps them in Redis."""

    def __init__(self, url: str) -> None:
        # Untyped in parts: redis-py has the same classes for sync and async.
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)
        self._keep = self._redis.register_script(_KEEP)

    async def keep(self, message_id: str, body: bytes) -> Mapping[str, int]:
        keys = [f"receiver:body:{message_id}", "receiver:counters"]
        flat = await _asked(self._keep(keys=keys, args=[body, KEPT_S]))
        return _counters(zip(flat[::2], flat[1::2], strict=True))

    async def body(self, message_id: str) -> bytes | None:
        found: bytes | None = await _asked(self._redis.get(f"receiver:body:{message_id}"))
        return found

    async def reject(self) -> Mapping[str, int]:
        await _asked(self._redis.hincrby("receiver:counters", "rejected", 1))
        return await self.counters()

    async def counters(self) -> Mapping[str, int]:
        return _counters((await _asked(self._redis.hgetall("receiver:counters"))).items())

    async def close(self) -> None:
        await self._redis.aclose()


async def _asked(answer: Awaitable[Any]) -> Any:
    try:
        return await answer
    except RedisError as error:
        raise Unavailable("The receiver cannot keep anything: its Redis does not answer.") from error


def _counters(pairs: Any) -> dict[str, int]:
    return {name.decode(): int(value) for name, value in pairs}


class Inbox:
    """What was delivered, and who waits for it. One process: whoever waits is told by whoever receives."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._counters = dict.fromkeys(COUNTERS, 0)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Know the counters of earlier processes, if Redis answers by now, and close the store at the end."""
        try:
            self._note(await self._store.counters())
        except Unavailable as error:
            logger.warning("%s", error.detail)
        try:
            yield
        finally:
            await self._store.close()

    def statistics(self) -> Mapping[str, int]:
        return dict(self._counters)

    def _note(self, counters: Mapping[str, int]) -> None:
        # The largest, since answers of Redis may be read in another order than it gave them.
        self._counters.update({name: max(count, self._counters[name]) for name, count in counters.items()})

    async def receive(self, message_id: str, body: bytes) -> None:
        """Keep a callback. Raises Unavailable if it cannot be kept, and so must come again."""
        self._note(await self._store.keep(message_id, body))
        for event in self._waiting.get(message_id, ()):
            event.set()

    async def reject(self) -> None:
        with contextlib.suppress(Unavailable):  # the sender learns why it was refused, and not that we cannot count
            self._note(await self._store.reject())

    async def wait(self, message_id: str, wait_s: float) -> bytes | None:
        """Return a body, or None if it has not come within this time. Raises Unavailable."""
        with self._told(message_id) as event:  # before it is looked for, so that none slips through
            body = await self._store.body(message_id)
            if body is None and wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await event.wait()
                body = await self._store.body(message_id)
            return body

    @contextlib.contextmanager
    def _told(self, message_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting.setdefault(message_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[message_id].discard(event)
            if not self._waiting[message_id]:
                del self._waiting[message_id]


def make_receiver(store: Store, secret: bytes, max_body_bytes: int, now_s: Callable[[], float] = time.time) -> FastAPI:
    """Create the app."""
    inbox = Inbox(store)
    routes = APIRouter()

    @routes.post(CALLBACKS_PATH)
    async def receive(request: Request) -> Response:
        try:
            body = await read_body(request, max_body_bytes)
            verify(request.headers, body, secret, now_s())
        except ServiceError:
            await inbox.reject()
            raise
        await inbox.receive(request.headers[ID_HEADER], body)
        return Response(status_code=204)

    @routes.get(CALLBACKS_PATH + "/{message_id}")
    async def callback(message_id: str, request: Request) -> Response:
        body = await inbox.wait(message_id, parse_wait_s(request.query_params.get("wait_s", "0")))
        return Response(status_code=202) if body is None else answer(body)

    return create_app(routes, inbox.statistics, inbox.opened)


def parse_wait_s(text: str) -> float:
    """Return how long a client wants to wait, at most MAX_WAIT_S. Raises InvalidRequest."""
    try:
        wait_s = float(text)
    except ValueError:
        wait_s = math.nan
    if not wait_s >= 0:
        raise InvalidRequest(f"wait_s is {text[:40]!r}, expected seconds.")
    return min(wait_s, MAX_WAIT_S)


def make_app(settings: Settings) -> FastAPI:
    """Create the app from the environment. Ends the process if there is no secret."""
    try:
        secret = CallbackSettings().key
    except ValidationError as error:
        sys.exit(f"strategies.receiver: {error}")
    if not secret:
        sys.exit("strategies.receiver: CALLBACK_SECRET is not set, so no callback could be verified")
    return make_receiver(RedisStore(ReceiverSettings().redis_url), secret, settings.max_body_bytes)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m strategies.receiver", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    serve(make_app, port=parser.parse_args().port, drain_timeout_s=_DRAIN_S)


if __name__ == "__main__":
    main()
