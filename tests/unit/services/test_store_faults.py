"""The feature stores of both twins against a Redis on a real socket that misbehaves."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvloop
from redis.asyncio.connection import Connection as AsyncConnection

import async_api.features
import sync_api.features
from contract.errors import ConnectionsInUse, StoreUnreachable
from contract.settings import Architecture, Settings, load_settings
from feature_store.codec import StoreInfo, encode_features, encode_info
from feature_store.keys import META_KEY
from tests.unit.services.test_model_client import every_twin

pytestmark = pytest.mark.integration

DEADLINE_MS = 400
PATIENCE_MS = 30_000  # only a failing test waits that long
ENTITIES, FEATURES = 100, 2
_Send = Callable[[bytes], Awaitable[None]]


class Redis:
    """Understands as much of Redis as a feature store says. `answer` sends the bytes that answer a GET of features."""

    def __init__(self) -> None:
        self.gets = self.connections = 0
        self.is_resetting = False  # what is open, at its next command, and each new connection
        self.answer: Callable[[_Send, bytes], Awaitable[None]] = lambda send, value: send(value)
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(self._listen())
        self.url = f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.is_resetting:
            _reset(writer)
            return

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                command = await _read_command(reader)
                if self.is_resetting:
                    _reset(writer)
                    return
                await self._answer(command, send)
        writer.close()

    async def _answer(self, command: list[bytes], send: _Send) -> None:
        if command[0] == b"HELLO":
            await send(b"%1\r\n+proto\r\n:3\r\n")
        elif command[0] != b"GET":
            await send(b"+OK\r\n")
        elif command[1] == META_KEY.encode():
            await send(_bulk(encode_info(StoreInfo(ENTITIES, FEATURES, seed=1))))
        else:
            self.gets += 1
            entity = int(command[1].rpartition(b":")[2])
            await self.answer(send, _bulk(encode_features((float(entity), 0.5))))

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    endpoint: socket.socket = writer.get_extra_info("socket")
    endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _bulk(value: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(value), value)


async def _read_command(reader: asyncio.StreamReader) -> list[bytes]:
    words = int((await reader.readuntil(b"\r\n"))[1:])
    command = []
    for _ in range(words):
        size = int((await reader.readuntil(b"\r\n"))[1:])
        command.append((await reader.readexactly(size + 2))[:-2])
    return command


async def drip(send: _Send, value: bytes) -> None:
    """Send byte by byte; it takes far longer than any deadline of a test."""
    for byte in value:
        await send(bytes([byte]))
        await asyncio.sleep(0.1)


async def stall(_: _Send, __: bytes) -> None:
    await asyncio.Event().wait()


@pytest.fixture
def redis() -> Iterator[Redis]:
    with contextlib.closing(Redis()) as running:
        yield running


def settings_for(twin: Architecture, redis: Redis, **others: object) -> Settings:
    return load_settings(twin, "scoring", **{"redis_url": redis.url, "redis_timeout_ms": PATIENCE_MS, **others})


def fetch_each(settings: Settings, entities: list[str], at_once: int = 1) -> list[Any]:
    """Fetch these entities with one store; return the first feature of each, or what was raised."""
    if settings.architecture == "sync":
        with contextlib.closing(sync_api.features.FeatureStore(settings)) as store:
            store.check()

            def fetch(entity: str) -> Any:
                try:
                    return store.fetch(entity, b"")[0]
                except Exception as error:
                    return error

            with ThreadPoolExecutor(at_once) as threads:
                return list(threads.map(fetch, entities))

    async def use() -> list[Any]:
        store = async_api.features.FeatureStore(settings)
        turn = asyncio.Semaphore(at_once)

        async def fetch(entity: str) -> Any:
            async with turn:
                return (await store.fetch(entity, b""))[0]

        try:
            await store.check()
            return await asyncio.gather(*map(fetch, entities), return_exceptions=True)
        finally:
            await store.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the event loop of the service
        return runner.run(use())


@every_twin
def test_a_value_that_drips_ends_at_the_deadline(twin: Architecture, redis: Redis) -> None:
    redis.answer = drip
    (outcome,) = fetch_each(settings_for(twin, redis, redis_timeout_ms=DEADLINE_MS), ["1"])
    assert isinstance(outcome, StoreUnreachable)
    assert redis.gets == 1


@every_twin
@pytest.mark.parametrize("first", [drip, stall])
def test_the_answer_to_a_request_that_was_given_up_is_not_taken_for_that_of_the_next(
    twin: Architecture, first: Any, redis: Redis
) -> None:
    answers = iter([first])

    async def answer(send: _Send, value: bytes) -> None:
        await next(answers, lambda send, value: send(value))(send, value)

    redis.answer = answer
    outcomes = fetch_each(settings_for(twin, redis, redis_timeout_ms=DEADLINE_MS), ["1", "2", "3"])
    assert isinstance(outcomes[0], StoreUnreachable)
    assert outcomes[1:] == [2.0, 3.0]


@every_twin
@pytest.mark.parametrize("at_once", [1, 8])
def test_a_store_that_resets_every_connection_is_unreachable(twin: Architecture, at_once: int, redis: Redis) -> None:
    async def answer_and_reset_from_now_on(send: _Send, value: bytes) -> None:
        await send(value)
        redis.is_resetting = True

    redis.answer = answer_and_reset_from_now_on
    answered, *others = fetch_each(settings_for(twin, redis), ["1"] * 100, at_once)
    assert answered == 1.0
    assert {type(outcome) for outcome in others} - {float} == {StoreUnreachable}
    assert sum(isinstance(outcome, StoreUnreachable) for outcome in others) > 80


def test_a_connection_that_is_lost_just_before_it_is_written_to_is_replaced(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop raises RuntimeError then, which redis does not know."""
    look = AsyncConnection.can_read
    left = iter(["lost"])

    async def look_and_lose(self: Any) -> Any:
        found = await look(self)
        if self.is_connected and next(left, None):
            self._writer.transport.abort()
            await asyncio.sleep(0)
        return found

    async def answer(send: _Send, value: bytes) -> None:
        monkeypatch.setattr(AsyncConnection, "can_read", look_and_lose)
        await send(value)

    redis.answer = answer
    assert fetch_each(settings_for("async", redis), ["1", "2", "3"]) == [1.0, 2.0, 3.0]
    assert next(left, None) is None


