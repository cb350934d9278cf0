"""Jobs in huey: submitted once per id, looked up, waited for, and put into the queue again if nobody works on them."""

import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from huey import PriorityRedisExpireHuey, RedisExpireHuey
from huey.exceptions import ResultTimeout, TaskException
from redis.exceptions import RedisError

from contract.errors import BacklogFull, BadModelAnswer, GoneJob, KeyReused, UnknownJob
from strategies.job_huey.connections import connect
from strategies.job_huey.parameters import LOW, PRIORITIES
from strategies.job_huey.rows import Row, Rows
from strategies.job_huey.settings import JobSettings

Work = Callable[[str, float], Any]  # of a job's id, and of the time at which it was put into the queue

_QUEUE: Final = "jobs"
TASK: Final = "work_on_job"  # by which the worker knows what the service submits
_KEYS: Final = uuid.UUID("6c1f7f2e-6f57-4c2c-9b5c-0c6a3f4a9a51")  # the namespace of our idempotency keys
_FAILED: Final = "The job failed; the log of the worker says why."


class Submitted(NamedTuple):
    """A job that was accepted, now or with the same key before."""

    job_id: str
    is_new: bool


class Found(NamedTuple):
    """How far a job is."""

    state: str  # queued or started, if there is no total
    total: float | None


def make_huey(settings: JobSettings) -> Any:
    """Return a huey whose results stay until they expire, however often they are read.

    An error is stored only if no retry is left: otherwise a blocking get raises it though the next try succeeds.
    """
    kind = PriorityRedisExpireHuey if settings.order == "priority" else RedisExpireHuey
    return kind(
        _QUEUE,
        expire_time=settings.expire_s,
        store_intermediate_errors=False,
        notify_result=settings.notifies,
        connection_pool=connect(settings, waits_s=settings.wait_s),
    )


def _no_work(_: str, __: float) -> None:
    raise RuntimeError("the service submits jobs, and does not work on them")


class Jobs:
    """The jobs, seen from a service, or, with what is to be done, from a worker."""

    def __init__(self, settings: JobSettings, work: Work = _no_work) -> None:
        self.settings, self.huey = settings, make_huey(settings)
        self.rows = Rows(connect(settings, decodes=True))
        self._task = self.huey.task(name=TASK)(_in_this_module(work))
        self._in_turn = threading.Lock()  # jobs are numbered in the order in which they get into the queue

    def close(self) -> None:
        self.rows.close()
        self.huey.storage.pool.disconnect()

    def submit(self, numbers: Sequence[float], priority: str = LOW, key: str = "") -> Submitted:
        """Write a row and put the job into the queue. With a key, that happens once, however often it comes.

        Raises BacklogFull, KeyReused, or RedisError. In the last case the job may be worked on all the same, so a
        caller that tries again should give a key.
        """
        job_id = uuid.uuid5(_KEYS, key).hex if key else uuid.uuid4().hex
        with self._in_turn:
            number = self.rows.accept(job_id, numbers, priority, self.settings.backlog)
            if number > 0:
                self._enqueue(job_id, priority)
        if number < 0:
            raise BacklogFull(self.settings.backlog)
        if not number:
            self._check_same(job_id, numbers, priority)
        return Submitted(job_id, is_new=number > 0)

    def _check_same(self, job_id: str, numbers: Sequence[float], priority: str) -> None:
        row = self.rows.find(job_id)
        if row and (row.numbers, row.priority) != (tuple(numbers), priority):
            raise KeyReused

    def _enqueue(self, job_id: str, priority: str) -> None:
        level = PRIORITIES[priority] if self.settings.order == "priority" else None
        self.huey.enqueue(self._task.s(job_id, time.time(), id=job_id, priority=level))

    def look_up(self, job_id: str) -> Found:
        """Return how far a job is, and its result if that is there; does not wait.

        Raises UnknownJob, GoneJob if the result has expired, and BadModelAnswer if the job failed.
        """
        row = self.rows.find(job_id)  # first: it is closed after the result was stored
        if row is None:
            raise UnknownJob(job_id)
        total = _total_of(lambda: self.huey.result(job_id))
        if total is None and row.state == "finished":
            raise GoneJob(job_id)
        return Found(row.state, total)

    def wait(self, job_id: str) -> float | None:
        """Return the result of a job, None if it is not there within the bound. Raises BadModelAnswer."""
        try:
            return _total_of(lambda: self.huey.result(job_id, blocking=True, timeout=self.settings.wait_s))
        except (ResultTimeout, RedisError):  # the job was accepted, so its result can be asked for later
            return None

    def sweep(self) -> list[Row]:
        """Put the jobs into the queue again that nobody works on, and return them. Raises RedisError."""
        moved = [row for row in self.rows.astray(self._waiting) if self.rows.requeue(row)]
        for row in moved:
            self._enqueue(row.job_id, row.priority)
        return moved

    def put_back(self, job_id: str) -> None:
        """Put a job into the queue again whose worker has been told to end. Raises RedisError."""
        row = self.rows.find(job_id)
        if row and self.rows.requeue(row):
            self._enqueue(job_id, row.priority)

    def statistics(self) -> dict[str, float]:
        """Return counters and gauges; `lost` is what nobody works on, and nobody will unless it is swept."""
        return {**self.rows.statistics(), "lost": float(len(self.rows.astray(self._waiting)))}

    def _waiting(self) -> set[str]:
        return {task.id for task in self.huey.pending()}


def _total_of(get: Callable[[], Any]) -> float | None:
    """Return the total of a result. Raises BadModelAnswer if the job failed."""
    try:
        found = get()
    except TaskException as error:
        raise BadModelAnswer(_FAILED) from error
    if found is None:
        return None
    if "failed" in found:
        raise BadModelAnswer(found["failed"])
    return float(found["total"])


def _in_this_module(work: Work) -> Work:
    """Return a function of this module, whose name, of which huey makes the task's, is the same in every process."""

    def work_on_job(job_id: str, queued_at_s: float) -> Any:
        return work(job_id, queued_at_s)

    return work_on_job
