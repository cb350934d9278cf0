"""Protocols: how one answer is obtained, as flows without I/O, in the manner of httpx's auth_flow.

A flow is a generator: it yields requests, receives the responses, and returns an answer. Any HTTP client can run one
without knowing the protocol: see benchmark.load.plain_clients, and benchmark.load.users for Locust. A new protocol is
one function here.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from benchmark.load.bodies import too_early
from contract.errors import BadModelAnswer
from contract.secrets import MASK
from contract.timing import SERVER_TIMING_HEADER, request_start_header

POLL_EVERY_S = 0.05
PATIENCE_S = 30.0  # timeout of a flow that polls, or waits for a callback
CALLBACK_HEADER = "Callback-URL"
CALLBACK_PATH = "/callbacks"  # of the receiver
CALLBACK_WAIT_S = 10.0  # for which the receiver holds a request for a callback that has not come
RETRY_LATER = (503,)  # status of an answer that says when to ask again
RETRY_AFTER, WITHOUT_RETRY_AFTER = "Retry-After", " without Retry-After"
_TRANSIENT = (0, 503)  # no answer, or the service is away: what was accepted is asked for again


class Request(NamedTuple):
    """The next request, and how long to wait before sending it. The path is a URL if it goes to another server."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    after_s: float = 0.0


class Headers(Protocol):
    """The headers of a response, with case-insensitive names."""

    def get(self, name: str, default: str, /) -> Any: ...

    def items(self) -> Any: ...


class Response(NamedTuple):
    """A response with its times on the monotonic clock. Status 0 means none came, and `error` says why."""

    status: int
    headers: Headers
    body: bytes
    sent_ns: int
    done_ns: int
    error: str = ""


class JudgedAnswer(NamedTuple):
    """The result of one or more requests."""

    error: str  # why the answer is missing or wrong; empty if it is correct
    value: float | None  # its content, if that is a duration: in seconds
    status: int
    size: int  # of its body, in bytes
    server_timing: str
    sent_ns: int  # when the first request was sent
    done_ns: int  # when the last response was complete
    requests: int = 1
    items: int = 1  # rows in the answer
    is_early: bool = False  # it came earlier than its own content allows
    first_ns: int = 0  # when the first response was complete, if others followed; otherwise 0


Flow = Generator[Request, Response, JudgedAnswer]


@dataclass(frozen=True, slots=True)
class Ask:
    """Requests and the check of their answers: everything that a protocol needs from a scenario."""

    protocol: "Callable[[Ask], Flow]"
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    bodies: Iterator[bytes | None] = field(repr=False)
    status: int = 200
    read: Callable[[bytes], float | None] = lambda _: None  # returns an answer's duration; raises BadModelAnswer
    stage_clock: bool = False  # whether requests carry the time at which they were sent
    least_times_answer: float = 0.0  # an answer of d seconds takes at least this many times d; 0 if unknown
    receiver: str = ""  # base URL at which callbacks are received
    secrets: tuple[str, ...] = field(default=(), repr=False)  # that must not be in what is said of an answer
    same: Mapping[bytes | None, str] = field(default_factory=dict, repr=False)  # digests of right answers by body
    digest: Callable[[bytes], str] = field(default=lambda _: "", repr=False)
    same_as: str = ""  # whose answers these are

    def flow(self) -> Flow:
        """Return a new flow for one answer."""
        return self.protocol(self)

    def sending(self, body: bytes | None) -> "Ask":
        """Return the same with this body in every request."""
        return replace(self, bodies=repeat(body))

    def request(self) -> Request:
        """Return the next request of the scenario."""
        headers = {**self.headers, **request_start_header()} if self.stage_clock else self.headers
        return Request(self.method, self.path, headers, next(self.bodies))

    def judge(
        self,
        response: Response,
        sent_ns: int = 0,
        requests: int = 1,
        items: int = 1,
        error: str = "",
        asked: bytes | None = None,
    ) -> JudgedAnswer:
        """Check the last response and return it as an answer to what was `asked`."""
        sent_ns, value, is_early = sent_ns or response.sent_ns, None, False
        error = error or response.error
        if not error and response.status != self.status:
            error = f"status {response.status}"
            if response.status in RETRY_LATER and not response.headers.get(RETRY_AFTER, ""):
                error += WITHOUT_RETRY_AFTER
        if not error:
            try:
                value = self.read(response.body)
            except BadModelAnswer as wrong:
                error = wrong.detail
        if not error and self.same and self.same.get(asked) != self.digest(response.body):
            error = f"another answer than {self.same_as}'s before the measurement"
        if self.least_times_answer and value is not None:
            excess_ms = (response.done_ns - sent_ns) / 1e6 - self.least_times_answer * value * 1e3
            error = too_early(excess_ms)
            is_early = bool(error)
        timing = response.headers.get(SERVER_TIMING_HEADER, "")
        for secret in self.secrets:
            error, timing = error.replace(secret, MASK), timing.replace(secret, MASK)
        return JudgedAnswer(
            *(error, value, response.status, len(response.body), timing, sent_ns, response.done_ns),
            *(requests, items, is_early),
        )


