"""Bytes over a socket: both twins answer the same, as the contract says, and go on serving."""

import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from benchmark.load.parity import Case, ask
from benchmark.stack.processes import HOST as ADDRESS
from benchmark.stack.processes import Stack
from contract.errors import PROBLEM_CONTENT_TYPE
from contract.schema import HEALTHCHECK_PATH
from tests.conftest import CONTENDERS, Stacks
from tests.integration.raw_requests import CLOSED, RAW_REQUESTS, RawRequest
from tests.integration.test_faults import until_seeded

pytestmark = pytest.mark.integration

TWINS = ("sync", "async")
REQUEST_TIMEOUT_S = 2
PATIENCE_S = 9.0  # only a failing test waits that long
AT_ONCE = 16
BETWEEN_S = 0.02  # two pieces, so that a service reads them one by one
CLOSING = {408, 414, 417, 431}
# What a twin answers instead of what is expected, and why; doc/contract.md has the same table.
EXCEPTIONS: dict[tuple[str, str], tuple[int, ...]] = {}


@dataclass(frozen=True)
class Answer:
    """One answer, or CLOSED."""

    status: int
    headers: dict[str, str]
    body: bytes


def converse(stack: Stack, raw: RawRequest) -> tuple[Answer, ...]:
    """Send a raw request and return as many answers as are expected; fewer if the connection ends before."""
    with socket.create_connection((ADDRESS, stack.port("scoring")), timeout=PATIENCE_S) as connection:
        try:
            for piece in raw.pieces(stack.contender.endpoint.encode()):
                connection.sendall(piece)
                time.sleep(raw.pause_s or BETWEEN_S)
            if raw.ending == "half-close":
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the service has closed; its answer may still be there
        if raw.ending == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if raw.ending in {"reset", "hang up"}:
            return (Answer(CLOSED, {}, b""),)
        return receive(connection, len(raw.statuses), has_bodies=not raw.sent.startswith(b"HEAD"))


def receive(connection: socket.socket, count: int, *, has_bodies: bool) -> tuple[Answer, ...]:
    answers: list[Answer] = []
    with connection.makefile("rb") as file:
        while len(answers) < count:
            try:
                line = file.readline()
                headers = {}
                while field := file.readline().strip():
                    name, _, value = field.decode("latin-1").partition(":")
                    headers[name.lower()] = value.strip()
                body = file.read(int(headers.get("content-length", 0))) if has_bodies else b""
            except OSError:
                line = b""
            if not line:
                return (*answers, Answer(CLOSED, {}, b""))
            status = int(line.split()[1])
            if status >= 200:
                answers.append(Answer(status, headers, body))
    return tuple(answers)


@dataclass(frozen=True)
class Asked:
    """A twin that was asked everything once."""

    stack: Stack
    answers: dict[str, tuple[Answer, ...]]

    def statuses(self, name: str) -> tuple[int, ...]:
        return tuple(answer.status for answer in self.answers[name])


@pytest.fixture(scope="module")
def asked(stacks: Stacks) -> dict[str, Asked]:
    found = {}
    for twin in TWINS:
        stack = stacks.start(CONTENDERS[twin], {"SERVING_REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S)})
        until_seeded(stack)
        slowest_first = sorted(RAW_REQUESTS, key=lambda raw: 408 not in raw.statuses)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = pool.map(lambda raw, stack=stack: converse(stack, raw), slowest_first)
            found[twin] = Asked(stack, {raw.name: answer for raw, answer in zip(slowest_first, answers, strict=True)})
    return found


@pytest.mark.parametrize("raw", RAW_REQUESTS, ids=lambda raw: raw.name)
def test_a_raw_request_gets_the_same_statuses_from_both_twins(raw: RawRequest, asked: dict[str, Asked]) -> None:
    expected = {twin: EXCEPTIONS.get((raw.name, twin), raw.statuses) for twin in TWINS}
    assert {twin: asked[twin].statuses(raw.name) for twin in TWINS} == expected


@pytest.mark.parametrize("twin", TWINS)
def test_nothing_that_is_sent_is_an_internal_error(twin: str, asked: dict[str, Asked]) -> None:
    answers = [answer for given in asked[twin].answers.values() for answer in given]
    assert len(answers) >= len(RAW_REQUESTS)
    assert [answer for answer in answers if answer.status >= 500] == []


@pytest.mark.parametrize("twin", TWINS)
def test_every_refusal_is_a_problem_document(twin: str, asked: dict[str, Asked]) -> None:
    refusals = [answer for given in asked[twin].answers.values() for answer in given if answer.status >= 400]
    assert len(refusals) > len(RAW_REQUESTS) / 3
    assert {answer.headers.get("content-type") for answer in refusals} == {PROBLEM_CONTENT_TYPE}
    assert [answer for answer in refusals if b'"status": %d' % answer.status not in answer.body] == []


@pytest.mark.parametrize("twin", TWINS)
def test_a_request_that_was_not_read_to_its_end_says_that_the_connection_ends(
    twin: str, asked: dict[str, Asked]
) -> None:
    refusals = [answer for given in asked[twin].answers.values() for answer in given if answer.status in CLOSING]
    assert {answer.status for answer in refusals} == CLOSING
    assert {answer.headers.get("connection") for answer in refusals} == {"close"}


def test_both_twins_say_the_same_of_what_they_refuse(asked: dict[str, Asked]) -> None:
    bodies = [
        {name: given[-1].body for name, given in asked[twin].answers.items() if given[-1].status in CLOSING}
        for twin in TWINS
    ]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("twin", TWINS)
def test_after_all_that_the_service_answers_and_its_log_has_no_traceback(twin: str, asked: dict[str, Asked]) -> None:
    stack = asked[twin].stack
    health = Case("health", "GET", HEALTHCHECK_PATH, body=b"")
    assert ask(stack.base_url, stack.contender.endpoint, health).status == 200
    assert ask(stack.base_url, stack.contender.endpoint, Case("predict")).status == 200
    log = next(running for running in stack.processes if running.role == "scoring").log.read_text()
    assert log
    assert "Traceback" not in log
    assert len(log.splitlines()) < len(RAW_REQUESTS), "a client can fill the log"


def test_an_exception_is_one_and_the_same_on_no_twin(asked: dict[str, Asked]) -> None:
    expected = {raw.name: raw.statuses for raw in RAW_REQUESTS}
    needless = {key: given for key, given in EXCEPTIONS.items() if given == expected[key[0]]}
    assert needless == {}
    assert {key: asked[key[1]].statuses(key[0]) for key in EXCEPTIONS} == EXCEPTIONS
