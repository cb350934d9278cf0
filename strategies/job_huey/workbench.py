"""What a worker does with a job: claims its row, asks the model, writes the effect once, and closes the row.

The order makes a kill harmless at any point. Until the row is closed, the job counts as unfinished and is worked on
again. The effect is written together with the mark that says so, so a second run does not write it again.
"""

import logging
import os
import platform
import time
import uuid
from typing import Any

from huey.exceptions import CancelExecution, RetryTask
from redis.exceptions import RedisError

from contract.errors import BadModelAnswer
from strategies.job_huey.jobs import TASK, Jobs
from strategies.job_huey.model import Model
from strategies.job_huey.rows import Row
from strategies.job_huey.settings import JobSettings

logger = logging.getLogger("job_huey")


class Workbench:
    """One worker: huey calls `_begin` before a task, `_work` for it, and `_end` after its result was stored."""

    def __init__(self, settings: JobSettings) -> None:
        self.consumer = f"{platform.node()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.jobs = Jobs(settings, self._work)
        self._settings, self._model = settings, Model(settings)
        self._row: Row | None = None
        self._began_s = self._ended_s = 0.0  # the last job
        self.jobs.huey.pre_execute("begin")(self._begin)
        self.jobs.huey.post_execute("end")(self._end)

    def _begin(self, task: Any) -> None:
        """Claim the row. Raises CancelExecution if the job is done, or another consumer works on it.

        Without Redis the task is dropped, too: its row still says that it waits, so it will be put into the queue
        again. huey itself goes on after any other exception.
        """
        if task.name != TASK:  # a periodic one
            return
        (job_id, queued_at_s), now_s = task.args, time.time()
        counted = self._counts_at_start(queued_at_s, now_s)
        try:
            row = self.jobs.rows.find(job_id)
            if row is None or not self.jobs.rows.claim(job_id, self.consumer, _by_priority(counted, row.priority)):
                raise CancelExecution
        except RedisError as error:
            logger.warning("job %s is not begun: %s", job_id, error)
            raise CancelExecution from error
        self._row, self._began_s = row, now_s

    def _counts_at_start(self, queued_at_s: float, now_s: float) -> dict[str, float]:
        """Return what is counted of a job that begins.

        If it was there already when the last one ended, the worker was never without work in between. Then the time
        from start to start is for how long a job occupies the worker, with all that huey and Redis add.
        """
        counts = {"started": 1.0, "waited_ms": max(now_s - queued_at_s, 0.0) * 1e3}
        if self._began_s and queued_at_s <= self._ended_s:
            counts |= {"occupied": 1.0, "occupied_ms": (now_s - self._began_s) * 1e3}
        return counts

    def _work(self, job_id: str, _: float) -> dict[str, Any]:
        row = self._row
        if row is None or row.job_id != job_id:
            raise RuntimeError(f"job {job_id} was not begun")
        try:
            result: dict[str, Any] = {"total": self._model.predict(row.numbers, row.number)}
        except BadModelAnswer as error:  # another try would end alike
            return {"failed": error.detail}
        try:
            self.jobs.rows.write_effect(row, only_once=self._settings.keeps)
        except RedisError as error:  # huey would store it as the result, and the job would be said to have failed
            raise RetryTask from error
        return result

    def _end(self, task: Any, _: Any, error: Exception | None) -> None:
        """Close the row, unless the effect could not be written: then the job is worked on again."""
        if task.name != TASK or isinstance(error, RetryTask):
            return
        self._ended_s = time.time()
        cache = {"hits": float(self._model.hits), "misses": float(self._model.misses)}
        self._model.hits = self._model.misses = 0
        counted = {"finished": 1.0, "worked_ms": (self._ended_s - self._began_s) * 1e3, **cache}
        keep_s = self._settings.expire_s + self._settings.remember_s
        self.jobs.rows.finish(task.args[0], keep_s, counted)


def _by_priority(counted: dict[str, float], priority: str) -> dict[str, float]:
    """Return the counts of starts and waits, all jobs and those of one priority."""
    own = {f"{name}_{priority}": counted[name] for name in ("started", "waited_ms")}
    return {**counted, **own}
