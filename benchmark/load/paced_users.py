"""Locust users of this experiment: paced ones in a closed loop, and arrivals in an open one."""

import random
import time
from typing import Any, ClassVar

import gevent
from gevent.pool import Pool
from locust import task

from benchmark.load.arrivals import poisson_arrivals
from benchmark.load.shapes import PACING_S
from benchmark.load.users import CheckingUser, ClosedLoopUser

MAX_IN_FLIGHT = 2048  # of one open-loop user; an arrival beyond it is dropped, and counted


class PacedUser(ClosedLoopUser):
    """Asks once in `pacing_s`, or as soon as the answer is there if that takes longer.

    Locust starts users in batches, and its own constant_pacing keeps them there: all would ask within
    the same few milliseconds of every second. Each of these has a place of its own in the second.
    """

    abstract = True
    pacing_s: ClassVar[float] = PACING_S  # 0 to ask again at once

    def on_start(self) -> None:
        self._due_s = time.monotonic() + random.random() * self.pacing_s
        gevent.sleep(max(self._due_s - time.monotonic(), 0))

    def wait_time(self) -> float:
        """Return the seconds until this user's next turn; a late user asks at once and goes on from there."""
        now_s = time.monotonic()
        self._due_s = max(self._due_s + self.pacing_s, now_s)
        return self._due_s - now_s


class OpenLoopUser(CheckingUser):
    """Issues requests at the times of a Poisson schedule and never waits for one before the next.

    Latency counts from the scheduled time, so a request that had to wait for its turn shows it.
    With several such users (or workers) each has a schedule of its own, together the whole rate.
    """

    abstract = True
    concurrency = MAX_IN_FLIGHT
    rate_rps: ClassVar[float]  # of each user
    seed: ClassVar[int]
    count: ClassVar[int] = 0

    def on_start(self) -> None:
        self._pool = Pool(MAX_IN_FLIGHT)
        cls = type(self)
        worker = getattr(self.environment.runner, "worker_index", 0)
        self._arrivals = poisson_arrivals(self.rate_rps, self.seed + 1000 * worker + cls.count)
        cls.count += 1
        self._start_ns = time.monotonic_ns()

    def on_stop(self) -> None:
        self._pool.join(timeout=self.network_timeout)

    @task
    def ask(self) -> None:
        """Wait for the next arrival and send it on its way."""
        scheduled_ns = self._start_ns + int(next(self._arrivals) * 1e9)
        gevent.sleep(max((scheduled_ns - time.monotonic_ns()) / 1e9, 0))
        if self._pool.full():
            self._drop(scheduled_ns)
        else:
            self._pool.spawn(self.send, scheduled_ns)

    def _drop(self, scheduled_ns: int) -> None:
        context: dict[str, Any] = {"scheduled_ns": scheduled_ns, "start_ns": time.monotonic_ns()}
        self.environment.events.request.fire(
            request_type="POST",
            name=self.endpoint,
            response_time=0.0,
            response_length=0,
            exception=Dropped(f"{MAX_IN_FLIGHT} requests in flight already"),
            context=context,
            response=None,
            start_time=time.time(),
            url=self.endpoint,
        )


class Dropped(Exception):
    """An arrival that the generator could not send."""
