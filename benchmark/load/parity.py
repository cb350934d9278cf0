"""Parity checks: requests that every contender must answer exactly as the contract says before it is measured."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from benchmark.load.bodies import check_answer
from benchmark.load.plain_clients import Connection
from benchmark.load.protocols import Request
from contract import errors, schema
from contract.scoring import choose_entity

_JSON = {"Content-Type": schema.JSON_CONTENT_TYPE}
_GOOD_BODY = b"[5.1,3.5,1.4,0.2]"


@dataclass(frozen=True)
class ParityResponse:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Case:
    """A request and the answer that the contract requires; `error` None means status 200."""

    name: str
    method: str = "POST"
    path: str | None = None  # None: the contender's endpoint
    query: str = ""
    body: bytes = _GOOD_BODY
    headers: dict[str, str] = field(default_factory=lambda: dict(_JSON))
    error: errors.ServiceError | None = None
    expected_body: bytes | None = None  # None: a duration that the models can have drawn
    basic: bool = False  # also required of contenders that only measure the harness itself

    def target(self, endpoint: str) -> str:
        return (self.path or endpoint) + self.query


def cases(entities: int, max_body_bytes: int) -> list[Case]:
    """Return all cases for a store with `entities` and a body limit of `max_body_bytes`."""
    return [
        Case("a good request", basic=True),
        Case("a good request for an entity", query="?entity_id=17"),
        Case("a good request without a content type", headers={}),
        Case("a content type with a parameter", headers={"Content-Type": "application/json; charset=utf-8"}),
        Case("health", "GET", schema.HEALTHCHECK_PATH, expected_body=schema.OK_BODY, basic=True),
        Case("readiness", "GET", schema.READY_PATH, expected_body=schema.OK_BODY, basic=True),
        *_bad_bodies(),
        Case("plain text", headers={"Content-Type": "text/plain"}, error=_raised(_check_text)),
        Case("a body over the limit", body=_over(max_body_bytes), error=errors.BodyTooLarge(max_body_bytes)),
        Case("an unknown path", "GET", "/nowhere", error=errors.UnknownPath(), basic=True),
        Case("an unknown asset", "GET", f"{schema.ASSETS_PATH}/nothing.js", error=errors.UnknownPath()),
        Case("a trailing slash", "GET", schema.HEALTHCHECK_PATH + "/", error=errors.UnknownPath()),
        Case("a doubled slash", "GET", schema.HEALTHCHECK_PATH.replace("/v1", "//v1"), error=errors.UnknownPath()),
        Case("GET instead of POST", "GET", body=b"", error=errors.MethodNotAllowed(["POST"])),
        Case("POST instead of GET", "POST", schema.READY_PATH, error=errors.MethodNotAllowed(["GET", "HEAD"])),
        Case("OPTIONS", "OPTIONS", body=b"", error=errors.MethodNotAllowed(["POST"])),
        *(_unknown_entity(entity_id, entities) for entity_id in (str(entities), "-1", "01", "x", "", "9" * 30)),
    ]


def check(case: Case, response: ParityResponse, bounds_s: tuple[float, float]) -> str | None:
    """Return the difference between an answer and what the contract requires, or None."""
    status = 200 if case.error is None else int(case.error.status)
    if response.status != status:
        return f"{case.name}: status {response.status}, expected {status}"
    wanted = {} if case.error is None else case.error.headers()
    wanted["Content-Type"] = schema.JSON_CONTENT_TYPE if case.error is None else errors.PROBLEM_CONTENT_TYPE
    for name, value in wanted.items():
        if response.headers.get(name.lower()) != value:
            return f"{case.name}: {name} is {response.headers.get(name.lower())!r}, expected {value!r}"
    body = case.error.body() if case.error else case.expected_body
    if body is not None:
        return None if response.body == body else f"{case.name}: body is {response.body[:200]!r}, expected {body!r}"
    return _check_answer(case, response, bounds_s)


def find_differences(base_url: str, endpoint: str, wanted: list[Case], bounds_s: tuple[float, float]) -> Iterator[str]:
    """Send all cases to a running contender and yield the differences. No answer is a difference, too."""
    for case in wanted:
        try:
            problem = check(case, ask(base_url, endpoint, case), bounds_s)
        except OSError as error:
            problem = f"{case.name}: {error}"
        if problem:
            yield problem


def ask(base_url: str, endpoint: str, case: Case) -> ParityResponse:
    """Send a case over a new connection. Raises OSError if there is no answer."""
    with closing(Connection(base_url)) as connection:
        answer = connection.send(Request(case.method, case.target(endpoint), case.headers, case.body))
    if not answer.status:
        raise OSError(answer.error)
    return ParityResponse(answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.body)


def _check_answer(case: Case, response: ParityResponse, bounds_s: tuple[float, float]) -> str | None:
    try:
        check_answer(response.body, bounds_s)
    except errors.BadModelAnswer as error:
        return f"{case.name}: {error.detail}; body is {response.body[:200]!r}, expected {{'detail': <seconds>}}"
    return None


def _bad_bodies() -> Iterator[Case]:
    bodies = {
        "malformed JSON": b"[1, 2",
        "no body": b"",
        "not JSON at all": b"\xff\xfe",
        "not an array": b'{"numbers": [1]}',
        "a bare number": b"1.5",
        "an empty array": b"[]",
        "too many numbers": b"[" + b",".join([b"1"] * (schema.MAX_NUMBERS + 1)) + b"]",
        "strings": b'["1", "2"]',
        "booleans": b"[true, false]",
        "nested arrays": b"[[1], [2]]",
        "deeply nested arrays": b"[" * 3000,
        "null": b"[1, null]",
        "NaN": b"[1, NaN]",
        "Infinity": b"[Infinity]",
        "a number beyond floating point": b"[1e999]",
        "an integer of 400 digits": b"[" + b"9" * 400 + b"]",
        "a duplicate array": b"[1][2]",
    }
    for name, body in bodies.items():
        yield Case(name, body=body, error=_raised(schema.parse_scoring_numbers, body), basic=True)


def _unknown_entity(entity_id: str, entities: int) -> Case:
    error = _raised(choose_entity, entity_id, b"", entities)
    return Case(f"entity {entity_id!r}", query=f"?entity_id={entity_id}", error=error)


def _over(limit_bytes: int) -> bytes:
    return b"[" + b" " * limit_bytes + b"1]"


def _check_text() -> None:
    schema.check_content_type("text/plain")


def _raised(function: Callable[..., object], *arguments: object) -> errors.ServiceError:
    """Return the error that the contract raises for these arguments: both twins must answer with it."""
    try:
        function(*arguments)
    except errors.ServiceError as error:
        return error
    raise AssertionError(f"{function.__name__}{arguments!r:.80} was expected to raise")
