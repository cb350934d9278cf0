"""The push worker without a broker: the worker's answers, and envelopes."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InvalidRequest
from contract.schema import HEALTHCHECK_PATH
from contract.settings import load_settings
from strategies.push_worker import worker
from strategies.push_worker.database import Database, DatabaseAway, Message, Status, open_database
from strategies.push_worker.envelope import DEAD_PATH, PUSH_PATH, unwrap, wrap
from strategies.push_worker.model import duration_ms
from strategies.push_worker.parameters import POISON
from strategies.push_worker.stream import Entry
from strategies.push_worker.summary import key_of, payload_of
from strategies.web import STATISTICS_PATH

PATIENCE_S = 20.0


def run(check: Coroutine[Any, Any, None]) -> None:
    """Run a check; what hangs fails the test."""
    asyncio.run(asyncio.wait_for(check, PATIENCE_S))


# Envelopes


def enveloped(**changes: object) -> bytes:
    message = {"data": base64.b64encode(b"[1]").decode(), "messageId": "7", "attributes": {"key": "k"}, **changes}
    return json.dumps({"message": message, "subscription": "s", "deliveryAttempt": 1}).encode()


NO_ENVELOPES = {
    "nothing": b"",
    "no JSON": b"{",
    "no object": b"[1, 2]",
    "no message": b'{"subscription": "s"}',
    "a message that is no object": b'{"message": "text"}',
    "no data": b'{"message": {"messageId": "7"}}',
    "data that is no text": enveloped(data=7),
    "no base64": enveloped(data="!!!!"),
    "base64 with something in between": enveloped(data="WzFd\n"),
    "base64 that is cut off": enveloped(data="WzF"),
    "base64 that is not ASCII": enveloped(data="WzFé"),
    "no id": b'{"message": {"data": "WzFd", "attributes": {"key": "k"}}}',
    "an empty id": enveloped(messageId=""),
    "an id that is a number": enveloped(messageId=7),
    "attributes that are no texts": enveloped(attributes={"key": 7}),
    "no time": enveloped(publishTime="yesterday"),
    "attempt 0": b'{"message": {"data": "WzFd", "messageId": "7"}, "deliveryAttempt": 0}',
}


@pytest.mark.parametrize("body", NO_ENVELOPES.values(), ids=NO_ENVELOPES)
def test_what_is_no_envelope_is_refused_without_being_repeated(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as refused:
        unwrap(body)
    assert "!!!!" not in refused.value.detail


@given(
    payload=st.binary(max_size=200),
    name=st.text(min_size=1, max_size=40),
    attributes=st.dictionaries(st.text(max_size=10), st.text(max_size=10)),
    attempt=st.integers(1, 1_000_000),
)
def test_an_envelope_holds_what_was_put_into_it(
    payload: bytes, name: str, attributes: dict[str, str], attempt: int
) -> None:
    entry = Entry("1764000000123-0", Message(name, "k", payload), attributes)
    found = unwrap(wrap(entry, "push:messages", attempt))
    assert (found.message.data, found.message.id, found.message.attributes) == (payload, name, attributes)
    assert (found.subscription, found.attempt) == ("push:messages", attempt)
    assert found.message.published == datetime.fromtimestamp(1_764_000_000.123, UTC)


def test_what_pub_sub_adds_to_an_envelope_is_ignored() -> None:
    assert unwrap(enveloped(message_id="7", publish_time="2026-01-01T00:00:00Z", orderingKey="")).message.id == "7"


# The worker


@asynccontextmanager
async def working(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **settings: object
) -> AsyncIterator[tuple[httpx.AsyncClient, Database]]:
    """Run the worker's service, and yield a client of it and its database."""
    url = f"sqlite:///{tmp_path}/summaries.sqlite3"
    given = {"database_url": url, "model_ms": 0, "model_spread_ms": 0, **settings}
    for name, value in given.items():
        monkeypatch.setenv(f"PUSH_{name.upper()}", str(value))
    app = worker.make_app(load_settings("async", "scoring"))
    database = await open_database(url)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://w") as client:
        yield client, database
    await database.close()


async def submitted(database: Database, numbers: Sequence[float]) -> tuple[str, bytes]:
    """Submit a job. Return its key, and the envelope of its message."""
    payload = payload_of(numbers)
    key = key_of(payload)
    await database.submit(key, payload)
    return key, enveloped(data=base64.b64encode(payload).decode(), attributes={"key": key})


def test_a_pushed_job_is_done_once_however_often_its_message_comes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, database):
            key, body = await submitted(database, [1, 2, 3, 4])
            statuses = [(await client.post(PUSH_PATH, content=body)).status_code for _ in range(3)]
            assert statuses == [204, 204, 204]
            row = await database.find(key)
            assert row
            assert (row.status, row.result, row.runs) == (Status.SUCCESS, b'{"total": 20.0}', 1)
            counts = (await client.get(STATISTICS_PATH)).json()
            assert (counts["pushed"], counts["done"], counts["skipped"]) == (3, 1, 2)

    run(check())


def test_the_same_message_at_the_same_time_has_one_effect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path, model_ms=30) as (client, database):
            _, body = await submitted(database, [1])
            answers = await asyncio.gather(*(client.post(PUSH_PATH, content=body) for _ in range(8)))
            assert {answer.status_code for answer in answers} == {204}
            found = await database.statistics()
            assert (found["effects"], found["duplicate_effects"]) == (1, 0)

    run(check())


