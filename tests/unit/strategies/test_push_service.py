"""The summary API without a broker: what it answers, whose key is whose, how much it accepts, and what is published."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import PROBLEM_CONTENT_TYPE
from contract.schema import parse_scoring_numbers
from contract.settings import load_settings
from strategies.push_worker import sqlite
from strategies.push_worker.database import Database, DatabaseAway, Message, open_database
from strategies.push_worker.fill import BODIES, fill
from strategies.push_worker.relay import Relay
from strategies.push_worker.service import SUMMARIES_PATH, make_app
from strategies.push_worker.summary import key_of, payload_of, summary_of
from strategies.web import STATISTICS_PATH

PATIENCE_S = 20.0
KEY = key_of(payload_of([1.0, 2.0]))
NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8)

Check = Coroutine[Any, Any, None]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, which is that of the service; there is no broker."""
    url = f"sqlite:///{tmp_path}/summaries.sqlite3"
    monkeypatch.setenv("PUSH_DATABASE_URL", url)
    monkeypatch.setenv("PUSH_REDIS_URL", "redis://127.0.0.1:1/0")
    return url


def run(check: Check) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await check

    asyncio.run(bounded())


@asynccontextmanager
async def service() -> AsyncIterator[httpx.AsyncClient]:
    """Run the service in this process."""
    app = make_app(load_settings("async", "scoring"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://push") as client,
    ):
        yield client


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    database = await open_database(url)
    try:
        yield database
    finally:
        await database.close()


def test_new_numbers_are_accepted_once_however_they_are_written(url: str) -> None:
    async def check() -> None:
        async with service() as client:
            bodies = (b"[1, 2]", b" [1.0,2e0]\n", b"[1, 2]")
            for answer in [await client.post(SUMMARIES_PATH, content=body) for body in bodies]:
                assert (answer.status_code, answer.json()) == (202, {"id": KEY, "status": "pending"})
                assert answer.headers["location"] == f"{SUMMARIES_PATH}/{KEY}"
                assert answer.headers["retry-after"] == "1"
            found = (await client.get(STATISTICS_PATH)).json()
            assert (found["pending"], found["outbox"], found["backlog"]) == (1, 1, 1)

    run(check())


def test_64_requests_for_one_new_summary_at_once_are_accepted_as_one(url: str) -> None:
    async def check() -> None:
        async with service() as client:
            answers = await asyncio.gather(*(client.post(SUMMARIES_PATH, content=b"[1, 2]") for _ in range(64)))
            assert {answer.status_code for answer in answers} == {202}
            found = (await client.get(STATISTICS_PATH)).json()
            assert (found["pending"], found["outbox"]) == (1, 1)

    run(check())


def test_what_is_finished_is_answered_at_both_paths(url: str) -> None:
    async def check() -> None:
        async with service() as client, opened(url) as database:
            accepted = await client.post(SUMMARIES_PATH, content=b"[1, 2]")
            assert (await client.get(accepted.headers["location"])).status_code == 202
            await database.finish(KEY, b'{"total": 6.0}')
            for answer in (
                await client.get(accepted.headers["location"]),
                await client.post(SUMMARIES_PATH, content=b"[1, 2]"),
            ):
                assert (answer.status_code, answer.json()) == (200, {"total": 6.0})

    run(check())


def test_what_was_given_up_answers_502_with_what_is_known(url: str) -> None:
    async def check() -> None:
        async with service() as client, opened(url) as database:
            await client.post(SUMMARIES_PATH, content=b"[1, 2]")
            await database.begin(KEY)
            await database.fail(KEY, "the worker said no")
            for answer in (
                await client.get(f"{SUMMARIES_PATH}/{KEY}"),
                await client.post(SUMMARIES_PATH, content=b"[1, 2]"),
            ):
                assert (answer.status_code, answer.headers["content-type"]) == (502, PROBLEM_CONTENT_TYPE)
                assert answer.json()["detail"] == "This summary was given up after 1 runs: the worker said no"

    run(check())


@pytest.mark.parametrize("key", [KEY, "0", "x" * 64, KEY.upper(), "%00", "%FF", "'", "a" * 5000])
def test_a_key_under_which_nothing_was_accepted_answers_404(url: str, key: str) -> None:
    async def check() -> None:
        async with service() as client:
            answer = await client.get(f"{SUMMARIES_PATH}/{key}")
            assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM_CONTENT_TYPE)

    run(check())


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"[]", 400), (b"[1, null]", 400), (b"{", 400), (b"[NaN]", 400), (b" " * 20_000, 413)],
)
def test_bad_input_is_refused_and_nothing_of_it_is_kept(url: str, body: bytes, status: int) -> None:
    async def check() -> None:
        async with service() as client:
            answer = await client.post(SUMMARIES_PATH, content=body)
            assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_CONTENT_TYPE)
            assert (await client.get(STATISTICS_PATH)).json()["outbox"] == 0

    run(check())


