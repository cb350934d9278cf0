"""A blocking model: which thread it blocks, how many at once, and what is answered when something is wrong."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from flask import Flask

from benchmark.experiments.strategies.discovery import load_strategy
from contract.settings import load_settings
from strategies.blocking import flask_service, model, service
from strategies.web import SCORE_PATH

PATIENCE_S = 30.0  # only a failing test waits that long
ROW = b"[1, 2]"


def fastapi_app(monkeypatch: pytest.MonkeyPatch, form: str, threads: str = "40", **settings: Any) -> FastAPI:
    monkeypatch.setenv("STRATEGY_FORM", form)
    monkeypatch.setenv("STRATEGY_THREADS", threads)
    monkeypatch.setenv("STRATEGY_MODEL_MS", "0")
    return service.make_app(load_settings("async", "scoring", **settings))


def flask_app(monkeypatch: pytest.MonkeyPatch, **settings: object) -> Flask:
    monkeypatch.setenv("STRATEGY_MODEL_MS", "0")
    return flask_service.make_app(load_settings("sync", "scoring", **settings))


def within(app: FastAPI, act: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """Do something while the app lives."""

    async def live() -> Any:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://x") as client,
        ):
            return await act(client)

    return asyncio.run(live())


def ask(app: FastAPI | Flask, body: bytes, **headers: str) -> tuple[int, Any]:
    """Return the status and the headers of an answer."""
    sent = {"Content-Type": "application/json", **headers}
    if isinstance(app, Flask):
        answer = app.test_client().post(SCORE_PATH, data=body, headers=sent)
        return answer.status_code, answer.headers
    got = within(app, lambda client: client.post(SCORE_PATH, content=body, headers=sent))
    return got.status_code, got.headers


def each_app(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> list[FastAPI | Flask]:
    forms = [fastapi_app(monkeypatch, form, **settings) for form in ("async-def", "def")]
    return [*forms, flask_app(monkeypatch, **settings)]


@pytest.mark.parametrize(("form", "on_the_loop"), [("async-def", True), ("def", False)])
def test_only_async_def_blocks_the_event_loop(monkeypatch: pytest.MonkeyPatch, form: str, on_the_loop: bool) -> None:
    seen: list[int] = []

    def predict(numbers: list[float], model_ms: float) -> bytes:
        seen.append(threading.get_ident())
        return b"{}"

    monkeypatch.setattr(service, "predict", predict)
    assert ask(fastapi_app(monkeypatch, form), ROW)[0] == 200
    assert (seen == [threading.get_ident()]) is on_the_loop


def test_in_def_two_requests_are_in_the_model_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)

    def predict(numbers: list[float], model_ms: float) -> bytes:
        both.wait(PATIENCE_S)  # raises if the other one does not come
        return b"{}"

    monkeypatch.setattr(service, "predict", predict)

    async def two(client: httpx.AsyncClient) -> list[int]:
        answers = await asyncio.gather(*(client.post(SCORE_PATH, content=ROW) for _ in range(2)))
        return [answer.status_code for answer in answers]

    assert within(fastapi_app(monkeypatch, "def"), two) == [200, 200]


def test_the_limit_of_threads_is_raised_at_startup_and_every_thread_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(client: httpx.AsyncClient) -> tuple[float, int]:
        for _ in range(3):
            assert (await client.post(SCORE_PATH, content=b"[-1]")).status_code == 502
        limiter = current_default_thread_limiter()
        return limiter.total_tokens, limiter.borrowed_tokens

    assert within(fastapi_app(monkeypatch, "def", threads="100"), fail) == (100, 0)


def test_all_three_answer_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model.predict([1, 2, 3], 0) == b'{"total": 6}'
    assert [ask(app, ROW)[0] for app in each_app(monkeypatch)] == [200] * 3


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"[]", 400), (b'["1"]', 400), (b"[1, -1]", 502), (b"[" + b"1," * 40 + b"1]", 413)],
)
def test_bad_input_is_answered_as_in_the_contract(monkeypatch: pytest.MonkeyPatch, body: bytes, status: int) -> None:
    for app in each_app(monkeypatch, max_body_bytes=64):
        got, headers = ask(app, body)
        assert (got, headers["Content-Type"]) == (status, "application/problem+json")


def test_requests_beyond_the_limit_answer_503_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()

    def predict(numbers: list[float], model_ms: float) -> bytes:
        entered.set()
        leave.wait(PATIENCE_S)
        return b"{}"

    monkeypatch.setattr(service, "predict", predict)
    monkeypatch.setattr(flask_service, "predict", predict)

    async def first_and_second(client: httpx.AsyncClient) -> list[tuple[int, str]]:
        first = asyncio.create_task(client.post(SCORE_PATH, content=ROW))
        await asyncio.to_thread(entered.wait, PATIENCE_S)
        second = await client.post(SCORE_PATH, content=ROW)
        leave.set()
        return [(got.status_code, got.headers.get("Retry-After", "")) for got in (await first, second)]

    assert within(fastapi_app(monkeypatch, "def", max_in_flight=1), first_and_second) == [(200, ""), (503, "1")]
    entered.clear()
    leave.clear()
    app = flask_app(monkeypatch, max_in_flight=1)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, app, ROW)
        assert entered.wait(PATIENCE_S)
        status, headers = ask(app, ROW)
        leave.set()
        assert (first.result()[0], status, headers["Retry-After"]) == (200, 503, "1")


def test_the_health_checks_of_all_are_those_of_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    paths = ("/api/v1/healthcheck", "/api/v1/ready", "/api/v1/stats")

    async def look(client: httpx.AsyncClient) -> list[int]:
        return [(await client.get(path)).status_code for path in paths]

    assert within(fastapi_app(monkeypatch, "def"), look) == [200] * 3
    flask = flask_app(monkeypatch).test_client()
    assert [flask.get(path).status_code for path in paths] == [200] * 3


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_each_law_says_that_one_request_more_than_threads_takes_two_rounds(scale: float) -> None:
    laws = load_strategy("blocking", scale).laws
    makespans = {(law.subject, law.load): law.expected for law in laws if law.figure.name == "makespan_ms"}
    for name, threads in (("blocking-def-250", 40), ("blocking-raised", 100), ("blocking-flask-250", 64)):
        assert makespans[name, f"{threads} at once"] == 250
        assert makespans[name, f"{threads + 1} at once"] == 500
    assert makespans["blocking-async-250", "ten at once"] == 2500


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_the_rate_on_the_event_loop_does_not_grow_with_the_users(scale: float) -> None:
    laws = [law for law in load_strategy("blocking", scale).laws if law.figure.name == "answers_per_s"]
    assert len(laws) >= 4
    assert {round(law.expected, 1) for law in laws if law.subject == "blocking-async"} == {22.2}
    assert all(law.at_least < law.expected <= law.at_most for law in laws)