@pytest.mark.parametrize("body", NO_ENVELOPES.values(), ids=NO_ENVELOPES)
def test_what_is_no_envelope_is_not_acknowledged(body: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, database):
            assert (await client.post(PUSH_PATH, content=body)).status_code == 400
            assert (await database.statistics())["runs"] == 0

    run(check())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"attributes": {}}, 400),
        ({"attributes": {"key": "of nothing"}}, 400),
        ({"data": base64.b64encode(b"no numbers").decode()}, 400),
        ({"data": "A" * 100_000}, 413),
    ],
    ids=["no key", "no such job", "no numbers", "too large"],
)
def test_a_message_of_no_job_is_not_acknowledged(
    changes: dict[str, object], status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, _):
            assert (await client.post(PUSH_PATH, content=enveloped(**changes))).status_code == status

    run(check())


def test_a_payload_of_the_size_that_the_api_takes_fits_into_an_envelope(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, database):
            numbers = payload_of([1.0])
            payload = numbers[:-1] + b" " * (load_settings("async", "scoring").max_body_bytes - len(numbers)) + b"]"
            key = key_of(numbers)
            await database.submit(key, payload)
            body = enveloped(data=base64.b64encode(payload).decode(), attributes={"key": key})
            assert (await client.post(PUSH_PATH, content=body)).status_code == 204

    run(check())


@pytest.mark.parametrize("numbers", [[POISON, 1], [1e308, 1e308]], ids=["poison", "a sum that is no number"])
def test_a_job_that_the_model_fails_for_answers_502_and_stays_to_be_tried_again(
    numbers: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, database):
            key, body = await submitted(database, numbers)
            for runs in (1, 2):
                assert (await client.post(PUSH_PATH, content=body)).status_code == 502
                row = await database.find(key)
                assert row
                assert (row.status, row.runs) == (Status.PENDING, runs)

    run(check())


def test_a_model_with_a_bug_answers_502_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    async def check() -> None:
        monkeypatch.setattr(worker, "predict", fail)
        async with working(monkeypatch, tmp_path) as (client, database):
            _, body = await submitted(database, [1])
            assert (await client.post(PUSH_PATH, content=body)).status_code == 502

    run(check())


@pytest.mark.parametrize("path", [PUSH_PATH, DEAD_PATH])
@pytest.mark.parametrize("asked", ["find", "begin", "finish", "fail"])
def test_while_the_database_is_away_nothing_is_acknowledged(
    path: str, asked: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, database):
            _, body = await submitted(database, [1])
            is_asked = (asked == "fail") == (path == DEAD_PATH)

            async def fail(*_: object) -> None:
                raise DatabaseAway

            with monkeypatch.context() as away:
                away.setattr(type(database), asked, fail)
                assert (await client.post(path, content=body)).status_code == (503 if is_asked else 204)
            assert (await client.post(path, content=body)).status_code == 204

    run(check())


def test_only_a_dead_letter_gives_a_job_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, database):
            key, _ = await submitted(database, [POISON])
            dead = enveloped(attributes={"key": key, "reason": "5 attempts"})
            for _ in range(2):
                assert (await client.post(DEAD_PATH, content=dead)).status_code == 204
            row = await database.find(key)
            assert row
            assert (row.status, row.result) == (Status.ERROR, b"5 attempts")

    run(check())


def test_a_dead_letter_of_a_job_that_is_done_changes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, database):
            key, body = await submitted(database, [1])
            for path in (PUSH_PATH, DEAD_PATH):
                assert (await client.post(path, content=body)).status_code == 204
            row = await database.find(key)
            assert row
            assert row.status is Status.SUCCESS

    run(check())


def test_a_dead_letter_of_no_job_is_acknowledged_since_nothing_comes_after_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path) as (client, _):
            assert (await client.post(DEAD_PATH, content=enveloped(attributes={}))).status_code == 204

    run(check())


def test_the_model_does_not_block_the_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path, model_ms=500) as (client, database):
            _, body = await submitted(database, [1])
            pushed = asyncio.create_task(client.post(PUSH_PATH, content=body))
            while not (await client.get(STATISTICS_PATH)).json()["pushed"]:
                await asyncio.sleep(0.01)
            assert (await client.get(HEALTHCHECK_PATH)).status_code == 200
            assert not pushed.done()
            assert (await pushed).status_code == 204

    run(check())


def test_more_pushes_than_there_is_room_for_are_delivered_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def check() -> None:
        async with working(monkeypatch, tmp_path, model_ms=200, threads=1) as (client, database):
            bodies = [(await submitted(database, [number]))[1] for number in range(3)]
            answers = await asyncio.gather(*(client.post(PUSH_PATH, content=body) for body in bodies))
            assert sorted(answer.status_code for answer in answers) == [204, 204, 503]

    run(check())


def test_a_job_takes_as_long_whenever_it_is_done_and_jobs_differ() -> None:
    drawn = [duration_ms(f"{number}", 45, 5) for number in range(200)]
    assert drawn == [duration_ms(f"{number}", 45, 5) for number in range(200)]
    assert 40 <= min(drawn) < 41
    assert 49 < max(drawn) <= 50
