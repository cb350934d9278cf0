"""Locust users that run the flows of benchmark.load.protocols: in a closed loop, paced, or in an open loop."""

import random
import time
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any, ClassVar
from urllib.parse import urlsplit

import gevent
from gevent.pool import Pool
from locust import FastHttpUser, task
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS
from locust.exception import StopTest, StopUser

from benchmark.errors import LoadError, ShapeError
from benchmark.load.alarm import Alarm
from benchmark.load.arrivals import poisson_arrivals
from benchmark.load.base_url import base_url
from benchmark.load.plan import LoadPlan
from benchmark.load.protocols import Ask, JudgedAnswer, Request, Response, no_answer, path_of
from benchmark.load.scenario_requests import ask_of
from benchmark.load.shapes import PACING_S
from benchmark.load.shares import Due, share_of

MAX_IN_FLIGHT = 2048  # of one open-loop user; further arrivals are dropped and counted as such


class WrongAnswer(Exception):
    """A missing or incorrect answer; for Locust's own statistics."""


class Dropped(Exception):
    """An arrival that the generator could not send."""


class AskingUser(FastHttpUser):
    """Sends requests and reports answers; the subclasses decide when.

    Requests use the client of Locust's session directly, for two reasons: the session reports every request, but an
    answer may take several; and it costs as much CPU as everything else together.
    """

    abstract = True
    connection_timeout = 5.0
    network_timeout = 30.0  # an overloaded service is slow, which is a result and not a failure

    asked: ClassVar[Ask]
    row: ClassVar[str] = ""  # of Locust's statistics, for its requests; by default their path

    def __init__(self, environment: Any) -> None:
        try:  # also what was typed into the web UI, which is checked nowhere else
            self.host = base_url(self.host or "", "the host", self.asked.path)
        except LoadError as error:
            raise StopTest(str(error)) from error
        super().__init__(environment)
        session, url = self.client, self.client.base_url or ""
        self._clients = session.client.clientpool
        self._http = self._clients.get_client(url)
        self._prefix: str = urlsplit(url).path.rstrip("/")
        if session.auth_header:  # from a host such as http://user:password@host
            self._http.default_headers["Authorization"] = session.auth_header

    def obtain(self, scheduled_ns: int | None = None, asked: Ask | None = None) -> None:
        """Obtain one answer and report it: to what is `asked` in place of the usual, if it is given.

        With a schedule, its latency counts from the scheduled time.

        Otherwise it counts from before the request gets its time stamp: a pause in between (kernel, garbage
        collection) would be part of the queue stage of the service, but of no latency.
        """
        start_ns = time.monotonic_ns()
        flow = (asked or self.asked).flow()
        request = next(flow)
        try:
            while True:
                if request.after_s:
                    gevent.sleep(request.after_s)
                request = flow.send(self._send(request))
        except StopIteration as end:
            answer: JudgedAnswer = end.value
        since_ns = start_ns if scheduled_ns is None else scheduled_ns
        self._report(
            (answer.done_ns - since_ns) / 1e6,
            answer.size,
            WrongAnswer(answer.error) if answer.error else None,
            {"scheduled_ns": since_ns, "start_ns": start_ns, "answer": answer},
        )

    def _send(self, request: Request) -> Response:
        http, path = self._http, self._prefix + request.path
        if request.path.startswith("http"):
            http, path = self._clients.get_client(request.path), path_of(request.path)
        sent_ns = time.monotonic_ns()
        try:
            response = http.request(request.method, path, request.body, request.headers)
            body = response.read()
        except (*FAILURE_EXCEPTIONS, ValueError, HTTPException) as error:  # ValueError: a name that is no host's
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
    """Sends a request, waits for the answer, and sends the next at once or after its wait time."""

    abstract = True

    @task
    def ask(self) -> None:
        self.obtain()


class PacedUser(ClosedLoopUser):
    """Sends a request every `pacing_s`, or as soon as the answer is there if that takes longer.

    Locust starts users in batches, and its constant_pacing keeps them together: all would send within the same few
    milliseconds of every second. These users start at random times within the second.
    """

    abstract = True
    pacing_s: ClassVar[float] = PACING_S  # 0: no pause

    def on_start(self) -> None:
        self._due_s = time.monotonic() + random.random() * self.pacing_s
        gevent.sleep(max(self._due_s - time.monotonic(), 0))

    def wait_time(self) -> float:
        """Return the seconds until the next request; a late user sends at once and continues from then."""
        now_s = time.monotonic()
        self._due_s = max(self._due_s + self.pacing_s, now_s)
        return self._due_s - now_s


class OpenLoopUser(AskingUser):
    """Sends requests at the times of a Poisson schedule, without waiting for earlier answers.

    Latency counts from the scheduled time, so it includes any delay in sending. Several such users (or workers) have
    different schedules, which together make up the whole rate.
    """

    abstract = True
    concurrency = MAX_IN_FLIGHT
    rate_rps: ClassVar[float]  # of each user
    seed: ClassVar[int]
    count: ClassVar[int] = 0

    def on_start(self) -> None:
        self._pool, self._alarm = Pool(MAX_IN_FLIGHT), Alarm()
        cls = type(self)
        worker = getattr(self.environment.runner, "worker_index", 0)
        self._due = self.schedule(self.seed + 1000 * worker + cls.count)
        cls.count += 1
        self._start_ns = time.monotonic_ns()

    def schedule(self, seed: int) -> Iterator[Due]:
        """Return when requests are due, and what they ask: this process's share of a shape, or a constant rate."""
        try:
            share = share_of(self.environment, self.asked, self.seed)
        except ShapeError as error:  # such as a log that another machine does not have
            raise StopTest(str(error)) from error
        return share if share is not None else ((at_s, self.asked) for at_s in poisson_arrivals(self.rate_rps, seed))

    def on_stop(self) -> None:
        self._pool.join(timeout=self.network_timeout)
        self._alarm.close()

    @task
    def ask(self) -> None:
        """Wait for the next scheduled time and start its request; after the last one, end."""
        at_s, asked = next(self._due, (None, self.asked))
        if at_s is None:
            raise StopUser
        scheduled_ns = self._start_ns + int(at_s * 1e9)
        self._alarm.wait_until(scheduled_ns)
        if self._pool.full():
            dropped = Dropped(f"{MAX_IN_FLIGHT} requests in flight already")
            self._report(0.0, 0, dropped, {"scheduled_ns": scheduled_ns, "start_ns": time.monotonic_ns()})
        else:
            self._pool.spawn(self.obtain, scheduled_ns, asked)


def user_class(plan: LoadPlan) -> type[AskingUser]:
    """Return the user class of a plan. Raises ScenarioError."""
    asked = ask_of(
        *(plan.scenario, plan.endpoint, plan.seed, plan.answer_bounds_s),
        stage_clock=plan.stage_clock,
        receiver=plan.receiver,
        expected=plan.expected,
    )
    # Waves and arrivals share one user's connections.
    more: dict[str, Any] = {"concurrency": MAX_IN_FLIGHT} if plan.loads else {}
    if plan.url.startswith("https"):
        more["insecure"] = False  # a token is sent to nobody whose certificate is not accepted
    return type("PlannedUser", (ClosedLoopUser,), {"host": plan.url, "asked": asked, **more})
