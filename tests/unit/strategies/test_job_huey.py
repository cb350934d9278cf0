"""The service of jobs in huey against a Redis of its own: what it accepts, what is found later, what it refuses."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from redis import ConnectionError as Disconnected
from redis import Redis

from contract.errors import PROBLEM_CONTENT_TYPE
from contract.schema import MAX_NUMBERS
from contract.settings import load_settings
from feature_store.server import embedded_server
from strategies.job_huey import periodic
from strategies.job_huey.jobs import Jobs, make_huey
from strategies.job_huey.parameters import JOBS_PATH
from strategies.job_huey.service import make_app
from strategies.web import STATISTICS_PATH
from tests.unit.strategies.job_huey_bench import make_bench, settings, take, work_off, working

ROW = b"[1, 2, 3, 4]"
WAITED_FOR = f"{JOBS_PATH}?wait=1"
NOWHERE = "redis://127.0.0.1:1/0"
BAD_REQUESTS = [
    ("", b"", {}, 400),
    ("", b"[]", {}, 400),
    ("", b"{", {}, 400),
    ("", b"null", {}, 400),
    ("", b"[NaN]", {}, 400),
    ("", b"[" + b"1," * MAX_NUMBERS + b"1]", {}, 400),
    ("", b"{}", {}, 400),
    ("", b'{"numbers": []}', {}, 400),
    ("", b'{"numbers": ["1"]}', {}, 400),
    ("", b'{"numbers": [1e999]}', {}, 400),
    ("", b'{"numbers": [1], "priority": "highest"}', {}, 400),
    ("", b'{"numbers": [1], "priority": 10}', {}, 400),
    ("", b'{"numbers": [1], "priority": null}', {}, 400),
    ("", b'{"numbers": [1], "urgent": true}', {}, 400),
    ("?wait=2", ROW, {}, 400),
    ("?wait=", ROW, {}, 400),
    ("", ROW, {"Content_Type": "text/plain"}, 400),
    ("", ROW, {"Idempotency_Key": "x" * 201}, 400),
    ("", b"[1" + b" " * 20_000 + b"]", {}, 413),
    ("", b'{"numbers": [1' + b" " * 20_000 + b"]}", {}, 413),
]


class Service:
    """A service in this process, and a client of it."""

    def __init__(self, runner: asyncio.Runner) -> None:
        app = make_app(load_settings("async", "scoring"))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.run = runner.run
        self._client = httpx.AsyncClient(transport=transport, base_url="http://service")

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.request(method, path, content=body, headers=sent)

    def __call__(self, method: str, path: str, body: bytes = b"", **headers: str) -> httpx.Response:
        return self.run(self.send(method, path, body, **headers))

    def submit(self, body: bytes = ROW, **headers: str) -> str:
        """Submit a job and return its place."""
        answer = self("POST", JOBS_PATH, body, **headers)
        assert answer.status_code == 202, answer.text
        return answer.headers["location"]

    def backlog(self) -> int:
        return int(self("GET", STATISTICS_PATH).json()["backlog"])


Make = Callable[..., Service]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with embedded_server() as url:
        yield url


@pytest.fixture
def redis_url(server: str) -> str:
    Redis.from_url(server).flushall()
    return server


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Iterator[Make]:
    with asyncio.Runner() as runner:

        def make(**given: object) -> Service:
            for name, value in {"redis_url": redis_url, **given}.items():
                monkeypatch.setenv(f"STRATEGY_{name.upper()}", str(value))
            return Service(runner)

        yield make


@pytest.fixture
def ask(make: Make) -> Service:
    return make()


def is_refused(answer: httpx.Response, status: int = 503) -> bool:
    """Whether an answer is a problem of the contract; one that passes says when to try again."""
    says_when = answer.headers.get("retry-after") == ("1" if status == 503 else None)
    return says_when and (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_CONTENT_TYPE)


def test_a_job_is_accepted_then_under_way_then_answered(ask: Service, redis_url: str) -> None:
    accepted = ask("POST", JOBS_PATH, ROW)
    place, job_id = accepted.headers["location"], accepted.json()["id"]
    assert (place, accepted.headers["retry-after"]) == (f"{JOBS_PATH}/{job_id}", "1")
    bench = make_bench(redis_url)
    for status in ("queued", "started"):
        waiting = ask("GET", place)
        assert (waiting.status_code, waiting.json()) == (202, {"id": job_id, "status": status})
        assert (waiting.headers["location"], waiting.headers["retry-after"]) == (place, "1")
        if status == "queued":
            task = take(bench)
    bench.jobs.huey.execute(task)
    for _ in range(2):  # reading it takes nothing away
        done = ask("GET", place)
        assert (done.status_code, done.json()) == (200, {"id": job_id, "total": 20.0})


def test_the_numbers_of_a_job_with_a_priority_are_its_own(ask: Service, redis_url: str) -> None:
    place = ask.submit(b' {"numbers": [1, 2.5], "priority": "high"}')
    bench = make_bench(redis_url)
    row = bench.jobs.rows.find(place.rpartition("/")[2])
    assert row is not None
    assert (row.numbers, row.priority, row.state) == ((1.0, 2.5), "high", "queued")
    work_off(bench)
    assert ask("GET", place).json()["total"] == 7.0


@pytest.mark.parametrize("job_id", ["nobody", "x" * 100, "%20", "r:nobody"])
def test_an_unknown_id_answers_404(ask: Service, job_id: str) -> None:
    ask.submit()
    assert is_refused(ask("GET", f"{JOBS_PATH}/{job_id}"), 404)


def test_a_result_that_has_expired_answers_410_and_its_key_runs_nothing(ask: Service, redis_url: str) -> None:
    place = ask.submit(Idempotency_Key="old")
    bench = make_bench(redis_url)
    work_off(bench)
    key = bench.jobs.huey.storage.result_key(place.rpartition("/")[2])
    redis = Redis.from_url(redis_url)
    assert 590 < redis.ttl(key) <= 600
    redis.delete(key)  # as its expiry does
    assert is_refused(ask("GET", place), 410)
    assert is_refused(ask("POST", JOBS_PATH, ROW, Idempotency_Key="old"), 410)
    assert is_refused(ask("POST", JOBS_PATH, b"[5]", Idempotency_Key="old"), 409)
    assert ask.backlog() == len(bench.jobs.huey) == 0


def test_a_key_is_one_job_however_often_it_comes(ask: Service, redis_url: str) -> None:
    assert len({ask.submit(Idempotency_Key="a") for _ in range(3)}) == 1
    bench = make_bench(redis_url)
    assert ask.backlog() == len(bench.jobs.huey) == 1
    work_off(bench)
    again = ask("POST", JOBS_PATH, ROW, Idempotency_Key="a")
    assert (again.status_code, again.json()["total"]) == (200, 20.0)
    assert ask.backlog() == len(bench.jobs.huey) == 0


def test_requests_without_a_key_or_with_another_are_jobs_of_their_own(ask: Service) -> None:
    places = {ask.submit(), ask.submit(), ask.submit(Idempotency_Key="a"), ask.submit(Idempotency_Key="b")}
    assert len(places) == ask.backlog() == 4


@pytest.mark.parametrize("other", [b"[5]", b'{"numbers": [1, 2, 3, 4], "priority": "high"}'])
def test_a_key_with_another_body_answers_409_before_and_after_the_result(
    ask: Service, redis_url: str, other: bytes
) -> None:
    ask.submit(Idempotency_Key="a")
    assert is_refused(ask("POST", JOBS_PATH, other, Idempotency_Key="a"), 409)
    work_off(make_bench(redis_url))
    assert is_refused(ask("POST", JOBS_PATH, other, Idempotency_Key="a"), 409)
    assert ask.backlog() == 0


def test_a_full_backlog_answers_503_and_still_knows_what_it_has(make: Make, redis_url: str) -> None:
    ask = make(backlog=2)
    first = ask.submit(Idempotency_Key="first")
    ask.submit()
    assert is_refused(ask("POST", JOBS_PATH, ROW))
    assert is_refused(ask("POST", WAITED_FOR, ROW))
    assert ask.submit(Idempotency_Key="first") == first
    assert ask.backlog() == 2
    work_off(make_bench(redis_url))
    assert ask.submit()


@pytest.mark.parametrize("notifies", [True, False], ids=["is woken up", "polls"])
def test_who_waits_is_answered_with_the_result(make: Make, redis_url: str, notifies: bool) -> None:
    ask = make(notifies=notifies, wait_s=20)
    with working(redis_url, notifies=notifies):
        answer = ask("POST", WAITED_FOR, ROW)
    assert (answer.status_code, answer.json()["total"]) == (200, 20.0)


def test_who_waits_in_vain_is_told_where_to_ask_and_makes_room_for_another(make: Make, redis_url: str) -> None:
    ask = make(waiters=1, wait_s=0.05)
    answers = [ask("POST", WAITED_FOR, ROW) for _ in range(2)]
    places = [each.headers["location"] for each in answers]
    assert [(each.status_code, each.headers["retry-after"]) for each in answers] == [(202, "1")] * 2
    work_off(make_bench(redis_url))
    assert [ask("GET", place).json()["total"] for place in places] == [20.0] * 2


def test_one_waiter_too_many_is_refused_and_those_who_do_not_wait_are_accepted(make: Make, redis_url: str) -> None:
    ask, bench = make(waiters=1, wait_s=20), make_bench(redis_url)

    async def meet() -> list[httpx.Response]:
        first = asyncio.create_task(ask.send("POST", WAITED_FOR, ROW))
        async with asyncio.timeout(20):
            while not bench.jobs.statistics()["backlog"]:
                await asyncio.sleep(0.005)
        answers = [await ask.send("POST", path, ROW) for path in (WAITED_FOR, JOBS_PATH)]
        work_off(bench)
        return [await first, *answers]

    answered, refused, accepted = ask.run(meet())
    assert (answered.status_code, answered.json()["total"], accepted.status_code) == (200, 20.0, 202)
    assert is_refused(refused)
    assert bench.jobs.statistics()["accepted"] == 2


@pytest.mark.parametrize(("query", "body", "headers", "status"), BAD_REQUESTS)
def test_bad_input_is_refused_before_it_is_a_job(
    ask: Service, query: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert is_refused(ask("POST", JOBS_PATH + query, body, **headers), status)
    assert ask.backlog() == 0


def test_without_redis_nothing_is_accepted_and_nothing_is_claimed(make: Make) -> None:
    ask = make(redis_url=NOWHERE)
    assert is_refused(ask("POST", JOBS_PATH, ROW))
    assert is_refused(ask("POST", WAITED_FOR, ROW))
    assert is_refused(ask("GET", f"{JOBS_PATH}/any"))
    assert "accepted" not in ask("GET", STATISTICS_PATH).json()


def test_a_redis_that_is_full_takes_no_job(ask: Service, redis_url: str) -> None:
    place, redis = ask.submit(), Redis.from_url(redis_url)
    redis.config_set("maxmemory", 1)
    try:
        assert is_refused(ask("POST", JOBS_PATH, ROW))
        assert ask("GET", place).status_code == 202
    finally:
        redis.config_set("maxmemory", 0)
    assert ask.backlog() == ask("GET", STATISTICS_PATH).json()["accepted"] == 1


def test_redis_is_away_while_a_result_is_waited_for_and_the_job_is_accepted_all_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise Disconnected

    ask = make()
    monkeypatch.setattr("huey.api.Huey.get_raw", away)
    answer = ask("POST", WAITED_FOR, ROW)
    assert (answer.status_code, ask.backlog()) == (202, 1)


@pytest.mark.parametrize("body", [b"[-1]", b"[1e308, 1e308]"])
def test_a_job_that_the_model_refuses_answers_502_with_its_words(ask: Service, redis_url: str, body: bytes) -> None:
    place = ask.submit(body)
    work_off(make_bench(redis_url))
    answer = ask("GET", place)
    assert is_refused(answer, 502)
    assert answer.json()["detail"].startswith("The model has no answer for")
    said = ask("GET", STATISTICS_PATH).json()
    assert (said["backlog"], said["effects"]) == (0, 0)


def test_a_bug_in_the_model_answers_502_and_keeps_no_job_from_its_turn(
    ask: Service, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [ask.submit(), ask.submit(b"[5]")]
    monkeypatch.setattr("strategies.job_huey.model._predict", lambda numbers, _: 1 / (len(numbers) - 4))
    work_off(make_bench(redis_url))
    answers = [ask("GET", place) for place in places]
    assert is_refused(answers[0], 502)
    assert answers[0].json()["detail"] == "The job failed; the log of the worker says why."
    assert answers[1].status_code == 200
    assert ask.backlog() == 0


def test_a_worker_with_a_cache_asks_the_model_once(redis_url: str) -> None:
    bench = make_bench(redis_url, cached=2)
    ids = [bench.jobs.submit([1.0]).job_id for _ in range(3)]
    work_off(bench)
    said = bench.jobs.statistics()
    assert (said["misses"], said["hits"]) == (1, 2)
    assert [bench.jobs.look_up(each).total for each in ids] == [2.0] * 3


def test_a_service_works_on_no_job(redis_url: str) -> None:
    jobs = Jobs(settings(redis_url))
    jobs.submit([1.0])
    with pytest.raises(RuntimeError, match="does not work on them"):
        jobs.huey.dequeue().execute()


def test_two_consumers_refresh_twice_unless_one_runs_without_periodic_tasks(redis_url: str) -> None:
    found = periodic.measure(make_huey(settings(redis_url)))
    assert (found["due"], found["missed"], found["refreshed_by_two"], found["enqueued_with_n"]) == (3, 0, 6, 3)
