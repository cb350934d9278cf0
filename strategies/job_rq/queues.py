"""The two queues, and how RQ is told to lose nothing."""

import time
from typing import Any, ClassVar, Final

from redis import Redis
from rq import Queue, Retry
from rq.serializers import JSONSerializer

from strategies.job_rq.parameters import ATTEMPTS, BACKOFF_S, KEPT_S, RESULT_TTL_S

RUN: Final = "strategies.job_rq.tasks.run"  # by name, so that the service does not load the model
TELL: Final = "strategies.job_rq.tasks.tell"

# A job whose work-horse dies is put back at the head: it was accepted before those that wait.
_AGAIN: Final = Retry(ATTEMPTS - 1, enqueue_at_front=True)
_LATER: Final = Retry(len(BACKOFF_S), interval=list(BACKOFF_S))
# RQ's record of a job ends with its result. What is known of an id after that is in the ledger.
_KEPT: Final = {"result_ttl": RESULT_TTL_S, "failure_ttl": KEPT_S, "unique": True}


class TimedQueue(Queue):
    """A queue that remembers when this process last took a job from it. A work-horse inherits that."""

    taken_s: ClassVar[float] = 0.0

    @classmethod
    def lmove(cls, connection: Redis, queue_key: str, timeout: int | None) -> Any:
        taken = super().lmove(connection, queue_key, timeout)
        TimedQueue.taken_s = time.time()
        return taken


def make_queue(name: str, connection: Redis) -> TimedQueue:
    """Return a queue. Its jobs are JSON, not pickles, which would let whoever writes to Redis run code."""
    return TimedQueue(name, connection=connection, serializer=JSONSerializer)


def enqueue_job(queue: Queue, job_id: str, digest: str, numbers: list[float], callback_url: str) -> None:
    """Accept a job, in one step of Redis. Raises DuplicateJobError and RedisError."""
    queue.enqueue(RUN, numbers, callback_url, job_id=job_id, meta={"digest": digest}, retry=_AGAIN, **_KEPT)


def enqueue_callback(queue: Queue, job_id: str, url: str, document: str, stored_s: float) -> None:
    """Accept a callback, once per job. Raises DuplicateJobError and RedisError."""
    queue.enqueue(TELL, job_id, url, document, stored_s, job_id=f"tell-{job_id}", retry=_LATER, **_KEPT)
