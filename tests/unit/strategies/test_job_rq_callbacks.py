"""Callbacks of jobs on RQ: each is a job of its own, promised once, tried again, and told once."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from strategies.callbacks import CallbackSettings, DeliveryError
from strategies.job_rq.jobs import Jobs
from strategies.job_rq.parameters import BACKOFF_S, CALLBACKS
from strategies.job_rq.queues import make_queue
from strategies.job_rq.settings import JobSettings
from tests.unit.strategies.job_rq_store import perform, store, url_of

URL = "http://127.0.0.1:1/callbacks"


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with store() as connection:
        yield connection


@pytest.fixture
def redis(server: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    server.flushall()
    monkeypatch.setenv("STRATEGY_REDIS_URL", url_of(server))
    monkeypatch.setenv("STRATEGY_SHORTEST_MS", "0")
    monkeypatch.setenv("STRATEGY_LONGEST_MS", "0")
    monkeypatch.setenv("CALLBACK_SECRET", "secret")
    monkeypatch.setenv("CALLBACK_ALLOW", "127.0.0.1")
    return server


@pytest.fixture
def delivered(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect what is delivered: an exception in place of it is raised."""
    calls: list[Any] = []

    def deliver(*call: Any) -> None:
        if calls and isinstance(calls[-1], Exception):
            raise calls[-1]
        calls.append(call)

    monkeypatch.setattr("strategies.job_rq.tasks.deliver", deliver)
    return calls


def submitted(**settings: Any) -> str:
    jobs = Jobs(JobSettings(**settings), CallbackSettings())
    return jobs.submit([1.0, 2.0], None, URL).headers["Location"].rpartition("/")[2]


def counts(redis: Redis) -> dict[str, float]:
    counted: dict[Any, Any] = redis.hgetall("job-rq:counts")
    return {name.decode(): float(value) for name, value in counted.items()}


def test_a_result_is_promised_to_be_told_once_however_often_the_job_runs(redis: Redis) -> None:
    job_id = submitted()
    callbacks = make_queue(CALLBACKS, redis)
    assert callbacks.count == 0
    perform(redis, job_id)
    perform(redis, job_id)
    assert callbacks.job_ids == [f"tell-{job_id}"]


def test_a_job_that_was_killed_between_its_result_and_its_callback_tells_it_in_the_end(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = submitted()
    with monkeypatch.context() as patch:
        patch.setattr("strategies.job_rq.tasks._promise", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            perform(redis, job_id)
    perform(redis, job_id)
    assert make_queue(CALLBACKS, redis).job_ids == [f"tell-{job_id}"]
    assert counts(redis)["effects"] == 1


def test_what_is_told_is_the_result_with_the_jobs_id(redis: Redis, delivered: list[Any]) -> None:
    job_id = submitted()
    perform(redis, job_id)
    perform(redis, f"tell-{job_id}")
    ((url, told_id, body, secret, timeout_s, allowed),) = delivered
    assert (url, told_id, secret, allowed) == (URL, job_id, b"secret", ("127.0.0.1",))
    assert body == b'{"id": "%s", "total": 6.0}' % job_id.encode()
    assert timeout_s > 0


def test_a_callback_that_was_told_is_not_told_again(redis: Redis, delivered: list[Any]) -> None:
    job_id = submitted()
    perform(redis, job_id)
    perform(redis, f"tell-{job_id}")
    perform(redis, f"tell-{job_id}")
    assert len(delivered) == 1
    assert counts(redis)["told"] == 1


def test_a_callback_that_fails_is_tried_again_later_and_later(redis: Redis, delivered: list[Any]) -> None:
    delivered.append(DeliveryError("no answer"))
    job_id = submitted()
    perform(redis, job_id)
    with pytest.raises(DeliveryError):
        perform(redis, f"tell-{job_id}")
    job = Job.fetch(f"tell-{job_id}", redis, JSONSerializer)
    assert job.retry_intervals == list(BACKOFF_S)
    assert job.retries_left == len(BACKOFF_S)
    assert all(later == 2 * sooner or later == 60 for sooner, later in pairwise(BACKOFF_S))
    assert counts(redis)["callbacks_failed"] == 1
    assert counts(redis)["callbacks_lost"] == 0
    delivered.clear()
    perform(redis, f"tell-{job_id}")
    assert len(delivered) == 1


def test_a_callback_that_failed_for_the_last_time_is_counted_as_lost(redis: Redis, delivered: list[Any]) -> None:
    delivered.append(DeliveryError("no answer"))
    job_id = submitted()
    perform(redis, job_id)
    job = Job.fetch(f"tell-{job_id}", redis, JSONSerializer)
    job.retries_left = 0
    job.save()
    with pytest.raises(DeliveryError):
        perform(redis, job.id)
    assert counts(redis)["callbacks_lost"] == 1


def test_a_callback_that_is_sent_once_is_lost_when_it_fails_and_the_result_is_not(
    redis: Redis, delivered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATEGY_CALLBACKS", "once")
    delivered.append(DeliveryError("no answer"))
    perform(redis, submitted())
    assert (counts(redis)["callbacks_lost"], counts(redis)["effects"]) == (1, 1)
    delivered.clear()
    perform(redis, submitted())
    assert len(delivered) == 1
    assert counts(redis)["told"] == 1
    assert make_queue(CALLBACKS, redis).count == 0


def test_a_job_without_a_url_is_told_where_the_service_says(redis: Redis, delivered: list[Any]) -> None:
    jobs = Jobs(JobSettings(callback_to=URL), CallbackSettings())
    job_id = jobs.submit([1.0], None, None).headers["Location"].rpartition("/")[2]
    perform(redis, job_id)
    perform(redis, f"tell-{job_id}")
    assert delivered[0][0] == URL