def test_a_full_backlog_answers_503_and_what_is_known_is_still_answered(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSH_BACKLOG", "2")

    async def check() -> None:
        async with service() as client, opened(url) as database:
            for body in (b"[1, 2]", b"[3]"):
                assert (await client.post(SUMMARIES_PATH, content=body)).status_code == 202
            refused = await client.post(SUMMARIES_PATH, content=b"[4]")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert (await client.post(SUMMARIES_PATH, content=b"[3]")).status_code == 202
            await database.finish(KEY, b"{}")
            while (await client.post(SUMMARIES_PATH, content=b"[4]")).status_code == 503:
                await asyncio.sleep(0.05)
            assert (await client.post(SUMMARIES_PATH, content=b"[5]")).status_code == 503

    run(check())


def test_a_database_that_does_not_take_it_answers_503_and_nothing_is_accepted(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        async def find(self, key: str) -> None:
            return None

        async def submit(self, key: str, payload: bytes) -> None:
            raise DatabaseAway

    async def check() -> None:
        async with service() as client:
            real = sqlite.SqliteDatabase.submit
            monkeypatch.setattr(sqlite.SqliteDatabase, "submit", Away.submit)
            refused = await client.post(SUMMARIES_PATH, content=b"[1, 2]")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert (await client.get(f"{SUMMARIES_PATH}/{KEY}")).status_code == 404
            monkeypatch.setattr(sqlite.SqliteDatabase, "submit", real)
            assert (await client.post(SUMMARIES_PATH, content=b"[1, 2]")).status_code == 202

    run(check())


def test_what_is_known_from_the_start_is_answered_and_not_published(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATEGY_KNOWN", "10")
    lines = BODIES.read_bytes().splitlines()

    async def check() -> None:
        for _ in range(2):  # the second time they are there already
            async with service() as client:
                for line in lines[:10]:
                    answer = await client.post(SUMMARIES_PATH, content=line)
                    assert (answer.status_code, answer.json()) == (200, {"total": 20.0})
                assert (await client.post(SUMMARIES_PATH, content=lines[10])).status_code == 202
                found = (await client.get(STATISTICS_PATH)).json()
                assert (found["success"], found["outbox"], found["duplicate_effects"]) == (10, 1, 0)

    run(check())


def test_a_thousand_different_bodies_of_one_total_can_be_made_known(url: str) -> None:
    async def check() -> None:
        async with opened(url) as database:
            await fill(database, 1000)
            found = await database.statistics()
            assert (found["success"], found["outbox"]) == (1000, 0)

    lines = BODIES.read_bytes().splitlines()
    assert {summary_of(parse_scoring_numbers(line)) for line in lines} == {b'{"total": 20.0}'}
    run(check())


@given(NUMBERS)
def test_the_same_numbers_have_the_same_key_however_they_are_written(numbers: list[float]) -> None:
    payload = payload_of(numbers)
    assert parse_scoring_numbers(payload) == numbers
    again = parse_scoring_numbers(json.dumps(numbers, indent=2).encode())
    assert key_of(payload_of(again)) == key_of(payload)
    assert key_of(payload_of([-0.0, *numbers])) == key_of(payload_of([0.0, *numbers]))
    assert key_of(payload_of([1.0, *numbers])) != key_of(payload_of([2.0, *numbers]))


class Broker:
    """Takes messages, unless it is away or fails."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.trouble: Exception | None = None

    async def publish(self, messages: Sequence[Message]) -> None:
        if self.trouble:
            raise self.trouble
        self.got += [message.key for message in messages]


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


def test_what_is_in_the_outbox_at_the_start_is_published(url: str) -> None:
    async def check() -> None:
        broker = Broker()
        async with opened(url) as database:
            await asyncio.gather(*(database.submit(str(number), b"[1.0]") for number in range(500)))
            async with Relay(database, broker.publish, PATIENCE_S).running():
                await until(lambda: len(broker.got) == 500)
            assert set(broker.got) == set(map(str, range(500)))

    run(check())


def test_a_message_is_published_when_the_relay_is_woken_and_else_when_it_sweeps(url: str) -> None:
    async def check() -> None:
        broker = Broker()
        async with opened(url) as database:
            woken = Relay(database, broker.publish, 10 * PATIENCE_S)
            async with woken.running():
                await asyncio.sleep(0.05)
                await database.submit("a", b"[1.0]")
                woken.wake()
                await until(lambda: woken.published)
            assert broker.got == ["a"]
            async with Relay(database, broker.publish, 0.05).running():
                await asyncio.sleep(0.02)
                await database.submit("b", b"[1.0]")
                await until(lambda: broker.got == ["a", "b"])

    run(check())


@pytest.mark.parametrize("trouble", [ConnectionError("away"), DatabaseAway(), RuntimeError("a bug")])
def test_a_relay_that_cannot_publish_keeps_everything_and_publishes_it_later(url: str, trouble: Exception) -> None:
    async def check() -> None:
        broker = Broker()
        broker.trouble = trouble
        async with opened(url) as database:
            relay = Relay(database, broker.publish, PATIENCE_S)
            await database.submit("a", b"[1.0]")
            async with relay.running():
                await until(lambda: relay.failures >= 2)
                assert (await database.statistics())["outbox"] == 1
                broker.trouble = None
                await until(lambda: broker.got)
                await until(lambda: relay.published)
            found = await database.statistics()
            assert (broker.got, found["outbox"], found["queued"]) == (["a"], 0, 1)

    run(check())


def test_a_message_whose_removal_fails_is_sent_again_and_not_lost(url: str) -> None:
    async def check() -> None:
        broker = Broker()
        async with opened(url) as database:
            published = database.published

            async def fails_once(ids: Sequence[str]) -> None:
                database.published = published  # type: ignore[method-assign]
                raise DatabaseAway

            database.published = fails_once  # type: ignore[method-assign]
            await database.submit("a", b"[1.0]")
            relay = Relay(database, broker.publish, PATIENCE_S)
            async with relay.running():
                await until(lambda: relay.published)
            assert broker.got == ["a", "a"]

    run(check())
