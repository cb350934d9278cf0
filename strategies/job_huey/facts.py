"""`python -m strategies.job_huey.facts`: retries, expiry, and what a get does that finds nothing.

Consumers of huey run in this process, against a Redis of their own. Prints a JSON object.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any, Final

from huey import RedisExpireHuey, RedisHuey
from huey.exceptions import TaskException

from feature_store.server import embedded_server

RETRIES: Final = 2
RETRY_DELAY_S: Final = 1
EXPIRE_S: Final = 2
JOBS: Final = 4  # that are retried; they begin at different times of the scheduler's second
_APART_S: Final = 0.23
_AROUND_S: Final = 0.5  # before and after the expiry
_PATIENCE_S: Final = 20.0


@contextmanager
def consuming(huey: Any) -> Iterator[Any]:
    """Run a consumer with one worker for as long as the block runs."""
    consumer = huey.create_consumer(workers=1, periodic=False)
    consumer.start()
    try:
        yield huey
    finally:
        consumer.stop()


class Flaky:
    """A task that fails until no retry is left, and notes when it was tried."""

    def __init__(self, huey: Any) -> None:
        self.tries: dict[int, list[float]] = {}
        self.submit = huey.task(retries=RETRIES, retry_delay=RETRY_DELAY_S, name="flaky")(self._work)

    def _work(self, job: int) -> int:
        self.tries.setdefault(job, []).append(time.monotonic())
        if len(self.tries[job]) <= RETRIES:
            raise ValueError("not yet")
        return job

    def figures(self) -> dict[str, float]:
        """Return how often each job was tried, 0 if they differ, and the times between the tries."""
        gaps_s = [after - before for t in self.tries.values() for before, after in pairwise(t)]
        tries = {len(each) for each in self.tries.values()}
        return {
            "attempts": float(tries.pop()) if len(tries) == 1 else 0.0,
            "least_gap_s": min(gaps_s),
            "longest_gap_s": max(gaps_s),
        }


def measure(url: str) -> dict[str, float]:
    """Return all figures. While jobs are retried, results expire."""
    patient = RedisExpireHuey("patient", url=url, store_intermediate_errors=False, notify_result=True)
    hasty = RedisExpireHuey("hasty", url=url, notify_result=True)  # as it is by default
    kept = RedisExpireHuey("kept", url=url, expire_time=EXPIRE_S, notify_result=True)
    popped = RedisHuey("popped", url=url, notify_result=True)
    flaky, first = Flaky(patient), Flaky(hasty)
    with ExitStack() as consumers:
        for huey in (patient, hasty, kept, popped):
            consumers.enter_context(consuming(huey))
        retried = []
        for job in range(JOBS):
            retried.append(flaky.submit(job))
            time.sleep(_APART_S)
        raised = _raises(first.submit(JOBS))
        found = {**_expiry(kept), **_reads(popped)}
        succeeded = [result.get(blocking=True, timeout=_PATIENCE_S) for result in retried] == list(range(JOBS))
    figures = {**found, "succeeded": succeeded, "raised_at_first_failure": raised}
    return {**flaky.figures(), **{name: float(value) for name, value in figures.items()}}


def _raises(result: Any) -> bool:
    try:
        result.get(blocking=True, timeout=_PATIENCE_S)
    except TaskException:
        return True
    return False


def _expiry(huey: Any) -> dict[str, float]:
    """Return whether a result is there shortly before and after its expiry, and what is there before the task."""
    began_s = time.monotonic()
    nothing = huey.result("not there")
    nonblocking_ms = (time.monotonic() - began_s) * 1e3
    result = huey.task(name="double")(_double)(21)
    result.get(blocking=True, timeout=_PATIENCE_S)
    stored_s = time.monotonic()
    _sleep_until(stored_s + EXPIRE_S - _AROUND_S)
    before = huey.result(result.id)
    _sleep_until(stored_s + EXPIRE_S + _AROUND_S)
    return {
        "nonblocking_ms": nonblocking_ms,
        "read_before_ready": nothing is not None,
        "before_expiry": before == _double(21),
        "after_expiry": huey.result(result.id) is not None,
    }


def _reads(huey: Any) -> dict[str, float]:
    """Return whether a result is there when it is read for the first, and for the second time."""
    result = huey.task(name="double")(_double)(21)
    first = huey.result(result.id, blocking=True, timeout=_PATIENCE_S)
    return {"first_read": first == _double(21), "second_read": huey.result(result.id) is not None}


def _double(number: int) -> int:
    return 2 * number


def _sleep_until(moment_s: float) -> None:
    time.sleep(max(moment_s - time.monotonic(), 0.0))


if __name__ == "__main__":
    logging.getLogger("huey").setLevel(logging.CRITICAL)  # it logs each failure, which is wanted here
    with embedded_server() as address:
        print(json.dumps(measure(address)), flush=True)
