"""FastAPI's BackgroundTasks: when the answer comes, what is counted, what is refused, and what the laws say."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from benchmark.load.plan import Arrivals
from contract.errors import PROBLEM_CONTENT_TYPE
from contract.settings import load_settings
from strategies.background_task import service
from strategies.background_task.parameters import JOBS_PATH, LOOP_PATH, PLAIN_PATH, TASK_MS, THREADS
from strategies.background_task.strategy import pending_at, pending_over_time, plain_wait_ms, strategy
from strategies.web import STATISTICS_PATH

ROW = b"[1, 2, 3, 4]"
PATIENCE_S = 30.0  # only a failing test waits that long


def app_of(monkeypatch: pytest.MonkeyPatch, **settings: object) -> FastAPI:
    for name, value in {"task_ms": 0, **settings}.items():
        monkeypatch.setenv(f"STRATEGY_{name.upper()}", str(value))
    return service.make_app(load_settings("async", "scoring", max_body_bytes=64))


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


def test_the_work_is_done_once_after_a_202_and_its_effect_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    effects = tmp_path / "effects"

    async def submit(client: httpx.AsyncClient) -> tuple[int, Any]:
        answer = await client.post(JOBS_PATH, content=ROW)
        return answer.status_code, (await client.get(STATISTICS_PATH)).json()

    status, said = within(app_of(monkeypatch, effects=effects), submit)
    assert (status, said["accepted"], said["done"], said["pending"]) == (202, 1, 1, 0)
    assert effects.read_text() == "20.0\n"


def test_in_the_request_the_answer_is_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    app = app_of(monkeypatch, form="in-request")
    answer = within(app, lambda client: client.post(JOBS_PATH, content=ROW))
    assert (answer.status_code, answer.json()) == (200, {"total": 20.0})


def test_a_task_that_is_not_done_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = threading.Event(), threading.Event()

    def block(_: float) -> None:
        entered.set()
        leave.wait(PATIENCE_S)

    monkeypatch.setattr(time, "sleep", block)

    async def submit(client: httpx.AsyncClient) -> list[int]:
        # This client waits for the tasks of a request, unlike one on a socket.
        submitting = asyncio.create_task(client.post(JOBS_PATH, content=ROW))
        await asyncio.to_thread(entered.wait, PATIENCE_S)
        counts = [(await client.get(STATISTICS_PATH)).json()["pending"]]
        leave.set()
        await submitting
        return [*counts, (await client.get(STATISTICS_PATH)).json()["pending"]]

    assert within(app_of(monkeypatch), submit) == [1, 0]


@pytest.mark.parametrize(("body", "status"), [(b"", 400), (b"{", 400), (b"[]", 400), (b"[1" + b" " * 80 + b"]", 413)])
@pytest.mark.parametrize("form", ["in-background", "in-request"])
def test_bad_input_is_refused_before_it_is_a_task(
    monkeypatch: pytest.MonkeyPatch, body: bytes, status: int, form: str
) -> None:
    async def submit(client: httpx.AsyncClient) -> tuple[int, str, int]:
        answer = await client.post(JOBS_PATH, content=body)
        accepted = (await client.get(STATISTICS_PATH)).json()["accepted"]
        return answer.status_code, answer.headers["content-type"], accepted

    assert within(app_of(monkeypatch, form=form), submit) == (status, PROBLEM_CONTENT_TYPE, 0)


@pytest.mark.parametrize("path", [PLAIN_PATH, LOOP_PATH])
def test_both_endpoints_that_are_asked_beside_the_tasks_answer(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    assert within(app_of(monkeypatch), lambda client: client.get(path)).status_code == 200


@pytest.mark.parametrize(("tasks", "wait_ms"), [(0, 0), (39, 0), (40, 500), (79, 500), (80, 1500)])
def test_an_endpoint_waits_for_whole_rounds_of_the_threads(tasks: int, wait_ms: float) -> None:
    assert plain_wait_ms(tasks) == wait_ms


def test_below_what_the_threads_can_do_as_many_are_pending_as_little_says() -> None:
    load = Arrivals(80.0, measure_s=200.0, warmup_s=5.0)
    mean = sum(pending_at(load, step) for step in range(0, 200, 2)) / 100
    assert mean == pytest.approx(80.0 * TASK_MS / 1e3, rel=0.1)


def test_above_it_what_is_pending_grows_by_the_difference() -> None:
    load = Arrivals(200.0, measure_s=60.0, warmup_s=1.0)
    at = pending_over_time(load)
    capacity_rps = THREADS / TASK_MS * 1e3
    assert (at[60.0] - at[10.0]) / 50 == pytest.approx(200 - capacity_rps, rel=0.15)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_what_is_lost_at_a_kill_is_stated_as_the_trouble_and_nothing_may_be_lost_at_sigterm(scale: float) -> None:
    laws = {law.figure.name: law for law in strategy(scale).laws}
    assert (laws["lost_at_kill"].expected, laws["lost_at_kill"].contrast) == (50, True)
    assert (laws["lost_at_sigterm"].at_most, laws["lost_at_sigterm"].contrast) == (0, False)
    assert laws["plain_39_ms"].at_most < laws["plain_40_ms"].at_least < laws["plain_80_ms"].at_least
