"""The plain FastAPI service with batches, and the laws of the frameworks."""

import asyncio
import threading
from collections.abc import Sequence

import pytest
from fastapi.testclient import TestClient

from benchmark.contenders.discovery import discover
from benchmark.experiments.strategies.law import Law, Strategy
from contract.errors import PROBLEM_CONTENT_TYPE, TooManyInFlight
from contract.settings import load_settings
from strategies.frameworks import service
from strategies.frameworks.model import Form
from strategies.frameworks.parameters import batch_ms
from strategies.frameworks.service import Batcher, make_app
from strategies.frameworks.strategy import strategy

SCORE = "/api/v1/score"
FAST = 1e6  # the speed of a model that answers at once


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> TestClient:
    monkeypatch.setenv("STRATEGY_MAX_BATCH", "8")
    monkeypatch.setenv("STRATEGY_SPEED", str(FAST))
    monkeypatch.setenv("SERVING_GC_FREEZE", "false")
    return TestClient(make_app(load_settings("async", "scoring")))


def test_a_row_is_answered_with_its_sum(client: TestClient) -> None:
    with client:
        answer = client.post(SCORE, json={"rows": [[5.25, 3.5, 1.25, 0.5]]})
    assert (answer.status_code, answer.json()) == (200, [10.5])


@pytest.mark.parametrize(
    "body",
    [b"", b"[", b"[1]", b"{}", b'{"rows": []}', b'{"rows": [[]]}', b'{"rows": [[1], [2]]}', b'{"rows": [["x"]]}',
     b'{"rows": [[NaN]]}', b'{"rows": [[' + b",".join([b"1"] * 65) + b"]]}"],
)  # fmt: skip
def test_a_bad_body_answers_400(client: TestClient, body: bytes) -> None:
    with client:
        answer = client.post(SCORE, content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, PROBLEM_CONTENT_TYPE)


class Model:
    """Takes the place of the model: notes its batches, and computes the next only when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[list[list[float]]] = []
        self.go_on = threading.Semaphore(0)
        monkeypatch.setattr(service, "predict", self)

    def __call__(self, rows: Sequence[list[float]], form: Form) -> list[float]:
        self.batches.append(list(rows))
        assert self.go_on.acquire(timeout=20)
        if any(row[0] < 0 for row in rows):
            raise ArithmeticError("a model failed")
        return [sum(row) for row in rows]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    return Model(monkeypatch)


async def ask(batcher: Batcher, numbers: Sequence[int], model: Model) -> list[float | BaseException]:
    """Ask for a row, and once the model is busy with it for the others, all at once."""
    async with batcher.running():
        first, *others = numbers
        asked = [asyncio.create_task(batcher.compute([float(first)]))]
        while not model.batches:
            await asyncio.sleep(0.001)
        asked += [asyncio.create_task(batcher.compute([float(number)])) for number in others]
        await asyncio.sleep(0.01)
        model.go_on.release(100)
        return await asyncio.gather(*asked, return_exceptions=True)


@pytest.mark.parametrize(("largest", "sizes"), [(1, [1] * 12), (8, [1, 8, 3])])
def test_batches_are_as_large_as_allowed_and_each_gets_its_own_answer(
    model: Model, largest: int, sizes: list[int]
) -> None:
    batcher = Batcher(Form(max_batch=largest, window_ms=0))
    assert asyncio.run(ask(batcher, range(12), model)) == [float(number) for number in range(12)]
    assert [len(batch) for batch in model.batches] == sizes
    assert (batcher.batches, batcher.rows) == (len(sizes), 12)


def test_a_batch_that_fails_fails_alone(model: Model) -> None:
    found = asyncio.run(ask(Batcher(Form(max_batch=2, window_ms=0)), [0, -1, 2, 3, 4], model))
    assert [isinstance(each, ArithmeticError) for each in found] == [False, True, True, False, False]


def test_a_full_queue_refuses(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_MAX_WAITING", 3)
    found = asyncio.run(ask(Batcher(Form(max_batch=2, window_ms=0)), range(6), model))
    assert [isinstance(each, TooManyInFlight) for each in found] == [False] * 4 + [True] * 2


def test_who_has_gone_away_takes_no_place_of_others(model: Model) -> None:
    async def leave() -> float:
        batcher = Batcher(Form(max_batch=8, window_ms=0))
        async with batcher.running():
            gone = asyncio.create_task(batcher.compute([1.0]))
            while not model.batches:
                await asyncio.sleep(0.001)
            gone.cancel()
            staying = asyncio.create_task(batcher.compute([2.0]))
            model.go_on.release(100)
            return await staying

    assert asyncio.run(leave()) == 2.0


@pytest.fixture(params=[1.0, 0.25])
def laws(request: pytest.FixtureRequest) -> Strategy:
    return strategy(request.param)


def law(given: Strategy, subject: str, load: str, figure: str) -> Law:
    (found,) = (each for each in given.laws if (each.subject, each.load, each.figure.name) == (subject, load, figure))
    return found


def test_the_laws_are_those_of_the_batches(laws: Strategy) -> None:
    for framework in ("fastapi", "bentoml", "litserve"):
        plain = law(laws, f"frameworks-{framework}", "busy", "rate_rps")
        batched = law(laws, f"frameworks-{framework}-batched", "busy", "rate_rps")
        assert plain.expected == pytest.approx(1e3 / 25)
        assert batched.expected == pytest.approx(8e3 / 60)
        assert law(laws, f"frameworks-{framework}", "alone", "median_ms").expected == batch_ms(1) == 25


def test_every_law_can_be_measured_and_every_contender_has_one(laws: Strategy) -> None:
    known = discover()
    assert set(laws.contenders) <= set(known)
    assert all(laws.loads_of(name) for name in laws.contenders)
    assert all(each.load in laws.loads for each in laws.laws if each.subject not in laws.computations)


def test_every_framework_listens_on_loopback_alone() -> None:
    bento = discover()["frameworks-bentoml"].process[0]
    assert bento.args[bento.args.index("--host") + 1] == "127.0.0.1"
    assert bento.env["BENTOML_DO_NOT_TRACK"] == "True"
