"""Both services with a cache: who calls the model, what an error leaves behind, and what bad input is answered."""

import asyncio
import functools
import random
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, Protocol

import cachetools
import httpx
import pytest

from contract.errors import BadModelAnswer, UnknownEntity
from contract.settings import load_settings
from strategies.caches import flask_service, service
from strategies.caches.keys import Key, key_of
from strategies.caches.laws import renewals_s
from strategies.caches.model import CacheSettings, Counts
from strategies.caches.parameters import FAILURE_TTL_S, TTL_S, UNKNOWN_TTL_S
from strategies.caches.replay import Clock
from strategies.web import SCORE_PATH, STATISTICS_PATH

ONCE, NAIVE = CacheSettings(form="single-flight"), CacheSettings(form="naive")
MANY, FEW = 64, 8
PATIENCE_S = 20.0
BAD = [
    (b"[]", 400),
    (b"[NaN]", 400),
    (b"[1e999]", 400),
    (b"{}", 400),
    (b"[-1]", 404),
    (b"[1" + b" " * 16384 + b"]", 413),
]


def key(number: float) -> Key:
    return key_of("v1", [number])


class Client(Protocol):
    def __call__(self, method: str, path: str, content: bytes = b"") -> tuple[int, Any]: ...


@pytest.fixture(params=["async", "sync"])
def make_client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Client]]:
    """Make a client of a service in this process, with STRATEGY_* settings."""
    with asyncio.Runner() as runner:

        def make(**settings: object) -> Client:
            for name, value in settings.items():
                monkeypatch.setenv(f"STRATEGY_{name.upper()}", str(value))
            if request.param == "async":
                transport = httpx.ASGITransport(service.make_app(load_settings("async", "scoring")))
                client = httpx.AsyncClient(transport=transport, base_url="http://service")
            flask_client = flask_service.make_app(load_settings("sync", "scoring")).test_client()

            def ask(method: str, path: str, content: bytes = b"") -> tuple[int, Any]:
                headers = {"Content-Type": "application/json"}
                if request.param == "sync":
                    answer = flask_client.open(path, method=method, data=content, headers=headers)
                    return answer.status_code, answer.json
                found = runner.run(client.request(method, path, content=content, headers=headers))
                return found.status_code, found.json()

            return ask

        yield make


def test_a_second_request_is_a_hit_and_says_the_same(make_client: Callable[..., Client]) -> None:
    ask = make_client()
    answers = [ask("POST", SCORE_PATH, body) for body in (b"[17]", b"[17.0]", b"[1.7e1]", b"[17.00000000001]")]
    assert answers == [(200, {"score": 34.0, "model": "v1"})] * 4
    _, said = ask("GET", STATISTICS_PATH)
    assert (said["hits"], said["calls"], said["calls_per_key"]) == (3, 1, 1)


def test_minus_zero_finds_the_entry_of_zero(make_client: Callable[..., Client]) -> None:
    ask = make_client()
    assert ask("POST", SCORE_PATH, b"[-0.0]") == ask("POST", SCORE_PATH, b"[0]")
    assert ask("GET", STATISTICS_PATH)[1]["calls"] == 1


@pytest.mark.parametrize("settings", [{"capacity": 0}, {"form": "none"}, {"form": "naive", "capacity": 0}], ids=str)
def test_a_cache_of_size_0_never_hits(make_client: Callable[..., Client], settings: dict[str, Any]) -> None:
    ask = make_client(**settings)
    assert {ask("POST", SCORE_PATH, b"[17]")[0] for _ in range(3)} == {200}
    _, said = ask("GET", STATISTICS_PATH)
    assert (said["hits"], said["calls"]) == (0, 3)


@pytest.mark.parametrize("form", ["none", "naive", "single-flight"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 400),
        (b"[NaN]", 400),
        (b"[1e999]", 400),
        (b"{}", 400),
        (b"[-1]", 404),
        (b"[1" + b" " * 16384 + b"]", 413),
    ],
)
def test_bad_input_is_answered_as_the_contract_says(
    make_client: Callable[..., Client], form: str, body: bytes, status: int
) -> None:
    ask = make_client(form=form)
    for _ in range(2):
        found, problem = ask("POST", SCORE_PATH, body)
        assert (found, problem["status"]) == (status, status)


def test_when_many_ask_an_event_loop_for_the_same_the_model_is_called_once() -> None:
    assert asyncio.run(_called_by_many(ONCE)) == 1


def test_to_look_it_up_and_else_call_does_not_stop_a_stampede() -> None:
    assert asyncio.run(_called_by_many(NAIVE)) == MANY


async def _called_by_many(chosen: CacheSettings) -> int:
    counts = Counts()
    predict = service.caching(service.calling(counts), chosen)
    assert await asyncio.gather(*(predict(key(5)) for _ in range(MANY))) == [10.0] * MANY
    return counts.read()["calls"]


def test_on_an_event_loop_different_keys_do_not_wait_for_each_other() -> None:
    async def ask() -> list[float]:
        together = asyncio.Barrier(FEW)  # opens when all calls have begun

        async def call(key: Key) -> float:
            await together.wait()
            return key.numbers[0]

        predict = service.caching(call, ONCE)
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.gather(*(predict(key(number)) for number in range(FEW)))

    assert asyncio.run(ask()) == list(range(FEW))


