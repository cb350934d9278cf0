"""A Redis for the tests of job_rq, and what a worker does with a job, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from feature_store.server import embedded_server
from strategies.job_rq.parameters import JOBS
from strategies.job_rq.queues import TimedQueue, make_queue


@contextmanager
def store() -> Iterator[Redis]:
    """Run a Redis, and yield a connection to it."""
    with embedded_server() as url, Redis.from_url(url) as connection:
        yield connection


def url_of(connection: Redis) -> str:
    return f"redis://127.0.0.1:{connection.connection_pool.connection_kwargs['port']}/0"


def jobs_queue(connection: Redis) -> TimedQueue:
    return make_queue(JOBS, connection)


def perform(connection: Redis, job_id: str) -> Job:
    """Run a job as a worker does, apart from RQ's own records."""
    job = Job.fetch(job_id, connection, JSONSerializer)
    job.perform()
    return job


def gone(connection: Redis) -> None:
    """Do to a worker's connections what its end does to them."""
    connection.connection_pool.disconnect()
