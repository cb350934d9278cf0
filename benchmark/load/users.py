"""Locust users: what they ask, how they check the answer, when they ask again."""

import time
from collections.abc import Iterator
from typing import Any, ClassVar

from locust import FastHttpUser, task

from benchmark.load.bodies import check_answer, request_bodies
from benchmark.load.plan import LoadPlan
from contract.errors import BadModelAnswer
from contract.schema import JSON_CONTENT_TYPE
from contract.timing import request_start_header


class CheckingUser(FastHttpUser):
    """Knows how to ask and how to check the answer; when to ask is up to the classes below."""

    abstract = True
    connection_timeout = 5.0
    network_timeout = 30.0  # far above its ceiling a service is slow, which is a result and no failure

    endpoint: ClassVar[str]
    bodies: ClassVar[Iterator[str]]
    bounds_s: ClassVar[tuple[float, float]]
    stage_clock: ClassVar[bool]

    def send(self, scheduled_ns: int | None = None) -> None:
        """Send one request and check its answer; with a schedule, its latency counts from there."""
        context: dict[str, Any] = {"start_ns": time.monotonic_ns()}
        if scheduled_ns is not None:
            context["scheduled_ns"] = scheduled_ns
        headers = {"Content-Type": JSON_CONTENT_TYPE}
        if self.stage_clock:
            headers.update(request_start_header())
        with self.client.post(
            self.endpoint, data=next(self.bodies), headers=headers, context=context, catch_response=True
        ) as response:
            # Locust's own watch starts after the request was stamped. What the kernel, or garbage, takes in between
            # would be part of the queue that the service sees, and of no latency.
            since_ns = context["start_ns"] if scheduled_ns is None else scheduled_ns
            response.request_meta["response_time"] = (time.monotonic_ns() - since_ns) / 1e6
            if response.status_code != 200:
                response.failure(_problem(response.status_code, getattr(response, "error", None)))
                return
            try:
                detail_s = check_answer(response.content, self.bounds_s)
            except BadModelAnswer as error:
                response.failure(error.detail)
            else:
                response.request_meta["context"]["detail_s"] = detail_s


def _problem(status: int, cause: BaseException | None) -> str:
    """Return what went wrong: the status or, of an answer that never came, the reason that Locust's client has kept."""
    if status:
        return f"status {status}"
    return f"no answer (status 0): {f'{type(cause).__name__}: {cause}' if cause else 'for an unknown reason'}"


class ClosedLoopUser(CheckingUser):
    """Asks, waits for the answer, and asks again at once, or when its wait time allows."""

    abstract = True

    @task
    def ask(self) -> None:
        self.send()


PROTOCOLS: dict[str, type[CheckingUser]] = {"predict": ClosedLoopUser}


def user_class(plan: LoadPlan) -> type[CheckingUser]:
    """Return the user class of a plan."""
    attributes: dict[str, Any] = {
        "host": plan.url,
        "endpoint": plan.endpoint,
        "bodies": request_bodies(plan.seed),
        "bounds_s": plan.answer_bounds_s,
        "stage_clock": plan.stage_clock,
    }
    return type("PlannedUser", (PROTOCOLS[plan.protocol],), attributes)
