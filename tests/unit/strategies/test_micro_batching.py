"""Micro-batching: which items share a batch, who is refused, who fails with whom, and the sizes that adapt."""

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Any, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from benchmark.experiments.strategies.discovery import load_strategy
from benchmark.load.arrivals import poisson_arrivals
from contract.errors import BadModelAnswer, ServiceError, Unavailable
from contract.settings import load_settings
from strategies.micro_batching import own_answers, sizing_figures
from strategies.micro_batching.batcher import Batcher, BatchingParameters
from strategies.micro_batching.parameters import LARGEST, batch_rate_rps, cost_ms
from strategies.micro_batching.service import make_app
from strategies.micro_batching.simulation import aimd_in_the_long_run, batched, greedy_batch_size
from strategies.micro_batching.sizing import Aimd, FixedSize, QuantileRegression, quantile_line
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


@pytest.mark.parametrize(("slo_ms", "size"), [(60, 7), (100, 15), (200, 33)])
def test_aimd_stays_within_its_band_and_never_misses_the_objective(slo_ms: float, size: int) -> None:
    batches = sizing_figures.drive(Aimd(slo_ms, LARGEST), 100, cost_ms)
    assert batches[-1][0] == size
    assert all(took_ms <= slo_ms for _, took_ms in batches)


def test_aimd_follows_the_size_of_the_batches_that_run() -> None:
    sizing = Aimd(1_000, LARGEST)
    for _ in range(10):
        sizing.note(1, 1.0)  # a light load: what waits is never more than one
    assert sizing.limit == 3


def test_aimd_never_falls_below_one_nor_rises_above_the_largest() -> None:
    sizing = Aimd(100, largest=4)
    for _ in range(5):
        sizing.note(sizing.limit, 1_000)
    assert sizing.limit == 1
    for _ in range(5):
        sizing.note(sizing.limit, 1)
    assert sizing.limit == 4


@pytest.mark.parametrize(("slo_ms", "mean", "late"), [(60, 7.65, 0.326), (100, 15.0, 0.0), (200, 33.58, 0.103)])
def test_aimd_in_the_long_run(slo_ms: float, mean: float, late: float) -> None:
    assert aimd_in_the_long_run(slo_ms, cost_ms, 0.05, LARGEST) == pytest.approx((mean, late), abs=0.005)


@given(st.floats(1, 100), st.floats(0.5, 20))
def test_a_quantile_line_through_exact_times_is_their_line(fixed_ms: float, item_ms: float) -> None:
    sizes = [1, 3, 5, 7, 7, 7, 9]
    found = quantile_line(sizes, [fixed_ms + item_ms * size for size in sizes], 0.99)
    assert found == pytest.approx((fixed_ms, item_ms), rel=1e-4, abs=1e-4)


def test_a_quantile_line_leaves_its_share_of_the_points_above_it() -> None:
    sizes = [1 + i % 10 for i in range(1_000)]
    took_ms = [20 + 5 * size + (i * 37 % 101) / 10 for i, size in enumerate(sizes)]
    fixed_ms, item_ms = quantile_line(sizes, took_ms, 0.9)
    above = sum(ms > fixed_ms + item_ms * size + 1e-9 for size, ms in zip(sizes, took_ms, strict=True))
    assert above == pytest.approx(100, abs=3)


def test_the_regression_fits_once_and_never_again() -> None:
    sizing = QuantileRegression(200, LARGEST, samples=50)
    sizing_figures.drive(sizing, 51, cost_ms)
    assert (sizing.fitted, sizing.limit) == (True, 36)
    sizing_figures.drive(sizing, 100, lambda size: 1_000.0)
    assert sizing.limit == 36


def test_the_regression_leaves_out_the_first_batch_which_warms_up() -> None:
    sizing = QuantileRegression(1_000, LARGEST, samples=3)
    for size, took_ms in ((4, 900.0), (1, cost_ms(1)), (2, cost_ms(2)), (3, cost_ms(3))):
        sizing.note(size, took_ms)
    assert (sizing.fitted, sizing.limit) == (True, LARGEST)