def predict(ask: Ask) -> Flow:
    """One request, one response."""
    request = ask.request()
    return ask.judge((yield request), asked=request.body)


def batch(ask: Ask) -> Flow:
    """One request with many rows; the response must have as many."""
    request = ask.request()
    response = yield request
    asked, answered = _rows(request.body or b""), _rows(response.body)
    wrong = response.status == ask.status and asked != answered
    error = f"{answered} rows in the answer, expected {asked}" if wrong else ""
    return ask.judge(response, items=answered, error=error, asked=request.body)


def poll(ask: Ask) -> Flow:
    """Submit, then poll the Location of the 202 until the status changes: to the answer, or to 404 or 410 if lost.

    A service may also answer the first request directly.
    """
    request = ask.request()
    first = yield request
    again = Request("GET", _location(first), ask.headers, None, POLL_EVERY_S)
    return (yield from _await_answer(ask, request, first, again))


def callback(ask: Ask) -> Flow:
    """Submit with the address of a receiver, then wait there until the service has delivered the answer.

    The last part of the Location is the job's id. The receiver holds each request for a while: 202 if nothing came.
    """
    request = ask.request()
    first = yield request._replace(headers={**request.headers, CALLBACK_HEADER: ask.receiver + CALLBACK_PATH})
    job_id = _location(first).rpartition("/")[2]
    place = f"{ask.receiver}{CALLBACK_PATH}/{job_id}?wait_s={CALLBACK_WAIT_S:g}" if job_id else ""
    return (yield from _await_answer(ask, request, first, Request("GET", place, {}, None)))


def path_of(url: str) -> str:
    """Return the path of a URL with its query, as a request line has it; empty if there is no URL."""
    return urlsplit(url)._replace(scheme="", netloc="").geturl()


def _location(response: Response) -> str:
    """Return the path of the Location of a response; empty if there is none."""
    return path_of(response.headers.get("Location", ""))


def _await_answer(
    ask: Ask, request: Request, first: Response, again: Request
) -> Generator[Request, Response, JudgedAnswer]:
    """Ask again until the answer of an accepted request is there. While nobody answers, it is still asked for."""
    response, requests, error = first, 1, ""
    if first.status == 202 and not again.path:
        error = "status 202 without a Location header"
    is_waiting = first.status == 202
    while is_waiting and not error:
        pause_s = POLL_EVERY_S if response.status in _TRANSIENT else again.after_s
        response = yield again._replace(after_s=pause_s)
        requests += 1
        is_waiting = response.status == 202 or response.status in _TRANSIENT
        if is_waiting and response.done_ns - first.sent_ns > PATIENCE_S * 1e9:
            error = f"no answer within {PATIENCE_S:g} s"
    judged = ask.judge(response, first.sent_ns, requests, error=error, asked=request.body)
    return judged._replace(first_ns=first.done_ns)


PROTOCOLS: dict[str, Callable[[Ask], Flow]] = {"predict": predict, "batch": batch, "poll": poll, "callback": callback}


def no_answer(cause: BaseException | None) -> str:
    """Return the error text for a request without a response, from the HTTP client's exception."""
    return f"no answer (status 0): {f'{type(cause).__name__}: {cause}' if cause else 'for an unknown reason'}"


def _rows(body: bytes) -> int:
    """Return the number of rows of a body: the length of a JSON array, or of the first one in an object."""
    try:
        document = json.loads(body)
    except ValueError:
        return 0
    places = document.values() if isinstance(document, dict) else [document]
    return next((len(each) for each in places if isinstance(each, list)), 0)
