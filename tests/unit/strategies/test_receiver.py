"""The receiver of callbacks in process: what it keeps, refuses and counts, and how it tells who waits."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from contract.errors import PROBLEM_CONTENT_TYPE, InvalidRequest, Unavailable
from contract.schema import HEALTHCHECK_PATH, READY_PATH
from contract.settings import load_settings
from strategies import receiver
from strategies.callbacks import signed
from strategies.receiver import CALLBACKS_PATH, Inbox, make_receiver, parse_wait_s
from strategies.web import STATISTICS_PATH

SECRET = b"secret"
NOW_S = 1_800_000_000.0
BODY = b'{"total": 20.0}'


class Memory:
    """A store that is there or not."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.counts = {"received": 0, "duplicates": 0, "rejected": 0}
        self.is_away = False

    async def keep(self, message_id: str, body: bytes) -> Mapping[str, int]:
        self._check()
        self.counts["duplicates" if message_id in self.bodies else "received"] += 1
        self.bodies.setdefault(message_id, body)
        return dict(self.counts)

    async def body(self, message_id: str) -> bytes | None:
        self._check()
        return self.bodies.get(message_id)

    async def reject(self) -> Mapping[str, int]:
        self._check()
        self.counts["rejected"] += 1
        return dict(self.counts)

    async def counters(self) -> Mapping[str, int]:
        self._check()
        return dict(self.counts)

    async def close(self) -> None:
        pass

    def _check(self) -> None:
        if self.is_away:
            raise Unavailable("The store is away.")


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def client(store: Memory) -> httpx.AsyncClient:
    app = make_receiver(store, SECRET, max_body_bytes=100, now_s=lambda: NOW_S)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://receiver")


async def post(client: httpx.AsyncClient, body: bytes = BODY, **headers: str) -> httpx.Response:
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post(CALLBACKS_PATH, content=body, headers={**signed("job-1", body, SECRET, NOW_S), **own})


async def stats(client: httpx.AsyncClient) -> dict[str, Any]:
    said = (await client.get(STATISTICS_PATH)).json()
    return {name: said[name] for name in ("received", "duplicates", "rejected")}


def test_what_was_delivered_can_be_fetched_as_it_came(client: httpx.AsyncClient) -> None:
    async def all_of_it() -> None:
        assert (await post(client)).status_code == 204
        fetched = await client.get(f"{CALLBACKS_PATH}/job-1?wait_s=10")
        assert (fetched.status_code, fetched.content) == (200, BODY)
        assert (await client.get(f"{CALLBACKS_PATH}/job-2")).status_code == 202

    asyncio.run(all_of_it())


def test_a_second_delivery_is_acknowledged_counted_and_changes_nothing(client: httpx.AsyncClient) -> None:
    async def all_of_it() -> None:
        assert [(await post(client)).status_code, (await post(client, b"[]")).status_code] == [204, 204]
        assert (await client.get(f"{CALLBACKS_PATH}/job-1")).content == BODY
        assert await stats(client) == {"received": 1, "duplicates": 1, "rejected": 0}

    asyncio.run(all_of_it())


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"webhook_signature": "v1,"}, BODY, 401),
        ({"webhook_timestamp": "1799999000"}, BODY, 401),
        ({"webhook_id": "job-2"}, BODY, 401),
        ({"webhook_id": "a.b"}, BODY, 400),
        ({"webhook_timestamp": "now"}, BODY, 400),
        ({"content_type": "text/plain"}, BODY, 400),
        ({}, b"x" * 101, 413),
    ],
)
def test_what_is_not_signed_or_not_readable_is_refused_and_not_kept(
    client: httpx.AsyncClient, store: Memory, headers: dict[str, str], body: bytes, status: int
) -> None:
    async def all_of_it() -> None:
        answer = await post(client, body, **headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_CONTENT_TYPE)
        assert store.bodies == {}
        assert await stats(client) == {"received": 0, "duplicates": 0, "rejected": 1}

    asyncio.run(all_of_it())


