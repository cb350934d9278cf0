"""The dispatcher with a real broker: what acknowledges a message, what has it come again, and what it outlives."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web

from benchmark.stack.processes import free_port
from feature_store.server import HOST, embedded_server
from strategies.push_worker.database import Message
from strategies.push_worker.dispatcher import Dispatcher, DispatcherSettings, dispatch, pusher
from strategies.push_worker.envelope import ACKNOWLEDGED, DEAD_PATH, PUSH_PATH, Envelope, unwrap
from strategies.push_worker.stream import DEAD, MESSAGES, Settled, Subscription, connect, publish, statistics

pytestmark = pytest.mark.integration

PATIENCE_S = 30.0

Answer = Callable[[Envelope], Awaitable[int]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with embedded_server() as url:
        yield url


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run on the event loop that serves. What hangs fails the test."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await check

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


class Endpoint:
    """An HTTP server that pushes go to. It remembers them, and answers what it is told."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.pushed: list[Envelope] = []
        self.dead: list[Envelope] = []
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post(PUSH_PATH, self._push)
        app.router.add_post(DEAD_PATH, self._push_dead)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, HOST, self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _push(self, request: web.Request) -> web.Response:
        envelope = unwrap(await request.read())
        self.pushed.append(envelope)
        status = await self._answer(envelope)
        if not status:
            assert request.transport
            request.transport.close()
        return web.Response(status=status or 500)

    async def _push_dead(self, request: web.Request) -> web.Response:
        self.dead.append(unwrap(await request.read()))
        return web.Response(status=204)

    def attempts(self, name: str) -> list[int]:
        return [each.attempt for each in self.pushed if each.message.id == name]


def always(status: int) -> Answer:
    async def answer(_: Envelope) -> int:
        return status

    return answer


def messages(*names: str) -> list[Message]:
    return [Message(name, f"key of {name}", b"[1.0]") for name in names]


@asynccontextmanager
async def dispatching(url: str, endpoint: Endpoint, **changes: Any) -> AsyncIterator[Any]:
    """Run a dispatcher on an empty broker, and yield a client of that."""
    settings = _settings(url, endpoint, **changes)
    client, stopping = connect(url), asyncio.Event()
    async with client:
        await client.flushall()
        running = asyncio.create_task(dispatch(settings, stopping))
        try:
            yield client
        finally:
            stopping.set()
            await running


def _settings(url: str, endpoint: Endpoint, **changes: Any) -> DispatcherSettings:
    given = {
        "redis_url": url,
        "worker_url": endpoint.url,
        "deadline_s": 2.0,
        "min_backoff_s": 0.01,
        "max_backoff_s": 0.08,
        "consumer": "test",
        **changes,
    }
    return DispatcherSettings(**given)


async def holds(condition: Callable[[], Any]) -> None:
    """Wait until something holds."""
    while True:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        await asyncio.sleep(0.01)


async def is_done_with(client: Any, count: int) -> bool:
    """Whether so many messages have been acknowledged, and none is left."""
    found = await statistics(client)
    return found["acknowledged"] == count and not await client.xlen(MESSAGES)


@pytest.mark.parametrize("status", sorted(ACKNOWLEDGED - {102}))
def test_a_status_that_acknowledges_ends_the_delivery(status: int, server: str) -> None:
    async def check() -> None:
        endpoint = Endpoint(always(status))
        async with endpoint.serving(), dispatching(server, endpoint) as client:
            await publish(client, messages("1"))
            await holds(lambda: is_done_with(client, 1))
            assert endpoint.attempts("1") == [1]
            (pushed,) = endpoint.pushed
            assert (pushed.message.data, pushed.message.attributes) == (b"[1.0]", {"key": "key of 1"})
            assert pushed.message.published is not None
            found = await statistics(client)
            assert (found["messages"], found["messages_in_flight"], found["messages_to_retry"]) == (1, 0, 0)

    run(check())


@pytest.mark.parametrize(
    "status", [203, 206, 301, 304, 400, 404, 429, 500, 502, 504, 0], ids=lambda s: str(s or "lost")
)
def test_anything_else_has_the_message_delivered_again(status: int, server: str) -> None:
    async def answer(envelope: Envelope) -> int:
        return 204 if envelope.attempt > 1 else status

    async def check() -> None:
        endpoint = Endpoint(answer)
        async with endpoint.serving(), dispatching(server, endpoint) as client:
            await publish(client, messages("1"))
            await holds(lambda: is_done_with(client, 1))
            assert endpoint.attempts("1") == [1, 2]
            assert (await statistics(client))["redelivered"] == 1

    run(check())