def test_the_regression_goes_on_exploring_while_all_batches_have_one_size() -> None:
    sizing = QuantileRegression(100, LARGEST, samples=5)
    for _ in range(20):
        sizing.note(1, cost_ms(1))
    assert not sizing.fitted


def test_a_batch_that_has_room_takes_who_comes_before_it_starts() -> None:
    found = batched([0.0, 0.010, 0.015, 0.100], lambda n: 20.0 * n, max_batch_size=2, timeout_ms=20)
    assert [size for _, size in found.batches] == [2, 1, 1]
    assert [start_s for start_s, _ in found.batches] == pytest.approx([0.010, 0.050, 0.120])
    assert found.latencies_ms == pytest.approx([50, 40, 55, 40])


def test_who_finds_the_queue_full_is_refused() -> None:
    found = batched([0.0, 0.001, 0.002, 0.003], lambda _: 10.0, max_batch_size=2, places=2)
    assert found.latencies_ms[3] is None
    assert (found.refused([0.0, 0.001, 0.002, 0.003]), len(found.batches)) == (1, 2)


# Mean latency of Poisson arrivals: one at a time, timeout 0, 10 ms, 20 ms.
CROSSOVER = {
    5: (26.8, 26.6, 35.8, 45.1),
    20: (37.4, 32.1, 38.6, 46.1),
    30: (60.9, 35.8, 40.7, 47.2),
    60: (None, 47.4, 49.1, 52.7),
    100: (None, 67.6, 67.8, 69.0),
}


@pytest.mark.parametrize(("rate_rps", "expected"), CROSSOVER.items())
def test_the_mean_latency_of_many_arrivals(rate_rps: int, expected: tuple[float | None, ...]) -> None:
    arrivals_s = list(islice(poisson_arrivals(rate_rps, seed=3), 40_000))
    forms = ((1, 0), (32, 0), (32, 10), (32, 20))
    for (size, timeout_ms), mean_ms in zip(forms, expected, strict=True):
        if mean_ms is not None:
            found = batched(arrivals_s, cost_ms, size, timeout_ms)
            assert found.mean_ms(arrivals_s) == pytest.approx(mean_ms, rel=0.04)


@pytest.mark.parametrize(("rate_rps", "size"), [(100, 4.0), (150, 12.0)])
def test_greedy_batches_are_as_large_as_what_arrives_meanwhile(rate_rps: float, size: float) -> None:
    arrivals_s = list(islice(poisson_arrivals(rate_rps, seed=1), 40_000))
    assert greedy_batch_size(rate_rps, 20, 5) == pytest.approx(size)
    assert batched(arrivals_s, cost_ms, 64).mean_size() == pytest.approx(size, rel=0.05)


def test_nobody_waits_longer_than_two_batches_with_one_in_the_queue() -> None:
    arrivals_s = list(islice(poisson_arrivals(300, seed=1), 5_000))
    found = batched(arrivals_s, cost_ms, 8, places=8)
    assert max(ms for ms in found.latencies_ms if ms is not None) <= 2 * cost_ms(8) + 1e-9
    assert found.refused(arrivals_s) > 0


def test_the_laws_of_the_strategy_are_the_figures_of_its_rule() -> None:
    laws = {(law.subject, law.load, law.figure.name): law for law in load_strategy("micro_batching").laws}
    for users, rate_rps in ((2, 40), (8, 100), (32, 160)):
        assert laws["micro-batching-greedy", f"{users} users", "rate_rps"].expected == pytest.approx(rate_rps)
    assert laws["micro-batching-bounded", "200/s", "worst_ms"].expected == 120
    assert [batch_rate_rps(n) for n in (1, 4, 16)] == pytest.approx([40, 100, 160])
    computed = sizing_figures.figures()
    for (subject, _, name), law in laws.items():
        if subject == "adaptive-sizes":
            assert law.at_least <= computed[name] <= law.at_most, name


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


def test_a_cost_is_a_line() -> None:
    assert [cost_ms(n) for n in (0, 1, 16)] == [20, 25, 100]
    assert math.isclose(batch_rate_rps(10**9), 200, rel_tol=1e-6)