def test_a_failure_on_an_event_loop_reaches_all_who_wait_and_is_not_kept() -> None:
    calls = 0

    async def call(_: Key) -> float:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.01)
        raise BadModelAnswer("It fails.")

    async def ask() -> None:
        predict = service.caching(call, ONCE)
        found = await asyncio.gather(*(predict(key(5)) for _ in range(MANY)), return_exceptions=True)
        assert {type(each) for each in found} == {BadModelAnswer}
        assert calls == 1
        with pytest.raises(BadModelAnswer):
            await predict(key(5))
        assert calls == 2

    asyncio.run(ask())


def test_a_client_who_gives_up_does_not_end_the_call_for_the_others() -> None:
    async def ask() -> float:
        counts = Counts()
        predict = service.caching(service.calling(counts), ONCE)
        first, second = (asyncio.create_task(predict(key(5))) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == 10.0
        return counts.read()["calls"]

    assert asyncio.run(ask()) == 1


def test_when_many_threads_ask_for_the_same_the_model_is_called_once() -> None:
    counts = Counts()
    predict = flask_service.caching(flask_service.calling(counts), ONCE)
    assert in_threads(predict, [5] * MANY) == [10.0] * MANY
    assert counts.read()["calls"] == 1


def test_a_lock_does_not_stop_a_stampede() -> None:
    together = Barrier(MANY, timeout=PATIENCE_S)  # opens when every thread has called

    def call(_: Key) -> float:
        together.wait()
        return 10.0

    assert in_threads(flask_service.caching(call, NAIVE), [5] * MANY) == [10.0] * MANY


def test_threads_with_different_keys_do_not_wait_for_each_other() -> None:
    together = Barrier(FEW, timeout=PATIENCE_S)

    def call(key: Key) -> float:
        together.wait()
        return key.numbers[0]

    assert in_threads(flask_service.caching(call, ONCE), range(FEW)) == list(range(FEW))


def test_threads_that_wait_for_a_call_that_fails_do_not_fail_one_after_the_other() -> None:
    calls = []

    def call(key: Key) -> float:
        calls.append(key)
        raise BadModelAnswer("It fails.")

    predict = flask_service.caching(call, ONCE, Clock())  # time stands still
    asked = [functools.partial(predict, key(5))] * MANY
    with ThreadPoolExecutor(MANY) as pool:
        found = [future.exception() for future in [pool.submit(each) for each in asked]]
    assert {type(each) for each in found} == {BadModelAnswer}
    assert len(calls) == 1


def in_threads(predict: Callable[[Key], float], numbers: Any) -> list[float]:
    with ThreadPoolExecutor(len(numbers)) as pool:
        return list(pool.map(lambda number: predict(key(number)), numbers))


@pytest.mark.parametrize(
    ("error", "ttl_s"), [(UnknownEntity("-1", 10), UNKNOWN_TTL_S), (BadModelAnswer("It fails."), FAILURE_TTL_S)]
)
def test_a_thousand_requests_for_an_error_are_one_call_in_each_ttl(error: Exception, ttl_s: float) -> None:
    clock, called_s = Clock(), []

    def call(_: Key) -> float:
        called_s.append(clock.now_s)
        raise error

    predict = flask_service.caching(call, ONCE, clock)
    arrivals_s = [number * ttl_s / 128 for number in range(1_000)]
    for clock.now_s in arrivals_s:
        with pytest.raises(type(error)):
            predict(key(-1))
    assert called_s == renewals_s(arrivals_s, ttl_s, call_s=0.0)
    assert len(called_s) == 8


def test_an_error_that_is_kept_does_not_grow_with_each_answer() -> None:
    def call(_: Key) -> float:
        raise UnknownEntity("-1", 10)

    predict = flask_service.caching(call, ONCE, Clock())
    depths = []
    for _ in range(5):
        with pytest.raises(UnknownEntity) as raised:
            predict(key(-1))
        depths.append(len(traceback.extract_tb(raised.value.__traceback__)))
    assert len(set(depths)) == 1


def test_no_answer_is_older_than_its_ttl_however_often_it_is_read() -> None:
    clock, draw = Clock(), random.Random(1)
    predict = flask_service.caching(lambda _: clock.now_s, ONCE, clock)
    ages_s = []
    for _ in range(5_000):
        clock.now_s += draw.expovariate(1.0)
        ages_s.append(clock.now_s - predict(key(5)))
    assert max(ages_s) < TTL_S
    assert max(ages_s) > 0.9 * TTL_S


@pytest.mark.parametrize("cached", [functools.lru_cache, cachetools.cached({})])
def test_a_cache_for_functions_fails_at_the_second_request_to_a_coroutine(cached: Callable[[Any], Any]) -> None:
    @cached
    async def predict(number: float) -> float:
        return 2 * number

    async def ask() -> None:
        assert await predict(5.0) == 10.0
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await predict(5.0)

    asyncio.run(ask())