@every_twin
def test_requests_wait_for_a_connection_of_a_small_pool(twin: Architecture, redis: Redis) -> None:
    async def answer_slowly(send: _Send, value: bytes) -> None:
        await asyncio.sleep(0.01)
        await send(value)

    redis.answer = answer_slowly
    entities = [str(entity) for entity in range(32)]
    outcomes = fetch_each(settings_for(twin, redis, redis_pool_size=4), entities, at_once=32)
    assert outcomes == [float(entity) for entity in entities]
    assert redis.connections <= 4


@every_twin
def test_a_request_that_finds_no_connection_in_time_names_our_own_limit(twin: Architecture, redis: Redis) -> None:
    redis.answer = stall
    settings = settings_for(twin, redis, redis_pool_size=2, redis_timeout_ms=DEADLINE_MS)
    outcomes = fetch_each(settings, ["1"] * 6, at_once=6)
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConnectionsInUse)]
    assert [type(outcome) for outcome in outcomes].count(StoreUnreachable) == 2
    assert {(one.detail, one.headers()["Retry-After"]) for one in refused} == {
        ("All 2 connections to the feature store are in use.", "1")
    }


@pytest.mark.parametrize("why", ["deadline", "cancelled"])
def test_requests_that_are_given_up_at_any_moment_neither_mix_answers_nor_lose_connections(
    why: str, redis: Redis
) -> None:
    places = 3
    settings = settings_for("async", redis, redis_pool_size=places)

    async def answer_sometimes(send: _Send, value: bytes) -> None:
        await asyncio.sleep(0.001 * (redis.gets % 3))
        await send(value)

    async def use() -> list[Any]:
        store = async_api.features.FeatureStore(settings)
        try:
            await store.check()
            for attempt in range(300):
                store._timeout_s = attempt % 30 / 1e4 if why == "deadline" else PATIENCE_MS / 1e3
                asked = [asyncio.ensure_future(store.fetch(str(entity), b"")) for entity in range(places)]
                if why == "cancelled":
                    for _ in range(attempt % 20):
                        await asyncio.sleep(0)
                    for one in asked:
                        one.cancel()
                answers = await asyncio.gather(*asked, return_exceptions=True)
                assert all(isinstance(got, BaseException) or got[0] == n for n, got in enumerate(answers))
            store._timeout_s = PATIENCE_MS / 1e3
            return await asyncio.gather(*(store.fetch(str(entity), b"") for entity in range(20)))
        finally:
            await store.close()

    redis.answer = answer_sometimes
    assert [features[0] for features in asyncio.run(use())] == [float(entity) for entity in range(20)]
