"""Finds jobs whose worker is gone, and puts them back at the head of their queue.

RQ does that by itself, but only when a job's heartbeat has expired (after 90 s), and at the next maintenance (every 600 s).
Here it is told by Redis at once who is gone: every connection of a worker bears the worker's name, and the end of a
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
    """Looks at one queue, again and again. Several may do so at the same time."""

    def __init__(self, queue: Queue, now_s: Callable[[], float] = time.monotonic) -> None:
        self._queue, self._now_s = queue, now_s
        self._since_s: dict[Suspect, float] = {}  # when each was suspect first, and ever since

    def look(self) -> int:
        """Put back what has been suspect for a while, and return how many jobs that were. Raises RedisError.

        After a restart of Redis nobody is connected. Workers come back within that while, busy ones too.
        """
        now_s = self._now_s()
        self._since_s = {suspect: self._since_s.get(suspect, now_s) for suspect in self._suspects()}
        found = [suspect for suspect, since_s in self._since_s.items() if now_s - since_s >= ABSENT_S]
        return sum(self._put_back(suspect) for suspect in found)

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
        """Put a job back in one step, unless anybody changed anything about it meanwhile."""
        queue, connection = self._queue, self._queue.connection
        execution = Execution(suspect.execution_id, suspect.job_id, connection)
        with connection.pipeline() as pipe:
            try:
                pipe.watch(execution.key if suspect.execution_id else queue.intermediate_queue_key)
                if not self._is_there(suspect, execution):
                    return False
                is_put_back = self._plan(pipe, suspect, execution)
                pipe.execute()
            except WatchError:  # its work-horse has just finished it, or another process has put it back
                return False
        logger.warning("job %s was %s: its worker is gone", suspect.job_id, "put back" if is_put_back else "dropped")
        return is_put_back

    def _is_there(self, suspect: Suspect, execution: Execution) -> bool:
        if suspect.execution_id:
            return bool(self._queue.connection.exists(execution.key))
        return suspect.job_id in self._queue.intermediate_queue.get_job_ids()

    def _plan(self, pipe: "Pipeline[bytes]", suspect: Suspect, execution: Execution) -> bool:
        """Tell a transaction what to do. Return whether the job is to run again."""
        queue = self._queue
        job = _job_of(suspect, queue)
        # A work-horse that is killed before it begins leaves its job in the intermediate queue, though RQ retries it.
        waits = queue.get_job_position(suspect.job_id) is not None
        runs_again = job is not None and job.should_retry and not waits and not job.is_finished
        is_given_up = job is not None and not job.should_retry and not job.is_finished and not waits
        pipe.multi()
        if is_given_up:  # it has killed as many workers as it may, and RQ's maintenance lets it fail
            return False
        if job is not None and suspect.execution_id:
            execution.worker_name = job.worker_name or ""
            execution.delete(job, pipe)
        pipe.lrem(queue.intermediate_queue_key, 1, suspect.job_id)
        if job is not None and runs_again:
            job.retry(queue, pipe)
        return runs_again


def _job_of(suspect: Suspect, queue: Queue) -> Job | None:
    try:
        return Job.fetch(suspect.job_id, queue.connection, queue.serializer)
    except NoSuchJobError:
        return None
