"""What both services do: accept jobs, and say what became of them."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from uuid import uuid4

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job

from contract.errors import (
    RETRY_AFTER_S,
    BacklogFull,
    BadModelAnswer,
    GoneJob,
    InvalidRequest,
    KeyReused,
    QueueUnreachable,
    UnknownJob,
)
from strategies.callbacks import CallbackSettings
from strategies.job_rq.ledger import Ledger
from strategies.job_rq.parameters import JOBS, SAMPLE_S
from strategies.job_rq.queues import enqueue_job, make_queue
from strategies.job_rq.settings import JobSettings

JOBS_PATH: Final = "/api/v1/jobs"
KEY_HEADER, CALLBACK_HEADER = "Idempotency-Key", "Callback-URL"

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)
_KEY: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_FAILED: Final = ("failed", "stopped", "canceled")  # RQ's words


class Reply(NamedTuple):
    """An answer about a job."""

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes


class Jobs:
    """The queue as the service sees it. Its methods block for as long as Redis takes."""

    def __init__(self, settings: JobSettings, callbacks: CallbackSettings) -> None:
        self._settings, self._callbacks = settings, callbacks
        # Without pauses between attempts, since a client waits.
        self._redis: Redis = Redis.from_url(
            settings.redis_url,
            socket_timeout=settings.redis_timeout_s,
            socket_connect_timeout=settings.redis_timeout_s,
            retry=Retry(NoBackoff(), 1),
        )
        self._queue = make_queue(JOBS, self._redis)
        self._ledger = Ledger(self._redis, self._queue)
        self._accepted = 0
        self.sampler = Sampler(self._ledger)

    def submit(self, numbers: Sequence[float], key: str | None, callback_url: str | None) -> Reply:
        """Accept a job, or find the one that was accepted under the same key.

        Raises InvalidRequest, KeyReused, BacklogFull and QueueUnreachable, and what `find` raises.
        """
        if key is not None and not _KEY.fullmatch(key):
            raise InvalidRequest(f"{KEY_HEADER} must be 1 to 255 printable ASCII characters without spaces.")
        if callback_url is not None:
            self._callbacks.check(callback_url)
        told = callback_url or self._settings.callback_to
        job_id = uuid4().hex if key is None else hashlib.sha256(key.encode()).hexdigest()
        digest = hashlib.sha256(json.dumps([list(numbers), told]).encode()).hexdigest()
        with _answering():
            is_new = self._accept(job_id, digest, list(numbers), told)
        return _under_way(job_id, "queued") if is_new else self.find(job_id)

    def _accept(self, job_id: str, digest: str, numbers: list[float], told: str) -> bool:
        """Accept a job unless its id is known already. Return whether it is new."""
        known = self._ledger.entry(job_id)
        if known.digest is None and known.status is None:
            if self._queue.count >= self._settings.backlog:
                raise BacklogFull(self._settings.backlog)
            try:
                enqueue_job(self._queue, job_id, digest, numbers, told)
                self._accepted += 1
                return True
            except DuplicateJobError:  # another request with the same key was faster
                pass
        if digest != (known.digest or self._digest_of(job_id)):
            raise KeyReused
        return False

    def _digest_of(self, job_id: str) -> str | None:
        try:
            found: str = Job.fetch(job_id, self._redis, self._queue.serializer).meta["digest"]
        except NoSuchJobError:  # it has just expired, after the ledger was told
            return self._ledger.entry(job_id).digest
        return found

    def find(self, job_id: str) -> Reply:
        """Say what became of a job. Raises UnknownJob, GoneJob, BadModelAnswer and QueueUnreachable."""
        if not _ID.fullmatch(job_id):
            raise UnknownJob(job_id)
        with _answering():
            found = self._ledger.entry(job_id)
        if found.document is not None:  # first: a job that runs again has its result, and keeps it
            failed = json.loads(found.document).get("failed")
            if failed:
                raise BadModelAnswer(failed)
            return Reply(HTTPStatus.OK, {}, found.document)
        if found.digest is not None or found.status == "finished":
            raise GoneJob(job_id)
        if found.status is None:
            raise UnknownJob(job_id)
        if found.status in _FAILED:
            raise BadModelAnswer("The job was given up after several attempts.")
        return _under_way(job_id, "started" if found.status == "started" else "queued")

    def statistics(self) -> Mapping[str, Any]:
        """Return counters and gauges; those that Redis holds are missing while it is away."""
        own = {"accepted": self._accepted, "clock_s": time.monotonic(), **self.sampler.read()}
        try:
            return {**self._ledger.statistics(), **own}
        except RedisError:
            return own


class Sampler:
    """Looks again and again how many jobs there are, for as long as it is told to."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._samples, self._jobs = 0, 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look for as long as the block runs."""
        stopping = threading.Event()
        thread = threading.Thread(target=self._run, args=(stopping,), name="sampler", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def read(self) -> dict[str, int]:
        return {"samples": self._samples, "sampled_jobs": self._jobs}

    def _run(self, stopping: threading.Event) -> None:
        while not stopping.wait(SAMPLE_S):
            try:
                backlog = self._ledger.backlog()
            except RedisError:
                continue
            self._samples, self._jobs = self._samples + 1, self._jobs + backlog


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise QueueUnreachable from error


def _under_way(job_id: str, status: str) -> Reply:
    headers = {"Location": f"{JOBS_PATH}/{job_id}", "Retry-After": str(RETRY_AFTER_S)}
    return Reply(HTTPStatus.ACCEPTED, headers, json.dumps({"id": job_id, "status": status}).encode())
