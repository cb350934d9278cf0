"""Micro-batching: which items share a batch, who is refused, and who fails with whom."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI

from contract.errors import BadModelAnswer, ServiceError, Unavailable
from contract.settings import load_settings
from strategies.micro_batching import own_answers
from strategies.micro_batching.batcher import Batcher, BatchingParameters
from strategies.micro_batching.service import make_app
from strategies.micro_batching.sizing import FixedSize
from strategies.web import SCORE_PATH, STATISTICS_PATH

PATIENCE_S = 30.0  # only a failing test waits that long
AN_HOUR = 3_600_000_000  # in microseconds: a window that only a full batch ends
Result = TypeVar("Result")


class Model:
    """Doubles its items. A batch runs until it is let go on; each is kept."""

    def __init__(self, held: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Semaphore(0 if held else 1_000_000)

    def __call__(self, items: list[int]) -> Sequence[int | ServiceError]:
        self.batches.append(items)
        assert self.go_on.acquire(timeout=PATIENCE_S)
        if 13 in items:
            raise ValueError("thirteen")
        return [BadModelAnswer("seven") if item == 7 else 2 * item for item in items]


Act = Callable[[Batcher[int, int]], Awaitable[Result]]


def run(act: Act[Result], model: Callable[[list[int]], Sequence[int | ServiceError]], **parameters: int) -> Result:
    """Do something while a batcher works."""

    async def live() -> Result:
        given = BatchingParameters(**parameters)
        batcher: Batcher[int, int] = Batcher(model, given, FixedSize(given.max_batch_size))
        async with asyncio.timeout(PATIENCE_S), batcher.running():
            return await act(batcher)

    return asyncio.run(live())


async def ask_all(batcher: Batcher[int, int], items: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*(batcher.ask(item) for item in items), return_exceptions=True)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_a_full_batch_does_not_wait_for_the_timeout() -> None:
    model = Model()
    answers = run(
        lambda batcher: ask_all(batcher, range(20, 28)), model, max_batch_size=4, batch_timeout_micros=AN_HOUR
    )
    assert answers == [2 * item for item in range(20, 28)]
    assert model.batches == [[20, 21, 22, 23], [24, 25, 26, 27]]


def test_a_batch_that_is_not_full_starts_after_the_timeout() -> None:
    model = Model()
    assert run(lambda batcher: ask_all(batcher, [1, 2]), model, batch_timeout_micros=1_000) == [2, 4]
    assert model.batches == [[1, 2]]


def test_the_timeout_runs_from_the_first_item_whatever_comes_after_it() -> None:
    """Items keep coming, each sooner than the timeout after the one before; the first does not wait for their end."""
    model = Model()

    async def act(batcher: Batcher[int, int]) -> None:
        coming: list[asyncio.Task[int]] = []
        while not model.batches:
            coming.append(asyncio.create_task(batcher.ask(20 + len(coming))))
            await asyncio.sleep(0.005)
        await asyncio.gather(*coming)

    run(act, model, max_batch_size=1_000_000, batch_timeout_micros=50_000)
    assert model.batches[0][0] == 20


def test_without_a_timeout_an_item_starts_at_once_and_what_comes_meanwhile_is_the_next_batch() -> None:
    model = Model(held=True)

    async def act(batcher: Batcher[int, int]) -> list[int | BaseException]:
        first = asyncio.create_task(batcher.ask(1))
        await until(lambda: model.batches)
        others = asyncio.create_task(ask_all(batcher, [2, 3, 4]))
        await until(lambda: batcher.statistics()["waiting"] == 3)
        model.go_on.release(2)
        return [await first, *(await others)]

    assert run(act, model) == [2, 4, 6, 8]
    assert model.batches == [[1], [2, 3, 4]]


def test_as_many_batches_run_at_once_as_there_are_threads() -> None:
    model = Model(held=True)

    async def act(batcher: Batcher[int, int]) -> None:
        asking = asyncio.create_task(ask_all(batcher, range(6)))
        await until(lambda: len(model.batches) == 2)
        await asyncio.sleep(0.02)
        assert (len(model.batches), batcher.statistics()["waiting"]) == (2, 2)
        model.go_on.release(3)
        assert await asking == [2 * item for item in range(6)]

    run(act, model, max_batch_size=2, num_batch_threads=2)


def test_a_full_queue_refuses_and_takes_items_again_when_there_is_room() -> None:
    model = Model(held=True)

    async def act(batcher: Batcher[int, int]) -> None:
        running = asyncio.create_task(batcher.ask(1))
        await until(lambda: model.batches)
        waiting = asyncio.create_task(ask_all(batcher, [2, 3]))
        await until(lambda: batcher.statistics()["waiting"] == 2)
        with pytest.raises(Unavailable, match="2 items wait already"):
            await batcher.ask(4)
        model.go_on.release(3)
        assert [await running, *(await waiting)] == [2, 4, 6]
        assert await batcher.ask(5) == 10
        assert batcher.statistics()["refused"] == 1

    run(act, model, max_batch_size=2, max_enqueued_batches=1)


def test_a_batch_that_fails_takes_its_own_items_with_it_and_no_others() -> None:
    model = Model()
    answers = run(lambda batcher: ask_all(batcher, [1, 2, 13, 3, 4, 5]), model, max_batch_size=2)
    assert [isinstance(answer, BadModelAnswer) for answer in answers] == [False, False, True, True, False, False]
    assert [answers[i] for i in (0, 1, 4, 5)] == [2, 4, 8, 10]


def test_an_item_that_the_model_refuses_fails_alone_in_its_batch() -> None:
    refused, answered = run(lambda batcher: ask_all(batcher, [7, 1]), Model(), batch_timeout_micros=1_000)
    assert isinstance(refused, BadModelAnswer)
    assert answered == 2


def test_a_model_that_gives_too_few_answers_fails_its_batch_and_the_next_one_runs() -> None:
    short = [True]

    def model(items: list[int]) -> list[int]:
        return items[1:] if short.pop() else items

    async def act(batcher: Batcher[int, int]) -> list[int | BaseException]:
        found = await ask_all(batcher, [1, 2])
        short.append(False)
        return [*found, await batcher.ask(3)]

    one, two, three = run(act, model, batch_timeout_micros=1_000)
    assert isinstance(one, BadModelAnswer)
    assert isinstance(two, BadModelAnswer)
    assert three == 3


def test_an_item_whose_caller_leaves_is_not_computed() -> None:
    model = Model(held=True)

    async def act(batcher: Batcher[int, int]) -> None:
        first = asyncio.create_task(batcher.ask(1))
        await until(lambda: model.batches)
        others = [asyncio.create_task(batcher.ask(item)) for item in (2, 3, 4)]
        await until(lambda: batcher.statistics()["waiting"] == 3)
        others[1].cancel()
        await until(lambda: batcher.statistics()["waiting"] == 2)
        model.go_on.release(2)
        assert [await first, await others[0], await others[2]] == [2, 4, 8]
        assert batcher.statistics()["abandoned"] == 1

    run(act, model)
    assert model.batches == [[1], [2, 4]]


def test_a_caller_who_leaves_while_the_batch_runs_does_no_harm_to_the_others() -> None:
    model = Model(held=True)

    async def act(batcher: Batcher[int, int]) -> None:
        leaves, stays = (asyncio.create_task(batcher.ask(item)) for item in (1, 2))
        await until(lambda: model.batches)
        leaves.cancel()
        model.go_on.release()
        assert await stays == 4
        assert leaves.cancelled()

    run(act, model, batch_timeout_micros=1_000)


def test_what_waits_when_the_batcher_stops_is_refused() -> None:
    model = Model(held=True)

    async def stop() -> list[int | BaseException]:
        batcher: Batcher[int, int] = Batcher(model, BatchingParameters(max_batch_size=1), FixedSize(1))
        async with batcher.running():
            asking = asyncio.create_task(ask_all(batcher, [1, 2]))
            await until(lambda: model.batches)
        return await asking

    async def live() -> list[int | BaseException]:
        async with asyncio.timeout(PATIENCE_S):
            return await stop()

    try:
        assert all(isinstance(answer, Unavailable) for answer in asyncio.run(live()))
    finally:
        model.go_on.release(10)


def test_everyone_gets_the_answer_to_what_they_asked() -> None:
    found = asyncio.run(own_answers.ask_all(seed=2))
    assert (found["wrong"], found["unanswered"], found["failed_beyond_batches"]) == (0, 0, 0)
    assert min(found[key] for key in ("right", "refused", "failed_with_batch", "left")) > 0


def app_of(monkeypatch: pytest.MonkeyPatch, **variables: object) -> FastAPI:
    for name, value in variables.items():
        monkeypatch.setenv(f"STRATEGY_{name.upper()}", str(value))
    return make_app(load_settings("async", "scoring"), lambda items: [sum(item) for item in items])


def within(app: FastAPI, act: Callable[[httpx.AsyncClient], Awaitable[Result]]) -> Result:
    """Do something while the app lives."""

    async def live() -> Result:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            return await act(client)

    return asyncio.run(live())


@pytest.mark.parametrize("sizing", ["fixed", "aimd", "quantile-regression"])
def test_the_service_answers_many_at_once_each_with_its_own(sizing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(client: httpx.AsyncClient) -> list[Any]:
        sent = {"Content-Type": "application/json"}
        bodies = [b"[%d, 1]" % i for i in range(40)]
        answers = await asyncio.gather(*(client.post(SCORE_PATH, content=body, headers=sent) for body in bodies))
        said = (await client.get(STATISTICS_PATH)).json()
        assert said["items"] == 40
        return [answer.json()["total"] for answer in answers]

    assert within(app_of(monkeypatch, sizing=sizing), act) == [i + 1 for i in range(40)]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"[true]", b"[1" + b", 1" * 64 + b"]"])
def test_bad_input_never_enters_a_batch(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(client: httpx.AsyncClient) -> tuple[int, int]:
        answer = await client.post(SCORE_PATH, content=body, headers={"Content-Type": "application/json"})
        return answer.status_code, (await client.get(STATISTICS_PATH)).json()["items"]

    assert within(app_of(monkeypatch), act) == (400, 0)


def test_a_full_queue_answers_503_with_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATEGY_MAX_BATCH_SIZE", "1")
    monkeypatch.setenv("STRATEGY_MAX_ENQUEUED_BATCHES", "1")
    go_on = threading.Event()

    def model(items: list[list[float]]) -> list[float | BadModelAnswer]:
        assert go_on.wait(PATIENCE_S)
        return [sum(item) for item in items]

    async def act(client: httpx.AsyncClient) -> list[httpx.Response]:
        async def ask() -> httpx.Response:
            return await client.post(SCORE_PATH, content=b"[1]", headers={"Content-Type": "application/json"})

        async def until_said(key: str, value: int) -> None:
            while (await client.get(STATISTICS_PATH)).json()[key] != value:
                await asyncio.sleep(0.001)

        asked = [asyncio.create_task(ask())]
        await until_said("batches", 1)
        asked.append(asyncio.create_task(ask()))
        await until_said("waiting", 1)
        refused = await ask()
        go_on.set()
        return [refused, *(await asyncio.gather(*asked))]

    refused, *answered = within(make_app(load_settings("async", "scoring"), model), act)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert [answer.status_code for answer in answered] == [200, 200]


def test_an_item_whose_client_closes_its_connection_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_of(monkeypatch, batch_timeout_micros=AN_HOUR)
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"[1]", "more_body": False},
        {"type": "http.disconnect"},
    ]
    headers = [(b"content-type", b"application/json"), (b"content-length", b"3")]
    scope = {"type": "http", "method": "POST", "path": SCORE_PATH, "query_string": b"", "headers": headers}

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return messages.pop(0)

    async def send(message: Any) -> None:
        pass

    async def act(client: httpx.AsyncClient) -> dict[str, float]:
        await app(scope, receive, send)
        said: dict[str, float] = (await client.get(STATISTICS_PATH)).json()
        return said

    said = within(app, act)
    assert (said["waiting"], said["abandoned"], said["items"]) == (0, 1, 0)