def test_a_callback_without_headers_is_bad_input(client: httpx.AsyncClient) -> None:
    async def all_of_it() -> None:
        assert (await client.post(CALLBACKS_PATH, content=BODY)).status_code == 400

    asyncio.run(all_of_it())


def test_who_waits_is_told_as_soon_as_it_comes() -> None:
    async def all_of_it() -> None:
        inbox = Inbox(Memory())
        waiting = [asyncio.create_task(inbox.wait("job-1", 60)) for _ in range(3)]
        other = asyncio.create_task(inbox.wait("job-2", 0.01))
        await asyncio.sleep(0)
        await inbox.receive("job-1", BODY)
        assert await asyncio.wait_for(asyncio.gather(*waiting), 10) == [BODY] * 3
        assert await other is None
        assert inbox._waiting == {}

    asyncio.run(all_of_it())


def test_what_comes_while_it_is_looked_for_is_not_missed() -> None:
    class Slow(Memory):
        async def body(self, message_id: str) -> bytes | None:
            found = await super().body(message_id)
            if found is None:
                await inbox.receive("job-1", BODY)
            return found

    inbox = Inbox(Slow())
    assert asyncio.run(asyncio.wait_for(inbox.wait("job-1", 60), 10)) == BODY


def test_a_client_that_goes_leaves_nothing_behind() -> None:
    async def all_of_it() -> None:
        inbox = Inbox(Memory())
        task = asyncio.create_task(inbox.wait("job-1", 60))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert inbox._waiting == {}

    asyncio.run(all_of_it())


def test_without_its_store_it_acknowledges_nothing(client: httpx.AsyncClient, store: Memory) -> None:
    async def all_of_it() -> None:
        store.is_away = True
        for answer in (await post(client), await client.get(f"{CALLBACKS_PATH}/job-1")):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert (await post(client, webhook_signature="v1,")).status_code == 401
        store.is_away = False
        assert (await post(client)).status_code == 204

    asyncio.run(all_of_it())


def test_counters_of_an_earlier_process_go_on() -> None:
    async def all_of_it() -> None:
        store = Memory()
        await Inbox(store).receive("job-1", BODY)
        inbox = Inbox(store)
        async with inbox.opened():
            assert inbox.statistics() == {"received": 1, "duplicates": 0, "rejected": 0}
            await inbox.receive("job-1", BODY)
            assert inbox.statistics() == {"received": 1, "duplicates": 1, "rejected": 0}

    asyncio.run(all_of_it())


def test_it_starts_before_its_store() -> None:
    async def all_of_it() -> None:
        store = Memory()
        store.is_away = True
        inbox = Inbox(store)
        async with inbox.opened():
            store.is_away = False
            await inbox.receive("job-1", BODY)
            assert inbox.statistics()["received"] == 1

    asyncio.run(all_of_it())


@pytest.mark.parametrize("path", [HEALTHCHECK_PATH, READY_PATH])
def test_it_has_the_health_checks_of_the_contract(client: httpx.AsyncClient, path: str) -> None:
    assert asyncio.run(client.get(path)).status_code == 200


@pytest.mark.parametrize(("text", "wait_s"), [("0", 0.0), ("2.5", 2.5), ("1e9", 60.0), ("inf", 60.0)])
def test_a_client_may_wait_for_a_minute(text: str, wait_s: float) -> None:
    assert parse_wait_s(text) == wait_s


@pytest.mark.parametrize("text", ["", "x", "-1", "nan"])
def test_a_wait_that_is_none_is_bad_input(text: str) -> None:
    with pytest.raises(InvalidRequest, match="expected seconds"):
        parse_wait_s(text)


def test_it_does_not_start_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CALLBACK_SECRET", raising=False)
    with pytest.raises(SystemExit, match="CALLBACK_SECRET is not set"):
        receiver.make_app(load_settings("async", "scoring"))
