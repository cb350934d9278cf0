"""Jobs whose worker is gone are put back; those of others, and those that have ended, are left alone."""

from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from rq import Worker
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from strategies.job_rq.parameters import ABSENT_S, ATTEMPTS
from strategies.job_rq.queues import TimedQueue, enqueue_job
from strategies.job_rq.recovery import Recovery
from tests.unit.strategies.job_rq_store import gone, jobs_queue, store, url_of

LATER_S = ABSENT_S + 0.1


class Clock:
    now_s = 1e9

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def server() -> Iterator[Redis]:
    with store() as connection:
        yield connection


@pytest.fixture
def queue(server: Redis) -> TimedQueue:
    server.flushall()
    return jobs_queue(server)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def look(queue: TimedQueue, clock: Clock) -> Callable[[float], int]:
    """Look after so many seconds, each time as another process."""

    def look(after_s: float = 0.0) -> int:
        clock.now_s += after_s
        return Recovery(queue, clock).look()

    return look


def accept(queue: TimedQueue, job_id: str) -> None:
    enqueue_job(queue, job_id, "digest", [1.0], "")


def take(queue: TimedQueue, job_id: str, begins: bool = True) -> Redis:
    """Take a job as a worker does, and return the worker's connection."""
    connection = Redis.from_url(url_of(queue.connection), client_name="worker-of-the-test")
    worker = Worker([jobs_queue(connection)], "worker-of-the-test", connection=connection, serializer=JSONSerializer)
    assert TimedQueue.lmove(connection, queue.key, None)[1] == job_id.encode()
    job = Job.fetch(job_id, connection, JSONSerializer)
    worker.prepare_execution(job)
    if begins:
        worker.prepare_job_execution(job, remove_from_intermediate_queue=True)
    return connection


@pytest.mark.parametrize("begins", [True, False])
def test_the_job_of_a_worker_that_is_connected_is_left_alone(
    queue: TimedQueue, look: Callable[..., int], begins: bool
) -> None:
    accept(queue, "a")
    with take(queue, "a", begins):
        assert [look(), look(LATER_S), look(LATER_S)] == [0, 0, 0]
        assert queue.job_ids == []


@pytest.mark.parametrize("begins", [True, False])
def test_the_job_of_a_worker_that_is_gone_is_put_back_before_those_that_wait(
    queue: TimedQueue, look: Callable[..., int], begins: bool
) -> None:
    accept(queue, "a")
    accept(queue, "b")
    gone(take(queue, "a", begins))
    assert [look(), look(LATER_S / 2)] == [0, 0]
    assert queue.job_ids == ["b"]
    assert [look(LATER_S), look(LATER_S)] == [1, 0]
    assert queue.job_ids == ["a", "b"]
    assert Job.fetch("a", queue.connection, JSONSerializer).get_status() == JobStatus.QUEUED
    assert queue.intermediate_queue.get_job_ids() == []
    assert queue.started_job_registry.get_job_ids() == []


def test_a_worker_that_comes_back_has_its_job(queue: TimedQueue, look: Callable[..., int]) -> None:
    accept(queue, "a")
    connection = take(queue, "a")
    gone(connection)
    assert look() == 0
    connection.ping()  # connects again, under the same name
    assert [look(LATER_S), look(LATER_S)] == [0, 0]
    gone(connection)
    assert look() == 0  # it is suspect for the first time again
    assert look(LATER_S) == 1


def test_a_job_that_was_taken_and_not_begun_is_put_back(queue: TimedQueue, look: Callable[..., int]) -> None:
    accept(queue, "a")
    TimedQueue.lmove(queue.connection, queue.key, None)
    assert [look(), look(LATER_S), look(LATER_S)] == [0, 1, 0]
    assert queue.job_ids == ["a"]


@pytest.mark.parametrize("status", [JobStatus.FINISHED, JobStatus.FAILED])
def test_what_a_job_that_has_ended_left_behind_is_removed(
    queue: TimedQueue, look: Callable[..., int], status: JobStatus
) -> None:
    accept(queue, "a")
    TimedQueue.lmove(queue.connection, queue.key, None)
    Job.fetch("a", queue.connection, JSONSerializer).set_status(status)
    assert [look(), look(LATER_S)] == [0, 0]
    assert queue.intermediate_queue.get_job_ids() == queue.job_ids == []


def test_a_job_that_rq_put_back_itself_is_not_put_back_twice(queue: TimedQueue, look: Callable[..., int]) -> None:
    accept(queue, "a")
    TimedQueue.lmove(queue.connection, queue.key, None)
    queue.push_job_id("a")  # as after the end of a work-horse that had not begun
    assert [look(), look(LATER_S)] == [0, 0]
    assert (queue.job_ids, queue.intermediate_queue.get_job_ids()) == (["a"], [])


def test_a_job_that_is_unknown_by_now_is_removed(queue: TimedQueue, look: Callable[..., int]) -> None:
    accept(queue, "a")
    TimedQueue.lmove(queue.connection, queue.key, None)
    queue.connection.delete(Job.key_for("a"))
    assert [look(), look(LATER_S)] == [0, 0]
    assert queue.intermediate_queue.get_job_ids() == queue.job_ids == []


def test_a_job_that_ended_all_its_workers_is_not_put_back_for_ever(queue: TimedQueue, look: Callable[..., int]) -> None:
    accept(queue, "a")
    for _ in range(ATTEMPTS - 1):
        gone(take(queue, "a"))
        assert [look(), look(LATER_S)] == [0, 1]
    gone(take(queue, "a"))
    assert [look(), look(LATER_S)] == [0, 0]
    assert len(queue.started_job_registry.get_job_ids()) == 1  # RQ's maintenance lets it fail


def test_of_two_that_look_at_the_same_time_one_puts_the_job_back(
    queue: TimedQueue, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(queue, "a")
    gone(take(queue, "a"))
    Recovery(queue, clock).look()
    clock.now_s += LATER_S
    first, other = Recovery(queue, clock), Recovery(queue, clock)
    seen: list[int] = []
    retry = Job.retry

    def retry_late(job: Job, *args: object) -> None:
        if not seen:
            seen.append(-1)
            seen.append(other.look())
        retry(job, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Job, "retry", retry_late)
    assert (first.look(), seen[1]) == (0, 1)
    assert queue.job_ids == ["a"]
