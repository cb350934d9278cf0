"""`python -m strategies.job_huey.consumer [-n]`: huey's consumer with one worker, like `huey_consumer -w 1`.

SIGTERM interrupts the job that is worked on, and SIGINT lets it end, as huey means them. With -n no periodic task is
enqueued: one consumer of all should do that, since each does it for itself.
"""

import logging
import sys
import threading
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
from huey.signals import SIGNAL_INTERRUPTED
from redis.exceptions import RedisError

from contract.garbage_collection import freeze_startup_objects
from strategies.job_huey.features import add_refresh
from strategies.job_huey.jobs import TASK
from strategies.job_huey.parameters import HEARTBEAT_S, SWEEP_S
from strategies.job_huey.settings import JobSettings
from strategies.job_huey.workbench import Workbench

logger = logging.getLogger("job_huey")

_QUIET: Final = logging.WARNING  # huey says several lines for each job
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0  # between two tries while Redis is away


def run(settings: JobSettings, periodic: bool) -> None:
    """Work until SIGTERM or SIGINT."""
    bench = Workbench(settings)
    add_refresh(bench.jobs.huey)
    stopping = threading.Event()
    _every(HEARTBEAT_S, lambda: bench.jobs.rows.beat(bench.consumer), stopping)
    if settings.keeps:
        _every(SWEEP_S, lambda: _sweep(bench), stopping)
        bench.jobs.huey.signal(SIGNAL_INTERRUPTED)(lambda _, task: _put_back(bench, task))
    consumer = bench.jobs.huey.create_consumer(
        workers=1, worker_type="thread", periodic=periodic, initial_delay=_FIRST_PAUSE_S, max_delay=_LONGEST_PAUSE_S
    )
    freeze_startup_objects()
    try:
        consumer.run()
    finally:
        stopping.set()
        bench.jobs.close()


def _every(seconds: float, act: Callable[[], object], stopping: threading.Event) -> None:
    """Do something now, and again and again in a thread of its own. While Redis is away, it is tried again."""

    def attempt() -> None:
        try:
            act()
        except RedisError as error:
            logger.warning("Redis: %s", error)

    def repeat() -> None:
        while not stopping.wait(seconds):
            attempt()

    attempt()
    threading.Thread(target=repeat, daemon=True).start()


def _sweep(bench: Workbench) -> None:
    for row in bench.jobs.sweep():
        logger.warning("job %s is worked on again, it was %s", row.job_id, row.state)


def _put_back(bench: Workbench, task: Any) -> None:
    """Put an interrupted job back, for another consumer. Without Redis it is found later, as that of a dead one."""
    if task.name == TASK:
        bench.jobs.put_back(task.args[0])


def main(
    no_periodic: Annotated[bool, typer.Option("-n", "--no-periodic", help="Enqueue no periodic tasks.")] = False,
) -> None:
    """Work on jobs until SIGTERM (at once) or SIGINT (after the running job)."""
    logging.basicConfig(level=_QUIET, stream=sys.stderr)
    run(JobSettings(), periodic=not no_periodic)


if __name__ == "__main__":
    typer.run(main)
