"""What workers do: run a job, and tell its result. RQ finds both by their names."""

import json
import logging
import time
from typing import Any

from redis import Redis
from rq import Queue, get_current_job
from rq.exceptions import DuplicateJobError
from rq.job import Job

from contract.errors import BadModelAnswer
from strategies.callbacks import CallbackSettings, DeliveryError, deliver
from strategies.job_rq.ledger import Ledger
from strategies.job_rq.model import duration_ms, predict
from strategies.job_rq.parameters import ATTEMPTS, CALLBACKS, JOBS
from strategies.job_rq.queues import TimedQueue, enqueue_callback, make_queue
from strategies.job_rq.settings import JobSettings

_BUSY_S = 0.005  # a job that waited longer than this waited for the one before it

logger = logging.getLogger(__name__)


def run(numbers: list[float], callback_url: str) -> None:
    """Compute a result, store it, and see to it that it is told.

    Killed at any point, this runs again from the start: it does nothing twice that was done.
    """
    settings, job, redis = JobSettings(), _current(), _redis()
    taken_s = TimedQueue.taken_s or time.time()
    ledger = Ledger(redis, make_queue(JOBS, redis))
    document, before_s = ledger.begin(job.id, is_again=(job.retries_left or 0) < ATTEMPTS - 1)
    if document is None:
        document = _document(job.id, numbers, settings)
        sums = _sums(job, taken_s, before_s)
        ledger.store(job.id, job.meta["digest"], document, settings.result_ttl_s, taken_s, sums)
    if callback_url and settings.callbacks == "jobs":
        _promise(make_queue(CALLBACKS, redis), job.id, callback_url, document)
    elif callback_url:
        _tell_once(ledger, job.id, callback_url, document)


def tell(job_id: str, url: str, document: str, stored_s: float) -> None:
    """Deliver a callback. Raises DeliveryError, whereupon RQ has it done again later."""
    redis = _redis()
    ledger = Ledger(redis, make_queue(JOBS, redis))
    if ledger.was_told(job_id):
        return
    try:
        _deliver(url, job_id, document.encode())
    except DeliveryError:
        is_last = not _current().retries_left
        ledger.count(callbacks_failed=1, callbacks_lost=int(is_last))
        raise
    ledger.told(job_id)
    ledger.count(told=1, told_ms=(time.time() - stored_s) * 1e3)


def _document(job_id: str, numbers: list[float], settings: JobSettings) -> bytes:
    """Return the model's answer, or why it has none. A bug in a model is not mended by a second run."""
    try:
        total = predict(numbers, duration_ms(job_id, settings.shortest_ms, settings.longest_ms))
        found: dict[str, Any] = {"id": job_id, "total": total}
    except BadModelAnswer as error:
        found = {"id": job_id, "failed": error.detail}
    except Exception:
        logger.exception("the model failed")
        found = {"id": job_id, "failed": "The model failed; the log says why."}
    return json.dumps(found).encode()


def _sums(job: Job, taken_s: float, before_s: float) -> dict[str, float]:
    """Return what a stored result adds to the counts.

    A worker was busy from one job that it took to the next, if that one was waiting meanwhile: so long did the first
    occupy it, whatever it was doing. That holds for a single worker.
    """
    waited_s = taken_s - job.created_at.timestamp()
    sums = {"effects": 1, "waited_ms": waited_s * 1e3, "worked_ms": (time.time() - taken_s) * 1e3}
    if before_s and waited_s > _BUSY_S:
        sums |= {"occupied": 1, "occupied_ms": (taken_s - before_s) * 1e3}
    return sums


def _promise(callbacks: Queue, job_id: str, url: str, document: bytes) -> None:
    """Enqueue the callback, unless an earlier run of the same job has."""
    try:
        enqueue_callback(callbacks, job_id, url, document.decode(), time.time())
    except DuplicateJobError:
        logger.info("the callback of job %s is enqueued already", job_id)


def _tell_once(ledger: Ledger, job_id: str, url: str, document: bytes) -> None:
    """Tell it here and now, and forget it if that fails: what should not be done."""
    began_s = time.time()
    try:
        _deliver(url, job_id, document)
        ledger.count(told=1, told_ms=(time.time() - began_s) * 1e3)
    except DeliveryError as error:
        logger.warning("%s", error)
        ledger.count(callbacks_failed=1, callbacks_lost=1)


def _deliver(url: str, job_id: str, document: bytes) -> None:
    chosen = CallbackSettings()
    deliver(url, job_id, document, chosen.key, chosen.timeout_s, chosen.allow)


def _current() -> Job:
    job = get_current_job()
    assert job
    return job


def _redis() -> Redis:
    return _current().connection
