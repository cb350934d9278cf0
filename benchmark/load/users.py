"""Locust users: they drive the flows of benchmark.load.protocols, each with its own idea of when to ask."""

import random
import time
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, task
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS

from benchmark.load.arrivals import poisson_arrivals
from benchmark.load.asks import ask_of
from benchmark.load.plan import LoadPlan
from benchmark.load.protocols import Answer, Ask, Request, Response, no_answer
from benchmark.load.shapes import PACING_S

MAX_IN_FLIGHT = 2048  # of one open-loop user; an arrival beyond it is dropped, and counted


class WrongAnswer(Exception):
    """None at all, or one that is not what the scenario says; for Locust's own statistics."""


class Dropped(Exception):
    """An arrival that the generator could not send."""


class AskingUser(FastHttpUser):
    """Obtains answers; when to ask is up to the classes below.

    Requests go to the client that Locust has made for this user, without the session around it: that reports each
    request, and a sample is an answer, which may take several. It costs as much as all else, too.
    """

    abstract = True
    connection_timeout = 5.0
    network_timeout = 30.0  # far above its ceiling a service is slow, which is a result and no failure

    asked: ClassVar[Ask]
    row: ClassVar[str] = ""  # of Locust's statistics, for its requests; by default their path

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        session, base_url = self.client, self.client.base_url or ""
        self._http = session.client.clientpool.get_client(base_url)
        self._prefix: str = urlsplit(base_url).path.rstrip("/")
        if session.auth_header:  # of a host that is given as http://user:password@host
            self._http.default_headers["Authorization"] = session.auth_header

    def obtain(self, scheduled_ns: int | None = None) -> None:
        """Obtain one answer and report it; with a schedule, its latency counts from there.

        Without one it counts from before the request is stamped. What the kernel, or garbage, takes in between would
        be part of the queue that the service sees, and of no latency.
        """
        start_ns = time.monotonic_ns()
        flow = self.asked.flow()
        request = next(flow)
        try:
            while True:
                if request.after_s:
                    gevent.sleep(request.after_s)
                request = flow.send(self._send(request))
        except StopIteration as end:
            answer: Answer = end.value
        since_ns = start_ns if scheduled_ns is None else scheduled_ns
        self._report(
            (answer.done_ns - since_ns) / 1e6,
            answer.size,
            WrongAnswer(answer.error) if answer.error else None,
            {"scheduled_ns": since_ns, "start_ns": start_ns, "answer": answer},
        )

    def _send(self, request: Request) -> Response:
        sent_ns = time.monotonic_ns()
        try:
            response = self._http.request(request.method, self._prefix + request.path, request.body, request.headers)
            body = response.read()
        except FAILURE_EXCEPTIONS as error:
            return Response(0, {}, b"", sent_ns, time.monotonic_ns(), no_answer(error))
        return Response(response.get_code(), response.info(), body, sent_ns, time.monotonic_ns())

    def _report(self, latency_ms: float, size: int, exception: Exception | None, context: dict[str, Any]) -> None:
        self.environment.events.request.fire(
            request_type=self.asked.method,
            name=self.row or self.asked.path,
            response_time=latency_ms,
            response_length=size,
            exception=exception,
            context=context,
        )


class ClosedLoopUser(AskingUser):
    """Asks, waits for the answer, and asks again at once, or when its wait time allows."""

    abstract = True

    @task
    def ask(self) -> None:
        self.obtain()


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


class OpenLoopUser(AskingUser):
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
            dropped = Dropped(f"{MAX_IN_FLIGHT} requests in flight already")
            self._report(0.0, 0, dropped, {"scheduled_ns": scheduled_ns, "start_ns": time.monotonic_ns()})
        else:
            self._pool.spawn(self.obtain, scheduled_ns)


def user_class(plan: LoadPlan) -> type[AskingUser]:
    """Return the user class of a plan. Raises ScenarioError."""
    asked = ask_of(plan.scenario, plan.endpoint, plan.seed, plan.answer_bounds_s, stage_clock=plan.stage_clock)
    return type("PlannedUser", (ClosedLoopUser,), {"host": plan.url, "asked": asked})
