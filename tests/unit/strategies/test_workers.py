"""Workers: the services that run in them, and what their laws say."""

import asyncio
from typing import Any

import httpx
import pytest

from benchmark.contenders.discovery import discover
from benchmark.experiments.strategies.discovery import load_strategy
from contract.settings import load_settings
from strategies.flask_web import SCORE_PATH
from strategies.laws import mean_in_turn_ms, mean_shared_ms
from strategies.workers import asgi_service, service
from strategies.workers.model import make_model
from strategies.workers.parameters import MODEL_MS, SYNC_WORKERS

SETTINGS: dict[str, Any] = {"max_body_bytes": 64}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def quick_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATEGY_MODEL_MS", "0")


def ask_flask(body: bytes) -> tuple[int, str, bytes]:
    app = service.make_app(load_settings("sync", "scoring", **SETTINGS))
    got = app.test_client().post(SCORE_PATH, data=body, headers=JSON)
    return got.status_code, got.headers["Content-Type"], got.data


def ask_fastapi(body: bytes) -> tuple[int, str, bytes]:
    app = asgi_service.make_app(load_settings("async", "scoring", **SETTINGS))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.post(SCORE_PATH, content=body, headers=JSON)

    got = asyncio.run(ask())
    return got.status_code, got.headers["Content-Type"], got.content


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"[1, 2, 3, 4]", 200), (b"", 400), (b"[]", 400), (b"[null]", 400), (b"[" + b"1," * 40 + b"1]", 413)],
)
def test_flask_and_fastapi_answer_the_same_bytes(body: bytes, status: int) -> None:
    answered = ask_flask(body)
    assert answered == ask_fastapi(body)
    assert answered[0] == status
    assert answered[1] == ("application/json" if status == 200 else "application/problem+json")


def test_a_model_that_computes_uses_the_cpu_time_that_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATEGY_MODEL", "computes")
    monkeypatch.setenv("STRATEGY_MODEL_MS", "9000")
    clock = iter(range(1000))  # a second per look
    monkeypatch.setattr("contract.model.time.thread_time", lambda: next(clock))
    app = service.make_app(load_settings("sync", "scoring", **SETTINGS))
    assert app.test_client().post(SCORE_PATH, data=b"[1]", headers=JSON).status_code == 200
    assert next(clock) == 10


def test_a_model_that_sleeps_draws_the_same_duration_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRATEGY_MODEL_MS")
    model = make_model(load_settings("sync", "scoring"))
    assert {model.draw_s() for _ in range(10)} == {MODEL_MS / 1e3}


def test_the_rows_say_what_the_laws_rest_on() -> None:
    rows = {name: row.process[0].env for name, row in discover().items() if name.startswith("workers-")}
    for number in SYNC_WORKERS:
        sleeping, computing = rows[f"workers-sync-{number}"], rows[f"workers-cpu-{number}"]
        assert sleeping["SERVING_WORKERS"] == computing["SERVING_WORKERS"] == str(number)
        assert (sleeping.get("STRATEGY_MODEL"), computing["STRATEGY_MODEL"]) == (None, "computes")


@pytest.mark.parametrize(
    ("tasks", "servers", "mean_ms"), [(1, 2, 10), (2, 2, 10), (3, 2, (10 + 10 + 20) / 3), (5, 2, 18), (5, 5, 10)]
)
def test_in_turn_each_waits_for_the_rounds_before_it(tasks: int, servers: int, mean_ms: float) -> None:
    assert mean_in_turn_ms(tasks, servers, 10) == pytest.approx(mean_ms)


@pytest.mark.parametrize(("tasks", "cores", "mean_ms"), [(1, 2, 10), (2, 2, 10), (5, 2, 25), (5, 8, 10)])
def test_those_that_share_the_cores_end_together(tasks: int, cores: int, mean_ms: float) -> None:
    assert mean_shared_ms(tasks, cores, 10) == mean_ms


@pytest.mark.parametrize("tasks", range(1, 20))
@pytest.mark.parametrize("cores", [1, 2, 3, 8])
def test_sharing_the_cores_never_is_better_than_taking_turns(tasks: int, cores: int) -> None:
    assert mean_shared_ms(tasks, cores, 45) >= mean_in_turn_ms(tasks, cores, 45) - 1e-9


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_workers_that_sleep_have_no_limit_and_those_that_compute_have_the_cores(
    monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    from strategies.workers import strategy as folder

    monkeypatch.setattr(folder, "CORES", cores)
    made = folder.strategy(1.0)
    rates = {law.subject: law.expected for law in made.laws if law.figure.name == "rate_rps"}
    for number in SYNC_WORKERS:
        assert rates[f"workers-sync-{number}"] == pytest.approx(number / 0.045)
        assert rates[f"workers-cpu-{number}"] == pytest.approx(min(number, cores) / 0.045)


def test_a_quick_run_measures_fewer_contenders_under_the_same_laws() -> None:
    full, quick = load_strategy("workers", 1.0), load_strategy("workers", 0.25)
    assert set(quick.contenders) < set(full.contenders)
    assert {"workers-sync-1", "workers-sync-5"} <= set(quick.contenders)

    def laws_of(strategy: Any) -> dict[tuple[str, str], float]:
        return {(law.subject, law.figure.name): law.expected for law in strategy.laws if law.load != "with kills"}

    assert laws_of(quick).items() <= laws_of(full).items()
