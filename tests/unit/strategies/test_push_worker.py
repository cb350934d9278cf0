"""The push worker without a broker: the worker's answers, envelopes, and when a message is tried again."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
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
from strategies.push_worker.dispatcher import Dispatcher, DispatcherSettings, Outcome, Pushed
from strategies.push_worker.envelope import DEAD_PATH, PUSH_PATH, unwrap, wrap
from strategies.push_worker.model import duration_ms
from strategies.push_worker.parameters import POISON
from strategies.push_worker.stream import Entry, Failed, Settled
from strategies.push_worker.summary import key_of, payload_of
from strategies.web import STATISTICS_PATH

PATIENCE_S = 20.0
DONE = Pushed(Outcome.ACKNOWLEDGED, "answered 204")
FAILED = Pushed(Outcome.FAILED, "answered 502")
AWAY = Pushed(Outcome.UNREACHED)


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


# The dispatcher


class OnPaper:
    """A subscription without a broker: what there is to take, and what was settled."""

    def __init__(self, *names: str, taken: Sequence[str] = (), failed: dict[str, Failed] | None = None) -> None:
        self.stream = "push:messages"
        self._new = [entry(name) for name in names]
        self._taken, self._failed = [entry(name) for name in taken], failed or {}
        self.settled: list[Settled] = []
        self.away = 0  # how often the broker does not answer

    async def open(self) -> None:
        await self._answer()

    async def take(self, count: int, wait_ms: int) -> list[Entry]:
        await self._answer()
        found, self._new = self._new[:count], self._new[count:]
        return found

    async def taken(self) -> list[Entry]:
        return self._taken

    async def take_over(self, idle_s: float) -> list[Entry]:
        return []

    async def failed(self) -> dict[str, Failed]:
        return self._failed

    async def settle(self, settled: Settled) -> None:
        await self._answer()
        self.settled.append(settled)

    async def _answer(self) -> None:
        await asyncio.sleep(0.001)
        if self.away:
            self.away -= 1
            raise ConnectionError("away")

    @property
    def acknowledged(self) -> list[str]:
        return [name for each in self.settled for name in each.acknowledged]

    @property
    def dead(self) -> list[tuple[str, str]]:
        return [(entry.id, reason) for each in self.settled for entry, reason in each.dead]

    def counted(self, name: str) -> float:
        return sum(each.counts.get(name, 0) for each in self.settled)


def entry(name: str) -> Entry:
    return Entry(name, Message(name, f"key-{name}", b"[1]"), {"key": f"key-{name}"})


class Clock:
    """Calls what is due later only when it is told to."""

    def __init__(self) -> None:
        self.delays_s: list[float] = []
        self._calls: list[Callable[[], None]] = []

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        self.delays_s.append(delay_s)
        self._calls.append(call)

    def ring(self) -> bool:
        calls, self._calls = self._calls, []
        for call in calls:
            call()
        return bool(calls)


class Endpoint:
    """Answers pushes with these, in turn, and then with the last; remembers which attempts it saw."""

    def __init__(self, *answers: Pushed) -> None:
        self._answers = list(answers)
        self.seen: list[tuple[str, int]] = []

    async def __call__(self, body: bytes) -> Pushed:
        found = unwrap(body)
        self.seen.append((found.message.id, found.attempt))
        await asyncio.sleep(0)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


SETTINGS = DispatcherSettings(min_backoff_s=0.1, max_backoff_s=0.8, consumer="test")


async def dispatched(
    subscription: OnPaper,
    push: Callable[[bytes], Coroutine[Any, Any, Pushed]],
    until: Callable[[], object],
    clock: Clock | None = None,
    attempts: int | None = 5,
    in_flight: int = 2,
) -> None:
    """Run a dispatcher until a condition holds. The clock runs on as soon as nothing else happens."""
    clock, stopping = clock or Clock(), asyncio.Event()
    dispatcher = Dispatcher(subscription, push, SETTINGS, attempts, in_flight, clock.later)  # type: ignore[arg-type]
    running = asyncio.create_task(dispatcher.run(stopping))
    while not until():
        await asyncio.sleep(0.005)
        clock.ring()
        assert not running.done(), running
    stopping.set()
    await running


def test_a_message_that_fails_is_tried_five_times_with_pauses_that_double_and_is_then_a_dead_letter_once() -> None:
    async def check() -> None:
        broker, clock, endpoint = OnPaper("1-0"), Clock(), Endpoint(FAILED)
        await dispatched(broker, endpoint, lambda: broker.dead, clock)
        assert endpoint.seen == [("1-0", attempt) for attempt in (1, 2, 3, 4, 5)]
        assert clock.delays_s == [0.1, 0.2, 0.4, 0.8]
        assert broker.dead == [("1-0", "5 attempts, the last one answered 502")]
        assert broker.acknowledged == []
        assert (broker.counted("attempts"), broker.counted("redelivered")) == (5, 4)

    run(check())


def test_a_message_that_fails_delays_no_other() -> None:
    async def push(body: bytes) -> Pushed:
        await asyncio.sleep(0)
        return FAILED if unwrap(body).message.id == "1-0" else DONE

    async def check() -> None:
        others = [f"{number}-0" for number in range(2, 42)]
        broker, clock = OnPaper("1-0", *others), Clock()
        await dispatched(broker, push, lambda: broker.dead and len(broker.acknowledged) == len(others), clock)
        assert sorted(broker.acknowledged) == sorted(others)
        assert broker.counted("attempts") == len(others) + 5

    run(check())


def test_a_failure_is_noted_with_the_time_at_which_the_message_is_due_again() -> None:
    async def check() -> None:
        broker = OnPaper("1-0")
        await dispatched(broker, Endpoint(FAILED, DONE), lambda: broker.acknowledged)
        noted = [each.failed["1-0"] for each in broker.settled if each.failed]
        assert [each.failures for each in noted] == [1]
        assert noted[0].due_s > 1.7e9

    run(check())


def test_while_nobody_listens_a_message_waits_and_none_of_its_attempts_is_used_up() -> None:
    async def check() -> None:
        broker, clock = OnPaper("1-0"), Clock()
        endpoint = Endpoint(*[AWAY] * 6, DONE)
        await dispatched(broker, endpoint, lambda: broker.acknowledged, clock)
        assert {attempt for _, attempt in endpoint.seen} == {1}
        assert len(endpoint.seen) == 7
        assert clock.delays_s == []
        assert broker.counted("attempts") == 1

    run(check())


def test_no_more_messages_are_under_way_than_are_allowed() -> None:
    under_way, most = 0, 0

    async def push(body: bytes) -> Pushed:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.002)
        under_way -= 1
        return DONE

    async def check() -> None:
        names = [f"{number}-0" for number in range(50)]
        broker = OnPaper(*names)
        await dispatched(broker, push, lambda: len(broker.acknowledged) == 50, in_flight=3)
        assert most == 3

    run(check())


def test_a_dispatcher_that_starts_goes_on_with_what_was_taken_and_with_the_attempts_that_it_had() -> None:
    async def check() -> None:
        failed = {"2-0": Failed(4, 0.0), "3-0": Failed(1, 9e9)}
        broker, clock, endpoint = OnPaper(taken=("1-0", "2-0", "3-0"), failed=failed), Clock(), Endpoint(FAILED)
        await dispatched(broker, endpoint, lambda: {name for name, _ in broker.dead} == {"1-0", "2-0", "3-0"}, clock)
        assert [attempt for name, attempt in endpoint.seen if name == "2-0"] == [5]
        assert [attempt for name, attempt in endpoint.seen if name == "3-0"] == [2, 3, 4, 5]
        assert max(clock.delays_s) > 1e9  # it is not tried before its time

    run(check())


def test_while_the_broker_is_away_nothing_is_lost_and_nothing_is_pushed_twice() -> None:
    async def check() -> None:
        broker, endpoint = OnPaper("1-0", "2-0", "3-0"), Endpoint(DONE)
        broker.away = 4
        await dispatched(broker, endpoint, lambda: len(broker.acknowledged) == 3)
        assert sorted(broker.acknowledged) == ["1-0", "2-0", "3-0"]
        assert len(endpoint.seen) == 3

    run(check())


def test_a_dead_letter_is_tried_for_as_long_as_it_takes_with_pauses_that_do_not_grow_for_ever() -> None:
    async def check() -> None:
        broker, clock, endpoint = OnPaper("1-0"), Clock(), Endpoint(*[FAILED] * 80, DONE)
        await dispatched(broker, endpoint, lambda: broker.acknowledged, clock, attempts=None)
        assert len(endpoint.seen) == 81
        assert clock.delays_s[:5] == [0.1, 0.2, 0.4, 0.8, 0.8]
        assert max(clock.delays_s) == 0.8

    run(check())


def test_a_dispatcher_that_is_told_to_stop_finishes_what_is_under_way() -> None:
    async def check() -> None:
        broker, stopping, begun = OnPaper("1-0"), asyncio.Event(), asyncio.Event()

        async def push(body: bytes) -> Pushed:
            begun.set()
            await asyncio.sleep(0.05)
            return DONE

        dispatcher = Dispatcher(broker, push, SETTINGS, 5, 2)  # type: ignore[arg-type]
        running = asyncio.create_task(dispatcher.run(stopping))
        await begun.wait()
        stopping.set()
        await running
        assert broker.acknowledged == ["1-0"]

    run(check())


def test_a_dispatcher_ends_even_if_its_client_swallows_that_it_was_cancelled() -> None:
    class Swallowing(OnPaper):
        async def take(self, count: int, wait_ms: int) -> list[Entry]:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(PATIENCE_S)
            return []

    async def check() -> None:
        stopping = asyncio.Event()
        dispatcher = Dispatcher(Swallowing(), Endpoint(DONE), SETTINGS, 5, 2)  # type: ignore[arg-type]
        running = asyncio.create_task(dispatcher.run(stopping))
        await asyncio.sleep(0.02)
        stopping.set()
        await asyncio.wait_for(running, PATIENCE_S / 2)

    run(check())


def test_no_more_messages_are_taken_than_can_be_pushed_at_once() -> None:
    class Counting(OnPaper):
        most = 0

        async def take(self, count: int, wait_ms: int) -> list[Entry]:
            self.most = max(self.most, count)
            return await super().take(count, wait_ms)

    async def check() -> None:
        broker = Counting(*[f"{number}-0" for number in range(20)])
        await dispatched(broker, Endpoint(DONE), lambda: len(broker.acknowledged) == 20, in_flight=3)
        assert broker.most == 3

    run(check())


def test_a_message_that_succeeds_before_its_failure_was_noted_is_not_noted_as_failed() -> None:
    class Slow(OnPaper):
        async def settle(self, settled: Settled) -> None:
            while len(endpoint.seen) < 3:  # the first of them is written when all has happened
                await asyncio.sleep(0.001)
            await super().settle(settled)

    async def answer(body: bytes) -> Pushed:
        pushed = await endpoint(body)
        return DONE if unwrap(body).message.id == "1-0" else pushed

    endpoint = Endpoint(DONE, FAILED, DONE)

    async def check() -> None:
        broker = Slow("1-0", "2-0")
        await dispatched(broker, answer, lambda: len(broker.acknowledged) == 2, in_flight=1)
        assert [name for name, _ in endpoint.seen] == ["1-0", "2-0", "2-0"]
        assert [each.failed for each in broker.settled] == [{}] * len(broker.settled)

    run(check())


def test_a_message_that_is_acknowledged_while_one_looks_for_lost_ones_is_not_lost() -> None:
    class Late(OnPaper):
        looks, goes_on = 0, False

        async def taken(self) -> list[Entry]:
            self.looks += 1
            if self.looks == 1:
                return []
            while "1-0" not in self.acknowledged:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            return [entry("1-0")]

        async def take(self, count: int, wait_ms: int) -> list[Entry]:
            self.goes_on = self.looks > 1
            found = await super().take(count, wait_ms)
            if not found and self.looks == 1:
                raise ConnectionError("away")
            return found

    async def check() -> None:
        broker, endpoint = Late("1-0"), Endpoint(DONE)

        async def push(body: bytes) -> Pushed:
            while broker.looks < 2:
                await asyncio.sleep(0.001)
            return await endpoint(body)

        await dispatched(broker, push, lambda: broker.goes_on)
        assert len(endpoint.seen) == 1
        assert broker.counted("redelivered") == 0

    run(check())


def test_attempts_and_pauses_are_those_of_pub_sub_if_nothing_else_is_said() -> None:
    settings = DispatcherSettings(consumer="test")
    assert settings.attempts == 5
    assert [settings.backoff_s(failures) for failures in (1, 2, 3, 7, 1000)] == [10, 20, 40, 600, 600]


def test_a_message_is_taken_from_another_dispatcher_only_after_more_time_than_that_can_need() -> None:
    settings = DispatcherSettings(deadline_s=2, min_backoff_s=1, max_backoff_s=8, consumer="test")
    assert settings.take_over_s > 2 + 8


def test_pauses_that_shrink_are_refused() -> None:
    with pytest.raises(ValueError, match="below min_backoff_s"):
        DispatcherSettings(min_backoff_s=2, max_backoff_s=1, consumer="test")
