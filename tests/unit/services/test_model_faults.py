"""Every HTTP client of both twins against a model on a real socket that misbehaves in every way."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import async_api.model_client
import sync_api.model_client
from contract.errors import BadModelAnswer, ConnectionsInUse, ModelBusy, ModelTimeout, ServiceError
from contract.model_answer import MAX_ANSWER_BYTES
from contract.scoring import ModelReply
from contract.settings import Architecture, Settings, load_settings
from tests.stubs import faulty_model as stub
from tests.stubs.faulty_model import FaultyModel
from tests.unit.services.test_model_client_sockets import every_client, every_reuse

pytestmark = pytest.mark.integration

DEADLINE_MS = 400
PATIENCE_MS = 30_000  # only a failing test waits that long


@pytest.fixture
def model() -> Iterator[FaultyModel]:
    with contextlib.closing(FaultyModel()) as running:
        yield running


def settings_for(twin: Architecture, client: str, model: FaultyModel, **others: object) -> Settings:
    given: dict[str, object] = {"model_urls": (model.url,), "model_timeout_ms": PATIENCE_MS, "http_client": client}
    return load_settings(twin, "scoring", **{**given, **others})


def ask_in_turn(settings: Settings, times: int = 1, at_once: int = 1) -> list[list[ModelReply] | ServiceError]:
    """Ask the models some times with one client, several at once; return what each of the requests came to."""
    if settings.architecture == "sync":
        with contextlib.closing(sync_api.model_client.ModelClient(settings)) as models:

            def ask() -> list[ModelReply] | ServiceError:
                try:
                    return models.ask_all([1.0])
                except ServiceError as error:
                    return error

            with ThreadPoolExecutor(at_once) as threads:
                return [
                    outcome
                    for _ in range(times)
                    for outcome in list(threads.map(lambda _: ask(), range(at_once)))  # each round is waited for
                ]

    async def use() -> list[Any]:
        outcomes = []
        async with async_api.model_client.ModelClient(settings) as models:
            for _ in range(times):
                asked = (models.ask_all([1.0]) for _ in range(at_once))
                outcomes += await asyncio.gather(*asked, return_exceptions=True)
        return outcomes

    return asyncio.run(use())


def body_of(outcome: list[ModelReply] | ServiceError) -> bytes:
    assert isinstance(outcome, ServiceError), outcome
    return outcome.body()


TIMED_OUT = ModelTimeout(1, DEADLINE_MS).body()
UNREACHABLE = BadModelAnswer("Model 1 cannot be reached.").body()
TOO_LONG = BadModelAnswer(f"Model 1 answered more than {MAX_ANSWER_BYTES} bytes.").body()
NONSENSE = BadModelAnswer("Model 1 answered something else than a duration.").body()
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"


@every_client
@every_reuse
@pytest.mark.parametrize(
    "mode",
    [
        stub.drips(),
        stub.drips(stub.head(length=100), stub.BODY.ljust(100)),
        stub.drips(stub.head("200 OK", "Transfer-Encoding: chunked", length=None), b"1\r\n \r\n" * 30),
        stub.drips(INTERIM * 3, INTERIM * 9),
        stub.never_ends(b"", INTERIM),
    ],
    ids=["the head", "the body", "chunks", "interim answers", "an endless number of interim answers"],
)
def test_an_answer_that_drips_ends_at_the_deadline(
    twin: Architecture, client: str, reuse: str, mode: Any, model: FaultyModel
) -> None:
    model.mode = mode
    settings = settings_for(twin, client, model, model_timeout_ms=DEADLINE_MS, client_reuse=reuse)
    assert [body_of(outcome) for outcome in ask_in_turn(settings)] in ([TIMED_OUT], [UNREACHABLE])


@every_client
def test_a_dripping_answer_on_a_kept_connection_ends_at_the_deadline_and_is_not_read_by_the_next_request(
    twin: Architecture, client: str, model: FaultyModel
) -> None:
    settings = settings_for(twin, client, model, model_timeout_ms=DEADLINE_MS)
    states = iter([stub.answers(), stub.drips(stub.head(length=100) + b'{"detail": 9.0}', b" " * 85), stub.answers()])

    async def next_mode(connection: stub.Connection) -> bool:
        return await next(states)(connection)

    model.mode = next_mode
    first, second, third = ask_in_turn(settings, times=3)
    assert body_of(second) == TIMED_OUT
    assert [reply.detail_s for reply in (*first, *third)] == [0.041, 0.041]  # type: ignore[misc]


@every_client
@every_reuse
def test_a_kept_connection_that_turns_out_closed_costs_one_repeat(
    twin: Architecture, client: str, reuse: str, model: FaultyModel
) -> None:
    model.mode = stub.answers_first()
    settings = settings_for(
        twin, client, model, client_reuse=reuse, model_urls=(model.url, model.url), fan_out="sequential"
    )
    (outcome,) = ask_in_turn(settings)
    assert [(reply.detail_s, reply.retried) for reply in outcome] == [(0.041, False), (0.041, True)]  # type: ignore[union-attr]
    assert (model.requests, model.connections) == (3, 2)


@every_client
def test_all_kept_connections_may_be_closed_at_once(twin: Architecture, client: str, model: FaultyModel) -> None:
    """A request that is repeated must not meet the next closed connection."""
    settings = settings_for(twin, client, model)
    rounds, at_once = 2, 8
    arrived = 0

    async def answer_the_first_when_all_are_there(connection: stub.Connection) -> bool:
        nonlocal arrived
        if connection.requests > 1:
            return False
        arrived += 1
        while arrived < at_once:  # so that each has a connection of its own
            await asyncio.sleep(0.005)
        return await stub.answers()(connection)

    model.mode = answer_the_first_when_all_are_there
    outcomes = ask_in_turn(settings, rounds, at_once)
    assert [reply.detail_s for outcome in outcomes for reply in outcome] == [0.041] * rounds * at_once  # type: ignore[union-attr]


@every_client
@pytest.mark.parametrize("then", [b"H", stub.head()[:30], stub.ANSWER[:-3]], ids=["a byte", "half a head", "a body"])
def test_a_connection_that_answered_in_part_is_not_asked_again(
    twin: Architecture, client: str, then: bytes, model: FaultyModel
) -> None:
    model.mode = stub.answers_first(then)
    _, second = ask_in_turn(settings_for(twin, client, model), times=2)
    assert isinstance(second, BadModelAnswer)
    assert model.requests == 2


@every_client
@every_reuse
def test_a_new_connection_that_is_closed_is_not_asked_again(
    twin: Architecture, client: str, reuse: str, model: FaultyModel
) -> None:
    model.mode = stub.answers(b"", then_closes=True)
    assert [body_of(one) for one in ask_in_turn(settings_for(twin, client, model, client_reuse=reuse))] == [UNREACHABLE]
    assert model.requests == 1


@every_client
def test_a_repeat_ends_at_the_deadline_of_the_first_attempt(
    twin: Architecture, client: str, model: FaultyModel
) -> None:
    async def close_late_then_stall(connection: stub.Connection) -> bool:
        if model.requests == 1:
            return await stub.answers()(connection)
        if model.requests == 2:
            await asyncio.sleep(0.5 * DEADLINE_MS / 1e3)
            return False
        return await stub.stalls(connection)

    model.mode = close_late_then_stall
    settings = settings_for(twin, client, model, model_timeout_ms=DEADLINE_MS)
    _, second = ask_in_turn(settings, times=2)
    assert body_of(second) == TIMED_OUT
    assert model.requests == 3


@every_client
@every_reuse
@pytest.mark.parametrize("how", stub.ENDLESS)
def test_an_endless_answer_is_cut_off(
    twin: Architecture, client: str, reuse: str, how: str, model: FaultyModel
) -> None:
    model.mode = stub.ENDLESS[how]
    assert [body_of(one) for one in ask_in_turn(settings_for(twin, client, model, client_reuse=reuse))] == [TOO_LONG]
    wait_until_closed(model)
    assert model.sent_bytes < 100 * MAX_ANSWER_BYTES  # what the buffers of the sockets take


@every_client
@pytest.mark.parametrize("status", ["500 Internal Server Error", "302 Found", "503 Service Unavailable"])
def test_an_endless_refusal_is_cut_off(twin: Architecture, client: str, status: str, model: FaultyModel) -> None:
    model.mode = stub.never_ends(stub.head(status, "Location: /elsewhere", length=None))
    (outcome,) = ask_in_turn(settings_for(twin, client, model))
    assert type(outcome) is (ModelBusy if status.startswith("503") else BadModelAnswer)
    wait_until_closed(model)


@every_client
@pytest.mark.parametrize("excess", [0, 1])
def test_the_largest_answer_is_read_and_one_byte_more_is_refused(
    twin: Architecture, client: str, excess: int, model: FaultyModel
) -> None:
    size = MAX_ANSWER_BYTES + excess
    model.mode = stub.answers(stub.head(length=size) + stub.BODY.ljust(size))
    (outcome,) = ask_in_turn(settings_for(twin, client, model))
    assert body_of(outcome) == TOO_LONG if excess else isinstance(outcome, list)


@every_client
def test_an_endless_head_is_cut_off(twin: Architecture, client: str, model: FaultyModel) -> None:
    model.mode = stub.never_ends(b"HTTP/1.1 200 OK\r\nX: ", b"x" * 4096)
    assert [body_of(one) for one in ask_in_turn(settings_for(twin, client, model))] == [UNREACHABLE]
    wait_until_closed(model)


@every_client
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
@pytest.mark.parametrize("body", [stub.COMPRESSED, stub.BOMB], ids=["an answer", "a bomb"])
def test_a_compressed_answer_is_refused_as_it_came(
    twin: Architecture, client: str, coding: str, body: bytes, model: FaultyModel
) -> None:
    model.mode = stub.answers(stub.head("200 OK", f"Content-Encoding: {coding}", length=len(body)) + body)
    (outcome,) = ask_in_turn(settings_for(twin, client, model))
    assert body_of(outcome) == NONSENSE


@every_client
@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("7", "7"),
        ("60", "60"),
        ("61", "1"),
        ("0", "1"),
        ("-3", "1"),
        ("1.5", "1"),
        ("soon", "1"),
        ("", "1"),
        ("9" * 30, "1"),
    ],
)
def test_a_busy_model_is_passed_on_with_its_retry_after(
    twin: Architecture, client: str, retry_after: str, expected: str, model: FaultyModel
) -> None:
    model.mode = stub.answers(stub.head("503 Service Unavailable", f"Retry-After: {retry_after}", length=0))
    (outcome,) = ask_in_turn(settings_for(twin, client, model))
    assert isinstance(outcome, ModelBusy)
    assert (int(outcome.status), outcome.detail) == (503, "Model 1 is busy.")
    assert outcome.headers() == {"Retry-After": expected}


@every_client
def test_a_busy_model_without_retry_after_may_be_asked_after_a_second(
    twin: Architecture, client: str, model: FaultyModel
) -> None:
    model.mode = stub.answers(stub.head("503 Service Unavailable", length=0))
    (outcome,) = ask_in_turn(settings_for(twin, client, model))
    assert isinstance(outcome, ModelBusy)
    assert outcome.headers() == {"Retry-After": "1"}


@every_client
@every_reuse
def test_a_request_that_finds_no_connection_in_time_names_our_own_limit(
    twin: Architecture, client: str, reuse: str, model: FaultyModel
) -> None:
    model.mode = stub.stalls
    settings = settings_for(twin, client, model, model_pool_size=2, model_timeout_ms=DEADLINE_MS, client_reuse=reuse)
    outcomes = ask_in_turn(settings, at_once=5)
    assert [type(outcome) for outcome in outcomes].count(ModelTimeout) == 2
    refused = [outcome for outcome in outcomes if isinstance(outcome, ConnectionsInUse)]
    assert {(one.detail, one.headers()["Retry-After"]) for one in refused} == {
        ("All 2 connections to the models are in use.", "1")
    }


@every_client
@every_reuse
def test_requests_wait_for_a_connection_and_no_more_are_open_than_allowed(
    twin: Architecture, client: str, reuse: str, model: FaultyModel
) -> None:
    most = 0

    async def answer_slowly(connection: stub.Connection) -> bool:
        nonlocal most
        most = max(most, model.open)
        return await stub.waits(0.02)(connection)

    model.mode = answer_slowly
    settings = settings_for(twin, client, model, model_pool_size=4, client_reuse=reuse)
    outcomes = ask_in_turn(settings, at_once=12)
    assert [type(outcome) for outcome in outcomes] == [list] * 12
    if reuse == "pooled":  # a client per request closes its connection after it has given its place back
        assert most <= 4


@pytest.mark.parametrize("client", ["httpx", "httpx2", "aiohttp"])
@pytest.mark.parametrize("why", ["deadline", "cancelled"])
def test_requests_that_are_given_up_leave_every_place_of_the_pool_free(
    client: str, why: str, model: FaultyModel
) -> None:
    """At every moment: before, while and after it connects, sends, waits and reads."""
    places = 4
    settings = settings_for(
        "async", client, model, model_pool_size=places, model_timeout_ms=PATIENCE_MS, model_urls=(model.url,) * 2
    )

    async def use() -> list[Any]:
        async with async_api.model_client.ModelClient(settings) as models:
            for attempt in range(120):
                model.mode = (stub.stalls, stub.answers(), stub.drips(), stub.waits(0.002))[attempt % 4]
                models._timeout_ms = attempt % 6 + 1 if why == "deadline" else PATIENCE_MS
                asked = [asyncio.ensure_future(models.ask_all([1.0])) for _ in range(3)]
                if why == "cancelled":
                    for _ in range(attempt % 25):
                        await asyncio.sleep(0)
                    for one in asked:
                        one.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
            model.mode = stub.waits(0.05)
            models._timeout_ms = PATIENCE_MS
            return await asyncio.gather(*(models.ask_all([1.0]) for _ in range(places)), return_exceptions=True)

    outcomes = asyncio.run(use())
    assert [[reply.detail_s for reply in outcome] for outcome in outcomes] == [[0.041, 0.041]] * places
    wait_until_closed(model)


def wait_until_closed(model: FaultyModel) -> None:
    """Wait until the model has no connection any more."""
    until_s = time.monotonic() + PATIENCE_MS / 1e3
    while model.open and time.monotonic() < until_s:
        time.sleep(0.01)
    assert model.open == 0
