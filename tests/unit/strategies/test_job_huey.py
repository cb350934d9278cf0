"""Jobs in huey against a Redis of their own, worked on in the process of the test: answers, keys, kills, no Redis."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from redis import Redis

from contract.errors import PROBLEM_CONTENT_TYPE
from contract.settings import load_settings
from feature_store.server import embedded_server
from strategies.job_huey import periodic
from strategies.job_huey.jobs import Jobs, make_huey
from strategies.job_huey.parameters import JOBS_PATH
from strategies.job_huey.service import make_app
from strategies.job_huey.settings import JobSettings
from strategies.job_huey.workbench import Workbench
from strategies.web import STATISTICS_PATH

ROW = b"[1, 2, 3, 4]"
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with embedded_server() as url:
        yield url


@pytest.fixture
def redis_url(server: str) -> str:
    Redis.from_url(server).flushall()
    return server


def settings(url: str, **given: Any) -> JobSettings:
    return JobSettings(redis_url=url, **{"model_min_ms": 0, "model_max_ms": 0, "wait_s": 0.1, **given})


def work_off(bench: Workbench) -> None:
    """Do what is in the queue, as huey's worker does."""
    bench.jobs.rows.beat(bench.consumer)
    while len(bench.jobs.huey):
        bench.jobs.huey.execute(bench.jobs.huey.dequeue())


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., httpx.Response]]:
    with asyncio.Runner() as runner:

        def send(url: str, method: str, path: str, body: bytes | None = None, **headers: str) -> httpx.Response:
            monkeypatch.setenv("STRATEGY_REDIS_URL", url)
            monkeypatch.setenv("STRATEGY_WAIT_S", "0.1")
            monkeypatch.setenv("STRATEGY_BACKLOG", "2")
            transport = httpx.ASGITransport(make_app(load_settings("async", "scoring")), raise_app_exceptions=False)

            async def once() -> httpx.Response:
                async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                    sent = {name.replace("_", "-"): value for name, value in headers.items()}
                    return await client.request(method, path, content=body, headers=sent)

            return runner.run(once())

        yield send


def test_a_job_is_accepted_then_under_way_then_answered(ask: Any, redis_url: str) -> None:
    accepted = ask(redis_url, "POST", JOBS_PATH, ROW)
    place = accepted.headers["location"]
    assert (accepted.status_code, accepted.json()["status"]) == (202, "queued")
    waiting = ask(redis_url, "GET", place)
    assert (waiting.status_code, waiting.headers["location"], waiting.headers["retry-after"]) == (202, place, "1")
    work_off(Workbench(settings(redis_url)))
    done = ask(redis_url, "GET", place)
    assert (done.status_code, done.json()["total"]) == (200, 20.0)
    assert ask(redis_url, "GET", place).status_code == 200  # reading it takes nothing away


def test_an_unknown_id_is_404_and_an_expired_result_410(ask: Any, redis_url: str) -> None:
    assert ask(redis_url, "GET", f"{JOBS_PATH}/nobody").status_code == 404
    bench = Workbench(settings(redis_url))
    job_id = bench.jobs.submit([1.0]).job_id
    work_off(bench)
    Redis.from_url(redis_url).delete(bench.jobs.huey.storage.result_key(job_id))  # as its expiry does
    assert ask(redis_url, "GET", f"{JOBS_PATH}/{job_id}").status_code == 410


def test_a_key_is_one_job_however_often_it_comes_and_409_with_another_body(ask: Any, redis_url: str) -> None:
    places = [ask(redis_url, "POST", JOBS_PATH, ROW, Idempotency_Key="a").headers["location"] for _ in range(3)]
    assert len(set(places)) == 1
    assert ask(redis_url, "POST", JOBS_PATH, b"[9]", Idempotency_Key="a").status_code == 409
    assert ask(redis_url, "GET", STATISTICS_PATH).json()["backlog"] == 1


def test_a_full_backlog_answers_503_with_retry_after(ask: Any, redis_url: str) -> None:
    statuses = [ask(redis_url, "POST", JOBS_PATH, ROW).status_code for _ in range(3)]
    assert statuses == [202, 202, 503]


def test_who_waits_in_vain_is_told_where_to_ask(ask: Any, redis_url: str) -> None:
    answer = ask(redis_url, "POST", f"{JOBS_PATH}?wait=1", ROW)
    assert (answer.status_code, answer.headers["location"].startswith(JOBS_PATH)) == (202, True)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("", b"[]", 400),
        ("", b"{", 400),
        ("", b'{"numbers": [1], "priority": "highest"}', 400),
        ("", b'{"numbers": ["1"]}', 400),
        ("?wait=2", ROW, 400),
        ("", b"[1" + b" " * 20_000 + b"]", 413),
    ],
)
def test_bad_input_is_refused_before_it_is_a_job(ask: Any, redis_url: str, path: str, body: bytes, status: int) -> None:
    answer = ask(redis_url, "POST", JOBS_PATH + path, body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_CONTENT_TYPE)
    assert ask(redis_url, "GET", STATISTICS_PATH).json()["backlog"] == 0


