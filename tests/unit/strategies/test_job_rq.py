"""Jobs on RQ behind both twins: what is accepted, what is found later, and what bad input is answered."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import httpx
import pytest
from redis import Redis
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from contract.settings import load_settings
from strategies.job_rq import flask_service, service
from strategies.job_rq.jobs import JOBS_PATH
from strategies.job_rq.queues import TimedQueue
from strategies.web import STATISTICS_PATH
from tests.unit.strategies.job_rq_store import jobs_queue, perform, store, url_of

BODY = b"[1, 2, 3, 4]"
BAD_BODIES = [(b"[]", 400), (b"[NaN]", 400), (b"{}", 400), (b"", 400), (b"[1" + b" " * 16384 + b"]", 413)]
BAD_KEYS = ["", "two words", "x" * 256]
BAD_URLS = ["", "nonsense", "ftp://192.0.2.1/", "http://127.0.0.1:1/", "http://10.0.0.1/", "http://[::1]/", "file:///x"]
NO_IDS = ["x", "x" * 81, "a:dependents", "%20", "..%2Fjobs", "\u00e9"]
UNUSED = "redis://127.0.0.1:1/0"


class Answered(NamedTuple):
    status: int
    headers: Any
    json: Any


class Ask(Protocol):
    def __call__(self, method: str, path: str, content: bytes = b"", **headers: str) -> Answered: ...


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with store() as connection:
        yield connection


@pytest.fixture
def redis(server: Redis) -> Redis:
    server.flushall()
    return server


@pytest.fixture(params=["async", "sync"])
def make(request: pytest.FixtureRequest, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Ask]]:
    """Make a client of a service in this process. Its jobs take no time."""
    with asyncio.Runner() as runner:

        def make(**settings: object) -> Ask:
            fixed = {"redis_url": url_of(redis), "shortest_ms": 0, "longest_ms": 0}
            for name, value in {**fixed, **settings}.items():
                monkeypatch.setenv(f"STRATEGY_{name.upper()}", str(value))
            if request.param == "async":
                transport = httpx.ASGITransport(service.make_app(load_settings("async", "scoring")))
                client = httpx.AsyncClient(transport=transport, base_url="http://service")
            else:
                flask_client = flask_service.make_app(load_settings("sync", "scoring")).test_client()

            def ask(method: str, path: str, content: bytes = b"", **headers: str) -> Answered:
                sent = {"Content-Type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
                if request.param == "sync":
                    answer = flask_client.open(path, method=method, data=content, headers=sent)
                    return Answered(answer.status_code, answer.headers, answer.json)
                found = runner.run(client.request(method, path, content=content, headers=sent))
                return Answered(found.status_code, found.headers, found.json())

            return ask

        yield make


@pytest.fixture
def ask(make: Callable[..., Ask]) -> Ask:
    return make()


def submitted(ask: Ask, content: bytes = BODY, **headers: str) -> str:
    """Submit a job and return its id."""
    answer = ask("POST", JOBS_PATH, content, **headers)
    assert answer.status == 202, answer
    return str(answer.json["id"])


def found(ask: Ask, job_id: str) -> Answered:
    return ask("GET", f"{JOBS_PATH}/{job_id}")


def test_a_job_is_accepted_with_its_place_and_has_its_result_there(ask: Ask, redis: Redis) -> None:
    accepted = ask("POST", JOBS_PATH, BODY)
    job_id = accepted.json["id"]
    assert (accepted.status, accepted.json["status"]) == (202, "queued")
    assert accepted.headers["Location"] == f"{JOBS_PATH}/{job_id}"
    waiting = found(ask, job_id)
    assert (waiting.status, waiting.json, waiting.headers["Retry-After"]) == (202, accepted.json, "1")
    Job.fetch(job_id, redis, JSONSerializer).set_status(JobStatus.STARTED)
    assert found(ask, job_id).json == {"id": job_id, "status": "started"}
    perform(redis, job_id)
    assert found(ask, job_id)[::2] == (200, {"id": job_id, "total": 20.0})


def test_a_key_is_one_job_however_often_it_is_sent(ask: Ask, redis: Redis) -> None:
    ids = {submitted(ask, Idempotency_Key="once") for _ in range(3)}
    assert len(ids) == 1
    assert jobs_queue(redis).count == 1
    perform(redis, ids.pop())
    again = ask("POST", JOBS_PATH, BODY, Idempotency_Key="once")
    assert (again.status, again.json["total"]) == (200, 20.0)
    assert jobs_queue(redis).count == 1


def test_requests_without_a_key_are_jobs_of_their_own(ask: Ask, redis: Redis) -> None:
    assert submitted(ask) != submitted(ask)
    assert jobs_queue(redis).count == 2


def test_a_key_with_another_request_answers_409_before_and_after_the_result(ask: Ask, redis: Redis) -> None:
    job_id = submitted(ask, Idempotency_Key="mine")
    assert ask("POST", JOBS_PATH, b"[5]", Idempotency_Key="mine").status == 409
    perform(redis, job_id)
    assert ask("POST", JOBS_PATH, b"[5]", Idempotency_Key="mine").status == 409
    assert jobs_queue(redis).count == 1


@pytest.mark.parametrize("job_id", NO_IDS)
def test_an_unknown_id_answers_404(ask: Ask, job_id: str) -> None:
    submitted(ask)
    assert found(ask, job_id).status == 404


def test_a_result_that_is_kept_no_longer_answers_410_and_its_key_runs_nothing(ask: Ask, redis: Redis) -> None:
    job_id = submitted(ask, Idempotency_Key="old")
    perform(redis, job_id)
    redis.delete(f"job-rq:result:{job_id}", Job.key_for(job_id))
    assert found(ask, job_id).status == 410
    assert ask("POST", JOBS_PATH, BODY, Idempotency_Key="old").status == 410
    assert ask("POST", JOBS_PATH, b"[5]", Idempotency_Key="old").status == 409
    assert not redis.exists(Job.key_for(job_id))


def test_a_result_is_kept_for_as_long_as_it_was_told(make: Callable[..., Ask], redis: Redis) -> None:
    ask = make(result_ttl_s=77)
    job_id = submitted(ask)
    perform(redis, job_id)
    assert 70 < redis.ttl(f"job-rq:result:{job_id}") <= 77
    assert redis.ttl(f"job-rq:done:{job_id}") > 3600


@pytest.mark.parametrize(("body", "status"), BAD_BODIES)
def test_a_bad_body_is_no_job(ask: Ask, redis: Redis, body: bytes, status: int) -> None:
    assert ask("POST", JOBS_PATH, body).status == status
    assert jobs_queue(redis).count == 0


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_bad_key_is_no_job(ask: Ask, redis: Redis, key: str) -> None:
    assert ask("POST", JOBS_PATH, BODY, Idempotency_Key=key).status == 400
    assert jobs_queue(redis).count == 0


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_callback_to_a_bad_url_is_no_job(
    make: Callable[..., Ask], redis: Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLBACK_SECRET", "secret")
    answer = make()("POST", JOBS_PATH, BODY, Callback_URL=url)
    assert (answer.status, "callback URL" in answer.json["detail"]) == (400, True)
    assert jobs_queue(redis).count == 0


def test_a_callback_needs_a_secret_to_be_signed_with(ask: Ask, redis: Redis) -> None:
    assert ask("POST", JOBS_PATH, BODY, Callback_URL="http://192.0.2.1/").status == 400
    assert jobs_queue(redis).count == 0


def test_a_full_backlog_answers_503_and_still_knows_what_it_has(make: Callable[..., Ask], redis: Redis) -> None:
    ask = make(backlog=1)
    job_id = submitted(ask, Idempotency_Key="first")
    refused = ask("POST", JOBS_PATH, BODY)
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert submitted(ask, Idempotency_Key="first") == job_id
    assert jobs_queue(redis).count == 1


def test_without_redis_nothing_is_accepted_and_nothing_is_claimed(make: Callable[..., Ask]) -> None:
    ask = make(redis_url=UNUSED)
    answers = [ask("POST", JOBS_PATH, BODY), found(ask, "x")]
    assert [(each.status, each.headers["Retry-After"]) for each in answers] == [(503, "1")] * 2
    assert ask("GET", STATISTICS_PATH).json["accepted"] == 0


@pytest.mark.parametrize("body", [b"[-1]", b"[1e308, 1e308]"])
def test_a_job_that_the_model_refuses_answers_502_with_its_words(ask: Ask, redis: Redis, body: bytes) -> None:
    job_id = submitted(ask, body)
    perform(redis, job_id)
    answer = found(ask, job_id)
    assert (answer.status, answer.json["detail"][:27]) == (502, "The model has no answer for")


def test_a_bug_in_the_model_answers_502_and_ends_no_worker(
    ask: Ask, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strategies.job_rq.tasks.predict", lambda *_: 1 / 0)
    job_id = submitted(ask)
    perform(redis, job_id)
    answer = found(ask, job_id)
    assert (answer.status, answer.json["detail"]) == (502, "The model failed; the log says why.")


def test_a_job_that_was_given_up_answers_502(ask: Ask, redis: Redis) -> None:
    job_id = submitted(ask)
    Job.fetch(job_id, redis, JSONSerializer).set_status(JobStatus.FAILED)
    assert found(ask, job_id).status == 502


def test_a_job_that_runs_again_keeps_its_result_and_has_one_effect(ask: Ask, redis: Redis) -> None:
    job_id = submitted(ask)
    perform(redis, job_id)
    Job.fetch(job_id, redis, JSONSerializer).set_status(JobStatus.STARTED)
    assert found(ask, job_id).status == 200
    perform(redis, job_id)
    assert redis.lrange("job-rq:effects", 0, -1) == [job_id.encode()]
    said = ask("GET", STATISTICS_PATH).json
    assert [said[name] for name in ("accepted", "runs", "effects", "duplicate_effects")] == [1, 2, 1, 0]


def test_an_effect_that_is_written_twice_is_counted(ask: Ask, redis: Redis) -> None:
    redis.rpush("job-rq:effects", "a", "b", "a")
    assert ask("GET", STATISTICS_PATH).json["duplicate_effects"] == 1


def test_the_backlog_holds_what_waits_and_what_is_at_work_once_and_without_results(ask: Ask, redis: Redis) -> None:
    queue = jobs_queue(redis)
    waiting, taken, begun = (submitted(ask) for _ in range(3))
    for job_id in (taken, begun):
        redis.lrem(queue.key, 1, job_id)
        redis.rpush(queue.intermediate_queue_key, job_id)
    redis.zadd("rq:wip:jobs", {f"{begun}:1": time.time() + 60})
    assert ask("GET", STATISTICS_PATH).json["backlog"] == 3
    perform(redis, begun)
    assert ask("GET", STATISTICS_PATH).json["backlog"] == 2
    assert waiting in queue.job_ids


def test_a_request_that_waits_is_answered_with_its_result(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATEGY_REDIS_URL", url_of(redis))
    monkeypatch.setenv("STRATEGY_WAITS", "true")
    monkeypatch.setenv("STRATEGY_SHORTEST_MS", "0")

    def work() -> None:
        job, _ = TimedQueue.dequeue_any([jobs_queue(redis)], 10, redis, serializer=JSONSerializer) or (None, None)
        assert job
        perform(redis, job.id)

    worker = threading.Thread(target=work)
    worker.start()

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(service.make_app(load_settings("async", "scoring")))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post(JOBS_PATH, content=BODY, headers={"Content-Type": "application/json"})

    answer = asyncio.run(asked())
    worker.join()
    assert (answer.status_code, json.loads(answer.content)["total"]) == (200, 20.0)
