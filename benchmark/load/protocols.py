"""Protocols: how one answer is obtained, as flows without I/O, in the manner of httpx's auth_flow.

A flow is a generator. It yields requests, is sent what came back, and returns an answer. Whoever drives one sends its
requests, by whatever client, and knows nothing of what they mean: see benchmark.load.plain_clients, and benchmark.load.users
for Locust. A new protocol is one function here.
"""

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from benchmark.load.bodies import too_early
from contract.errors import BadModelAnswer
from contract.timing import SERVER_TIMING_HEADER, request_start_header

POLL_EVERY_S = 0.05
PATIENCE_S = 30.0  # of a flow that polls


class Request(NamedTuple):
    """What is to be sent next, and how long to wait before."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None
    after_s: float = 0.0


class Headers(Protocol):
    """The headers of an answer as every HTTP client has them, whatever the case of a name."""

    def get(self, name: str, default: str, /) -> Any: ...

    def items(self) -> Any: ...


class Response(NamedTuple):
    """What came back, and when, on the monotonic clock; with status 0 nothing did, and `error` says why."""

    status: int
    headers: Headers
    body: bytes
    sent_ns: int
    done_ns: int
    error: str = ""


class Answer(NamedTuple):
    """What was obtained by one or more requests."""

    error: str  # why it is none, or a wrong one; empty for one that is right
    value: float | None  # what it says, if that is a duration: in seconds
    status: int
    size: int  # of its body, in bytes
    server_timing: str
    sent_ns: int  # when the first request was
    done_ns: int  # when the last response had come
    requests: int = 1
    items: int = 1  # rows that it answers
    is_early: bool = False  # it came sooner than what it says can have taken


Flow = Generator[Request, Response, Answer]


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked, and what a right answer is: all that a protocol has to know of a scenario."""

    protocol: "Callable[[Ask], Flow]"
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    bodies: Iterator[bytes | None] = field(repr=False)
    status: int = 200
    read: Callable[[bytes], float | None] = lambda _: None  # what an answer says; raises BadModelAnswer if it is wrong
    stage_clock: bool = False  # whether a request says when it was sent
    least_times_answer: float = 0.0  # an answer of d seconds takes at least so many times d; 0 where nobody can tell

    def flow(self) -> Flow:
        """Return what obtains one answer."""
        return self.protocol(self)

    def request(self) -> Request:
        """Return the next request."""
        headers = {**self.headers, **request_start_header()} if self.stage_clock else self.headers
        return Request(self.method, self.path, headers, next(self.bodies))

    def judge(self, response: Response, sent_ns: int = 0, requests: int = 1, items: int = 1, error: str = "") -> Answer:
        """Return the last response as an answer: right, or why it is not."""
        sent_ns, value, is_early = sent_ns or response.sent_ns, None, False
        error = error or response.error
        if not error and response.status != self.status:
            error = f"status {response.status}"
        if not error:
            try:
                value = self.read(response.body)
            except BadModelAnswer as wrong:
                error = wrong.detail
        if self.least_times_answer and value is not None:
            excess_ms = (response.done_ns - sent_ns) / 1e6 - self.least_times_answer * value * 1e3
            error = too_early(excess_ms)
            is_early = bool(error)
        timing = response.headers.get(SERVER_TIMING_HEADER, "")
        return Answer(
            *(error, value, response.status, len(response.body), timing, sent_ns, response.done_ns),
            *(requests, items, is_early),
        )


def predict(ask: Ask) -> Flow:
    """One request, whose answer is the answer."""
    return ask.judge((yield ask.request()))


def batch(ask: Ask) -> Flow:
    """One request of many rows, and as many are to be answered."""
    request = ask.request()
    response = yield request
    asked, answered = _rows(request.body or b""), _rows(response.body)
    wrong = response.status == ask.status and asked != answered
    error = f"{answered} rows are answered, {asked} were asked" if wrong else ""
    return ask.judge(response, items=answered, error=error)


def poll(ask: Ask) -> Flow:
    """Submit, and look where the 202 says until something else is there: the answer, or 404 or 410 for a lost one.

    Who knows the answer already may give it at once.
    """
    response = first = yield ask.request()
    requests, error = 1, ""
    place = urlsplit(first.headers.get("Location", ""))._replace(scheme="", netloc="").geturl()
    if first.status == 202 and not place:
        error = "status 202 without a Location"
    while response.status == 202 and not error:
        response = yield Request("GET", place, ask.headers, None, POLL_EVERY_S)
        requests += 1
        if response.status == 202 and response.done_ns - first.sent_ns > PATIENCE_S * 1e9:
            error = f"no answer within {PATIENCE_S:g} s"
    return ask.judge(response, first.sent_ns, requests, error=error)


PROTOCOLS: dict[str, Callable[[Ask], Flow]] = {"predict": predict, "batch": batch, "poll": poll}


def no_answer(cause: BaseException | None) -> str:
    """Return why nothing came back, of what an HTTP client has raised."""
    return f"no answer (status 0): {f'{type(cause).__name__}: {cause}' if cause else 'for an unknown reason'}"


def _rows(body: bytes) -> int:
    """Return how many rows a body has: those of a JSON array, or of the first one in an object."""
    try:
        document = json.loads(body)
    except ValueError:
        return 0
    places = document.values() if isinstance(document, dict) else [document]
    return next((len(each) for each in places if isinstance(each, list)), 0)