def test_without_redis_submitting_and_asking_answer_503(ask: Any) -> None:
    for method, path, body in (("POST", JOBS_PATH, ROW), ("POST", f"{JOBS_PATH}?wait=1", ROW)):
        assert ask(NOWHERE, method, path, body).status_code == 503
    assert ask(NOWHERE, "GET", f"{JOBS_PATH}/any").status_code == 503
    assert ask(NOWHERE, "GET", STATISTICS_PATH).status_code == 200


def test_a_job_that_the_model_refuses_is_502(ask: Any, redis_url: str) -> None:
    place = ask(redis_url, "POST", JOBS_PATH, b"[-1]").headers["location"]
    work_off(Workbench(settings(redis_url)))
    assert ask(redis_url, "GET", place).status_code == 502


def test_a_job_whose_consumer_is_dead_is_worked_on_again_and_its_effect_is_written_once(redis_url: str) -> None:
    dead, other = (Workbench(settings(redis_url)) for _ in range(2))
    job_id = dead.jobs.submit([1.0]).job_id
    task = dead.jobs.huey.dequeue()
    dead._begin(task)
    dead._work(*task.args)  # it dies before huey stores the result; it has never sent a heartbeat
    assert dead.jobs.statistics()["lost"] == 1
    assert [row.job_id for row in other.jobs.sweep()] == [job_id]
    work_off(other)
    said = other.jobs.statistics()
    assert other.jobs.look_up(job_id).total == 2.0
    assert (said["started"], said["effects"], said["duplicate_effects"], said["backlog"]) == (2, 1, 0, 0)


def test_a_job_of_a_living_consumer_is_left_alone_and_a_second_copy_is_dropped(redis_url: str) -> None:
    first, other = (Workbench(settings(redis_url)) for _ in range(2))
    job_id = first.jobs.submit([1.0]).job_id
    task = first.jobs.huey.dequeue()
    first.jobs.rows.beat(first.consumer)
    first._begin(task)
    assert other.jobs.sweep() == []
    other.jobs.huey.enqueue(task)
    work_off(other)
    assert other.jobs.look_up(job_id) == ("started", None)


def test_a_row_whose_job_never_got_into_the_queue_is_found(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    jobs = Jobs(settings(redis_url))
    jobs.rows.accept("a", [1.0], "low", limit=9)
    assert jobs.sweep() == []  # it may still be on its way
    monkeypatch.setattr("strategies.job_huey.rows.STALE_S", -1.0)
    assert [row.job_id for row in jobs.sweep()] == ["a"]
    assert jobs.sweep() == []  # now it waits in the queue


def test_an_interrupted_job_is_put_back(redis_url: str) -> None:
    bench = Workbench(settings(redis_url))
    job_id = bench.jobs.submit([1.0]).job_id
    bench._begin(bench.jobs.huey.dequeue())
    bench.jobs.put_back(job_id)
    work_off(bench)
    assert bench.jobs.look_up(job_id).total == 2.0


def test_a_result_that_cannot_be_stored_leaves_the_job_to_be_done_again(
    monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    bench = Workbench(settings(redis_url))
    job_id = bench.jobs.submit([1.0]).job_id
    with monkeypatch.context() as broken:

        def away(*_: Any, **__: Any) -> None:
            raise ConnectionError("away")

        broken.setattr(bench.jobs.huey, "put_result", away)
        with pytest.raises(ConnectionError):
            bench.jobs.huey.execute(bench.jobs.huey.dequeue())
    Redis.from_url(redis_url).delete(f"jobs:alive:{bench.consumer}")
    bench.jobs.sweep()
    work_off(bench)
    assert bench.jobs.look_up(job_id).total == 2.0
    assert bench.jobs.statistics()["effects"] == 1


def test_urgent_jobs_are_taken_first_and_in_turn(redis_url: str) -> None:
    bench = Workbench(settings(redis_url, order="priority"))
    for priority in ("low", "high", "low", "high"):
        bench.jobs.submit([1.0], priority)
        time.sleep(0.001)  # the order within a class is that of a clock in microseconds
    work_off(bench)
    effects: Any = Redis.from_url(redis_url, decode_responses=True).lrange("jobs:effects", 0, -1)
    assert [entry.rpartition(" ")[0] for entry in effects] == ["high 2", "high 4", "low 1", "low 3"]


def test_a_worker_with_a_cache_asks_the_model_once(redis_url: str) -> None:
    bench = Workbench(settings(redis_url, cached=2))
    ids = [bench.jobs.submit([1.0]).job_id for _ in range(3)]
    work_off(bench)
    said = bench.jobs.statistics()
    assert (said["misses"], said["hits"]) == (1, 2)
    assert [bench.jobs.look_up(each).total for each in ids] == [2.0] * 3


def test_two_consumers_refresh_twice_unless_one_runs_without_periodic_tasks(redis_url: str) -> None:
    found = periodic.measure(make_huey(settings(redis_url)))
    assert (found["due"], found["missed"], found["refreshed_by_two"], found["enqueued_with_n"]) == (3, 0, 6, 3)