def test_a_push_that_is_not_answered_in_time_is_delivered_again(server: str) -> None:
    async def answer(envelope: Envelope) -> int:
        if envelope.attempt == 1:
            await asyncio.sleep(PATIENCE_S)
        return 204

    async def check() -> None:
        endpoint = Endpoint(answer)
        async with endpoint.serving(), dispatching(server, endpoint, deadline_s=0.2) as client:
            await publish(client, messages("1"))
            await holds(lambda: is_done_with(client, 1))
            assert endpoint.attempts("1") == [1, 2]

    run(check())


def test_a_poisonous_message_is_tried_five_times_and_then_a_dead_letter_once_and_its_neighbours_once(
    server: str,
) -> None:
    async def answer(envelope: Envelope) -> int:
        return 500 if envelope.message.id == "poison" else 204

    async def check() -> None:
        endpoint, others = Endpoint(answer), [str(number) for number in range(40)]
        async with endpoint.serving(), dispatching(server, endpoint, in_flight=2) as client:
            await publish(client, messages(*others[:20], "poison", *others[20:]))
            await holds(lambda: is_done_with(client, 40))
            await holds(lambda: endpoint.dead)
            assert endpoint.attempts("poison") == [1, 2, 3, 4, 5]
            assert Counter(each.message.id for each in endpoint.pushed) == {**dict.fromkeys(others, 1), "poison": 5}
            (dead,) = endpoint.dead
            assert dead.message.id == "poison"
            assert dead.message.attributes == {
                "key": "key of poison",
                "reason": "5 attempts, the last one answered 500",
            }
            found = await statistics(client)
            assert (found["dead"], found["dead_letters"], found["messages_to_retry"]) == (1, 1, 0)
            assert await client.xlen(MESSAGES) == 0

    run(check())


def test_a_message_is_tried_again_when_it_is_due_and_not_earlier(server: str) -> None:
    calls: list[tuple[float, Callable[[], None]]] = []

    async def check() -> None:
        endpoint, stopping = Endpoint(always(500)), asyncio.Event()
        settings = _settings(server, endpoint, min_backoff_s=100.0, max_backoff_s=800.0)
        async with endpoint.serving(), connect(server) as client, aiohttp.ClientSession() as session:
            await client.flushall()
            await publish(client, messages("1"))
            subscription = Subscription(client, MESSAGES, "test")
            push = pusher(session, endpoint.url + PUSH_PATH)
            dispatcher = Dispatcher(
                subscription, push, settings, 5, 2, lambda delay_s, call: calls.append((delay_s, call))
            )
            running = asyncio.create_task(dispatcher.run(stopping))
            for attempt in range(1, 5):
                await holds(partial(_is_long, calls, attempt))
                await holds(lambda: client.zcard("push:messages:retries"))
                assert endpoint.attempts("1") == list(range(1, attempt + 1))
                calls[-1][1]()
            await holds(lambda: client.xlen(DEAD))
            assert [delay_s for delay_s, _ in calls] == [100, 200, 400, 800]
            assert await client.zcard("push:messages:retries") == 0
            stopping.set()
            await running

    run(check())


def test_while_nobody_listens_messages_wait_and_are_delivered_when_somebody_does(server: str) -> None:
    async def check() -> None:
        endpoint = Endpoint(always(204))
        async with dispatching(server, endpoint) as client:
            await publish(client, messages("1", "2", "3"))
            await holds(lambda: _taken(client, 3))
            await asyncio.sleep(0.3)
            assert (await statistics(client))["attempts"] == 0
            async with endpoint.serving():
                await holds(lambda: is_done_with(client, 3))
            assert [each.attempt for each in endpoint.pushed] == [1, 1, 1]

    run(check())


def test_a_worker_that_can_take_nothing_now_uses_up_no_attempt_however_long_that_lasts(server: str) -> None:
    seen = Counter[str]()

    async def answer(envelope: Envelope) -> int:
        seen[envelope.message.id] += 1
        return 204 if seen[envelope.message.id] > 6 else 503

    async def check() -> None:
        endpoint = Endpoint(answer)
        async with endpoint.serving(), dispatching(server, endpoint) as client:
            await publish(client, messages("1", "2"))
            await holds(lambda: is_done_with(client, 2))
            assert {each.attempt for each in endpoint.pushed} == {1}
            assert seen == {"1": 7, "2": 7}
            assert endpoint.dead == []
            assert (await statistics(client))["redelivered"] == 12

    run(check())


