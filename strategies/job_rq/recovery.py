"""Finds jobs whose worker is gone, and puts them back at the head of their queue.

RQ does that by itself, but only when a job's heartbeat has expired (after 90 s), and at the next maintenance (every
600 s). Here Redis says at once who is gone: every connection of a worker bears the worker's name, and the end of a
process closes its connections, however it ends. A work-horse shares those of its worker. So a job whose worker was
killed, but not its work-horse, is left to the work-horse.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from redis import WatchError
from redis.client import Pipeline
from rq.exceptions import NoSuchJobError
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue

from strategies.job_rq.parameters import ABSENT_S

logger = logging.getLogger(__name__)


class Suspect(NamedTuple):
    """A job that perhaps nobody works on. Without an execution, a worker took it and has not begun it."""

    job_id: str
    execution_id: str


class Recovery:
    """Looks at one queue, again and again. Several may do so at the same time.

    Since when a job is suspect is kept in Redis: those who look may be killed, too.
    """

    def __init__(self, queue: Queue, now_s: Callable[[], float] = time.time) -> None:
        self._queue, self._now_s = queue, now_s
        self._key = f"job-rq:suspects:{queue.name}"

    def look(self) -> int:
        """Put back what has been suspect for a while, and return how many jobs that were. Raises RedisError.

        After a restart of Redis nobody is connected. Workers come back within that while, busy ones too.
        """
        now_s = self._now_s()
        known = self._queue.connection.hgetall(self._key)
        suspects = {":".join(suspect): suspect for suspect in self._suspects()}
        since_s = {name: float(known.get(name.encode(), now_s)) for name in suspects}
        if known or since_s:
            self._note(since_s)
        return sum(self._put_back(suspects[name]) for name, at_s in since_s.items() if now_s - at_s >= ABSENT_S)

    def _note(self, since_s: dict[str, float]) -> None:
        with self._queue.connection.pipeline() as pipe:
            pipe.delete(self._key)
            if since_s:
                pipe.hset(self._key, items=[each for pair in since_s.items() for each in pair])
            pipe.execute()

    def _suspects(self) -> Iterator[Suspect]:
        connected = {client["name"] for client in self._queue.connection.client_list()}
        started = self._queue.started_job_registry.get_job_and_execution_ids(cleanup=False)
        for job_id, execution_id in started:
            try:
                execution = Execution.fetch(execution_id, job_id, self._queue.connection)
            except ValueError:  # it has just ended, or has expired, and RQ's maintenance takes care of it
                continue
            if execution.worker_name not in connected:
                yield Suspect(job_id, execution_id)
        begun = {job_id for job_id, _ in started}
        for job_id in self._queue.intermediate_queue.get_job_ids():
            if job_id not in begun:
                yield Suspect(job_id, "")

    def _put_back(self, suspect: Suspect) -> bool:
        """Put a job back in one step, unless anybody changes anything about it meanwhile."""
        queue = self._queue
        key = Execution(suspect.execution_id, suspect.job_id, queue.connection).key
        with queue.connection.pipeline() as pipe:
            try:
                pipe.watch(key if suspect.execution_id else queue.intermediate_queue_key)
                is_put_back = self._plan(pipe, suspect)
                pipe.execute()
            except (WatchError, ValueError):  # its work-horse has just finished it, or another worker has put it back
                return False
        return is_put_back

    def _plan(self, pipe: Pipeline, suspect: Suspect) -> bool:
        """Tell a transaction what to do. Return whether the job is to run again. Raises ValueError if it has ended."""
        queue, job = self._queue, _job_of(suspect, self._queue)
        execution = _execution_of(suspect, queue)
        # A work-horse that is killed before it begins leaves its job in the intermediate queue, though RQ retries it.
        is_waiting = queue.get_job_position(suspect.job_id) is not None
        is_settled = job is None or job.is_finished or job.is_failed or is_waiting
        pipe.multi()
        if job is not None and not is_settled and not job.should_retry:
            return False  # it has ended as many workers as it may, and RQ's maintenance lets it fail
        if job is not None and execution is not None:
            execution.delete(job, pipe)
        pipe.lrem(queue.intermediate_queue_key, 1, suspect.job_id)
        if job is None or is_settled:
            return False
        job.retry(queue, pipe)
        logger.warning("job %s runs again: its worker is gone", suspect.job_id)
        return True


def _execution_of(suspect: Suspect, queue: Queue) -> Execution | None:
    """Return the execution, or None for a job that was not begun. Raises ValueError if either has ended."""
    if suspect.execution_id:
        return Execution.fetch(suspect.execution_id, suspect.job_id, queue.connection)
    if suspect.job_id not in queue.intermediate_queue.get_job_ids():
        raise ValueError(suspect.job_id)
    return None


def _job_of(suspect: Suspect, queue: Queue) -> Job | None:
    try:
        return Job.fetch(suspect.job_id, queue.connection, queue.serializer)
    except NoSuchJobError:
        return None
