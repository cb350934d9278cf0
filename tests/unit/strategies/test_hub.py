"""The hub strategy without processes: the service's answers, a worker's lines, and what the laws say."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import httpx
import pytest

from benchmark.contenders.discovery import discover
from benchmark.experiments.strategies.figure_kinds import FAILURES
from benchmark.load.plan import Arrivals
from contract.errors import PROBLEM_CONTENT_TYPE
from contract.settings import load_settings
from strategies.hub import none
from strategies.hub.parameters import FAST_MS, MODEL_MS, OVERLOAD_MS, OVERLOAD_WORKERS, WORKERS
from strategies.hub.service import make_app
from strategies.hub.settings import HubSettings
from strategies.hub.strategy import LOADS_PCT, expected_wait_ms, strategy
from strategies.hub.worker import work
from strategies.web import SCORE_PATH, STATISTICS_PATH

Ask = Callable[[bytes], httpx.Response]


class Stuck:
    """A pool that never answers."""

    def __init__(self, settings: HubSettings) -> None:
        self.asked = asyncio.Event()

    def running(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def predict(self, numbers: Sequence[float]) -> float:
        self.asked.set()
        await asyncio.Event().wait()
        return 0.0

    def statistics(self) -> Mapping[str, Any]:
        return {"pids": [1, 2]}


def client(monkeypatch: pytest.MonkeyPatch, **settings: object) -> httpx.AsyncClient:
    """Return a client of the service, which calls the model itself if nothing else is said."""
    given: dict[str, object] = {"form": "none", "model_ms": 0, **settings}
    for name, value in given.items():
        monkeypatch.setenv(f"STRATEGY_{name.upper()}", str(value))
    app = make_app(load_settings("async", "scoring"))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://hub")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    asking = client(monkeypatch)
    with asyncio.Runner() as runner:
        yield lambda body: runner.run(asking.post(SCORE_PATH, content=body))


def test_an_answer_is_twice_the_sum(ask: Ask) -> None:
    assert ask(b"[1, 2, 3, 4]").json() == {"total": 20.0}


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"[]", 400), (b"[1, null]", 400), (b"{", 400), (b"[" + b"1," * 64 + b"1]", 400), (b" " * 20_000, 413)],
)
def test_bad_input_is_refused_before_a_worker_sees_it(ask: Ask, body: bytes, status: int) -> None:
    answer = ask(body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_CONTENT_TYPE)


def test_a_model_that_fails_answers_502(ask: Ask) -> None:
    assert ask(b"[-1]").status_code == 502


def test_a_full_queue_answers_503_with_retry_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(none, "make_pool", Stuck)

    async def check() -> None:
        async with client(monkeypatch, workers=1, waiting=1) as asking:
            stuck = [asyncio.create_task(asking.post(SCORE_PATH, content=b"[1]")) for _ in range(2)]
            await asyncio.sleep(0.05)
            refused = await asking.post(SCORE_PATH, content=b"[1]")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            for task in stuck:
                task.cancel()

    asyncio.run(check())


def test_a_passed_deadline_answers_504_and_frees_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(none, "make_pool", Stuck)

    async def check() -> None:
        async with client(monkeypatch, workers=1, waiting=0, deadline_ms=20) as asking:
            answers = [await asking.post(SCORE_PATH, content=b"[1]") for _ in range(3)]
            assert [answer.status_code for answer in answers] == [504, 504, 504]

    asyncio.run(check())


def test_statistics_name_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(none, "make_pool", Stuck)

    async def check() -> None:
        async with client(monkeypatch) as asking:
            assert (await asking.get(STATISTICS_PATH)).json()["pids"] == [1, 2]

    asyncio.run(check())


def test_a_worker_answers_line_by_line_and_outlives_a_request_that_fails() -> None:
    answers = io.BytesIO()
    work(io.BytesIO(b"[1, 2]\n[-1]\nnonsense\n[3]\n"), answers, model_ms=0)
    ready, *lines = answers.getvalue().splitlines()
    assert ready == b"ready"
    assert [sorted(json.loads(line)) for line in lines] == [["total"], ["failed"], ["failed"], ["total"]]
    assert json.loads(lines[-1]) == {"total": 6}


@pytest.mark.parametrize(("percent", "wait_ms"), [(50, 2.54), (80, 19.6), (90, 49.8)])
def test_the_law_of_waits_is_that_of_m_d_4(percent: int, wait_ms: float) -> None:
    rate_rps = percent / 100 * WORKERS / FAST_MS * 1e3
    assert expected_wait_ms(Arrivals(rate_rps, measure_s=3_000, warmup_s=100)) == pytest.approx(wait_ms, rel=0.1)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_the_busier_the_workers_the_longer_the_wait_that_a_run_expects(scale: float) -> None:
    laws = {law.load: law for law in strategy(scale).laws if law.figure.name == "mean_wait_ms"}
    expected = [laws[load].expected for load in LOADS_PCT]
    assert expected == sorted(expected)
    assert expected[0] > 0


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_every_contender_whose_workers_are_killed_is_asked_for_its_failures(scale: float) -> None:
    asked = strategy(scale)
    killed = {law.subject for law in asked.laws if law.load == "kills"}
    judged = {law.subject for law in asked.laws if law.load == "kills" and law.figure is FAILURES}
    assert killed == judged != set()


def test_an_executor_that_stays_broken_loses_what_comes_after_the_first_kill() -> None:
    asked = strategy(1.0)
    (law,) = [law for law in asked.laws if law.subject == "hub-executor-naive"]
    load = asked.loads["kills"]
    assert isinstance(load, Arrivals)
    assert 0 < law.at_least < law.expected < law.at_most < load.rate_rps * load.measure_s


def test_contenders_are_configured_as_the_laws_suppose() -> None:
    found = {
        name: HubSettings(
            model_ms=float(contender.process[0].env["STRATEGY_MODEL_MS"]),
            workers=int(contender.process[0].env.get("STRATEGY_WORKERS", WORKERS)),
        )
        for name, contender in discover().items()
        if name.startswith("hub-")
    }
    for name, settings in found.items():
        overload, fast = name.endswith("-overload"), name.endswith(("-fast", "-naive"))
        expected = (OVERLOAD_WORKERS, OVERLOAD_MS) if overload else (WORKERS, FAST_MS if fast else MODEL_MS)
        assert (settings.workers, settings.model_ms) == expected, name
    assert len(found) == 10
