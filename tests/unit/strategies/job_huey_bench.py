"""Jobs in huey without processes of their own: the settings of a test, and what a consumer does with the queue."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis

from strategies.job_huey.settings import JobSettings
from strategies.job_huey.workbench import Workbench


def settings(url: str, **given: Any) -> JobSettings:
    """Return settings for jobs that take no time."""
    return JobSettings(redis_url=url, **{"model_min_ms": 0, "model_max_ms": 0, **given})


def make_bench(url: str, **given: Any) -> Workbench:
    """Return a worker whose consumer lives."""
    bench = Workbench(settings(url, **given))
    bench.jobs.rows.beat(bench.consumer)
    return bench


def work_off(bench: Workbench) -> None:
    """Do what is in the queue, as huey's worker does."""
    bench.jobs.rows.beat(bench.consumer)
    while len(bench.jobs.huey):
        bench.jobs.huey.execute(bench.jobs.huey.dequeue())


def take(bench: Workbench) -> Any:
    """Take the next job out of the queue, begin with it, and return huey's task."""
    task = bench.jobs.huey.dequeue()
    bench._begin(task)
    return task


def die(bench: Workbench) -> None:
    """Let a consumer count as dead, as it does when its heartbeat has expired."""
    Redis.from_url(bench.jobs.settings.redis_url).delete(f"jobs:alive:{bench.consumer}")


@contextmanager
def working(url: str, **given: Any) -> Iterator[Workbench]:
    """Run a worker in a thread for as long as the block runs."""
    bench, stopping = make_bench(url, **given), threading.Event()
    bench.jobs.huey.storage.read_timeout = 0.05  # seconds for which it waits for a job

    def work() -> None:
        while not stopping.is_set():
            if task := bench.jobs.huey.dequeue():
                bench.jobs.huey.execute(task)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield bench
    finally:
        stopping.set()
        worker.join()
