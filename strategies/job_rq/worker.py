"""`python -m strategies.job_rq.worker [jobs | callbacks]`: works off one queue until SIGTERM, or both without one."""

import signal
import subprocess
import sys
import time
from datetime import timedelta
from uuid import uuid4

from redis import Redis
from redis.client import Pipeline
from rq import SimpleWorker, Worker
from rq.scheduler import RQScheduler
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker.base import BaseWorker

from strategies.job_rq import tasks  # noqa: F401 - loaded once, and not by each work-horse
from strategies.job_rq.parameters import CALLBACKS, JOBS, LOOK_EVERY_S
from strategies.job_rq.queues import TimedQueue, make_queue
from strategies.job_rq.recovery import Recovery
from strategies.job_rq.settings import JobSettings

_DEQUEUE_S = 15  # RQ waits for a job for so much less than a worker's time to live
_HEARTBEAT = timedelta(seconds=1)
_POLL_S = 0.2


class Recovering(BaseWorker):
    """A worker that also looks for jobs of workers that are gone, before it takes its next one."""

    def run_maintenance_tasks(self) -> None:
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        recovery: Recovery | None = getattr(self, "_recovery", None)
        if recovery is None:
            recovery = self._recovery = Recovery(self.queues[0])
        recovery.look()

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Say that it lives, once a second at most. RQ does so three times per job, and each is written to disk."""
        is_early = self.last_heartbeat is not None and now() - self.last_heartbeat < _HEARTBEAT
        if timeout is not None or pipeline is not None or not is_early:
            super().heartbeat(timeout, pipeline)


class ForkingWorker(Recovering, Worker):
    """Forks a work-horse for each job."""


class PlainWorker(Recovering, SimpleWorker):
    """Runs jobs itself."""


class CallbackWorker(PlainWorker):
    """Also puts callbacks that failed back into the queue when it is time.

    RQ has a process for that, which must hold a lock: killed, it blocks its successor for a minute or two. Without the
    lock two workers may enqueue the same callback at the same moment. The second attempt finds that it was delivered.
    """

    def run_maintenance_tasks(self) -> None:
        super().run_maintenance_tasks()
        scheduler = RQScheduler(self.queues, self.connection)
        scheduler.prepare_registries(self.queue_names())
        scheduler.enqueue_scheduled_jobs()


def work(name: str, settings: JobSettings) -> None:
    """Work off a queue until SIGTERM."""
    worker_name = uuid4().hex
    connection: Redis = Redis.from_url(settings.redis_url, client_name=worker_name)
    kind = CallbackWorker if name == CALLBACKS else ForkingWorker if settings.worker == "forks" else PlainWorker
    worker = kind(
        [make_queue(name, connection)],
        name=worker_name,
        connection=connection,
        queue_class=TimedQueue,
        serializer=JSONSerializer,
        maintenance_interval=LOOK_EVERY_S,
        worker_ttl=_DEQUEUE_S + LOOK_EVERY_S,
        log_job_description=False,
    )
    worker.work(logging_level="WARNING")


def work_both() -> int:
    """Work off both queues, each in a process of its own, until SIGTERM or the end of one: for a container."""
    command = [sys.executable, "-m", "strategies.job_rq.worker"]
    processes = [subprocess.Popen([*command, name]) for name in (JOBS, CALLBACKS)]

    def end(*_: object) -> None:
        for process in processes:
            process.terminate()

    signal.signal(signal.SIGTERM, end)
    while all(process.poll() is None for process in processes):
        time.sleep(_POLL_S)
    end()
    return max(abs(process.wait()) for process in processes)


if __name__ == "__main__":
    if sys.argv[1:]:
        work(sys.argv[1], JobSettings())
    else:
        sys.exit(work_both())