def _is_long(calls: list[Any], count: int) -> bool:
    return len(calls) == count


async def _taken(client: Any, count: int) -> bool:
    return (await statistics(client))["messages_in_flight"] == count


def test_a_dispatcher_goes_on_where_one_of_its_name_was_cut_off(server: str) -> None:
    """As after kill -9: what the first one had taken is pending, one message of it with an attempt that failed."""

    async def check() -> None:
        endpoint = Endpoint(always(204))
        async with connect(server) as client:
            await client.flushall()
            await publish(client, messages(*map(str, range(250))))
            first = Subscription(client, MESSAGES, "test")
            await first.open()
            taken = await first.take(240, 100)
            await client.hset("push:messages:failures", taken[7].id, 3)
            await client.zadd("push:messages:retries", {taken[7].id: time.time() + 0.3})
        stopping = asyncio.Event()
        async with endpoint.serving(), connect(server) as client:
            running = asyncio.create_task(dispatch(_settings(server, endpoint), stopping))
            await holds(lambda: is_done_with(client, 250))
            assert endpoint.attempts("7") == [4]
            assert Counter(each.message.id for each in endpoint.pushed).most_common(1)[0][1] == 1
            assert len(endpoint.pushed) == 250
            assert (await statistics(client))["redelivered"] == 239
            assert await client.hlen("push:messages:failures") == 0
            stopping.set()
            await running

    run(check())


def test_messages_of_a_dispatcher_that_does_not_come_back_are_taken_over_and_not_before_its_time(server: str) -> None:
    async def check() -> None:
        async with connect(server) as client:
            await client.flushall()
            await publish(client, messages("1", "2"))
            gone, other = (Subscription(client, MESSAGES, name) for name in ("gone", "other"))
            await gone.open()
            assert len(await gone.take(10, 100)) == 2
            assert await other.take_over(idle_s=60) == []
            await asyncio.sleep(0.05)
            assert [entry.message.id for entry in await other.take_over(idle_s=0.02)] == ["1", "2"]
            assert [entry.message.id for entry in await other.taken()] == ["1", "2"]
            assert await gone.taken() == []

    run(check())


def test_a_dead_letter_is_moved_once_even_if_the_answer_was_lost_and_it_is_moved_again(server: str) -> None:
    async def check() -> None:
        async with connect(server) as client:
            await client.flushall()
            await publish(client, messages("1"))
            subscription = Subscription(client, MESSAGES, "test")
            await subscription.open()
            (entry,) = await subscription.take(1, 100)
            for _ in range(3):
                await subscription.settle(Settled(dead=[(entry, "a reason")]))
            found = await statistics(client)
            assert (found["dead"], found["dead_letters"], await client.xlen(MESSAGES)) == (1, 1, 0)

    run(check())


@pytest.mark.parametrize(
    "fields",
    [{"x": "y"}, {"id": b"\xff", "key": "k", "payload": b"\xff", "attributes": "{"}, {"id": "1", "attributes": "[1]"}],
    ids=["nothing of ours", "no text, no JSON", "no object"],
)
def test_what_is_no_message_becomes_a_dead_letter_and_stops_nothing(fields: Any, server: str) -> None:
    async def check() -> None:
        endpoint = Endpoint(refusing_what_has_no_key)
        async with endpoint.serving(), dispatching(server, endpoint) as client:
            await client.xadd(MESSAGES, fields)
            await publish(client, messages("1"))
            await holds(lambda: is_done_with(client, 1))
            assert (await statistics(client))["dead"] == 1

    run(check())


async def refusing_what_has_no_key(envelope: Envelope) -> int:
    return 204 if "key" in envelope.message.attributes else 400


def test_a_broker_that_has_lost_everything_is_set_up_again(server: str) -> None:
    async def check() -> None:
        endpoint = Endpoint(always(204))
        async with endpoint.serving(), dispatching(server, endpoint) as client:
            await publish(client, messages("1"))
            await holds(lambda: is_done_with(client, 1))
            await client.flushall()
            await publish(client, messages("2"))
            await holds(lambda: is_done_with(client, 1))
            assert endpoint.attempts("2") == [1]

    run(check())


def test_without_a_broker_there_are_no_statistics_of_messages_but_zeros(server: str) -> None:
    async def check() -> None:
        async with connect(server) as client:
            await client.flushall()
            assert set((await statistics(client)).values()) == {0}

    run(check())
