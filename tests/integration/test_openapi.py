"""The four services keep the promises of their OpenAPI documents, and their answers the law of their models."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from scipy import stats

from benchmark.stack.processes import HOST, Stack
from contract import schema
from tests.conftest import CONTENDERS, Stacks

pytestmark = pytest.mark.integration

TWINS = ["sync", "async"]
SERVICES = [(twin, role) for twin in TWINS for role in ("scoring", "model")]
EXAMPLES = 100
TIMEOUT_S = 15.0


@pytest.fixture(scope="module")
def twins(stacks: Stacks) -> dict[str, Stack]:
    """Both twins, with models that answer at once."""
    no_wait = {"SERVING_MODEL_MIN_MS": "0", "SERVING_MODEL_MAX_MS": "0"}
    return {name: stacks.start(CONTENDERS[name], no_wait) for name in TWINS}


@pytest.mark.parametrize(("twin", "role"), SERVICES)
def test_a_service_answers_as_its_document_says(twins: dict[str, Stack], twin: str, role: str, tmp_path: Path) -> None:
    """Every check of schemathesis: statuses, content types, schemas; good bodies taken and bad ones refused."""
    url = f"http://{HOST}:{twins[twin].port(role)}{schema.OPENAPI_PATH}"
    options = {
        "--phases": "examples,coverage,fuzzing",
        "--checks": "all",
        "--max-examples": str(EXAMPLES),
        "--seed": "1",
        "--generation-database": "none",
        "--request-timeout": str(TIMEOUT_S),
        "--report-json-path": "report.json",
    }
    argv = [str(Path(sys.executable).with_name("schemathesis")), "run", url, "--no-color", "--continue-on-failure"]
    argv += [word for option in options.items() for word in option]
    run = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["operations"]["tested"] == 3
    assert report["test_cases"]["generated"] >= EXAMPLES


@pytest.mark.parametrize(("twin", "role"), SERVICES)
def test_every_get_path_answers_head_without_a_body(twins: dict[str, Stack], twin: str, role: str) -> None:
    paths = (schema.INDEX_PATH, schema.DOCS_PATH, schema.OPENAPI_PATH, schema.HEALTHCHECK_PATH, schema.READY_PATH)
    with socket.create_connection((HOST, twins[twin].port(role)), TIMEOUT_S) as connection:
        for path in paths:
            connection.sendall(f"HEAD {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        connection.sendall(f"HEAD {paths[0]} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    heads = answers.split(b"\r\n\r\n")
    assert heads.pop() == b""
    assert [head[:12] for head in heads] == [b"HTTP/1.1 200"] * (len(paths) + 1)


BROKEN_BODIES = {
    "a chunk of no size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[1]\r\n0\r\n\r\n",
    "a chunk without an end": b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1]5\r\n0\r\n\r\n",
    "a chunk that breaks off": b"Transfer-Encoding: chunked\r\n\r\n11\r\n[1",
    "chunks that break off": b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n",
    "a body that breaks off": b"Content-Length: 17\r\n\r\n[1",
    "a body that does not come": b"Content-Length: 17\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n[1]",
    "a length that is no number": b"Content-Length: three\r\n\r\n[1]",
    "two lengths": b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n[1]",
    "a length and chunks": b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n",
}


@pytest.mark.parametrize(("twin", "role"), SERVICES)
@pytest.mark.parametrize("body", BROKEN_BODIES)
def test_a_broken_body_is_the_clients_fault(twins: dict[str, Stack], twin: str, role: str, body: str) -> None:
    stack = twins[twin]
    head = f"POST {stack.contender.endpoint} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
    status_line = b""
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection((HOST, stack.port(role)), TIMEOUT_S) as connection,
    ):
        connection.sendall(head.encode() + BROKEN_BODIES[body])
        connection.shutdown(socket.SHUT_WR)
        status_line = connection.makefile("rb").readline()
    assert status_line == b"" or status_line.split()[1] == b"400"  # who breaks off may get no answer


# --- the law of the answers

ANSWERS = 1_000
CLIENTS = 16
FASTER = {"SERVING_MODEL_MIN_MS": "4", "SERVING_MODEL_MAX_MS": "5"}
SLOWER = {"SERVING_MODEL_MIN_MS": "5", "SERVING_MODEL_MAX_MS": "6"}
MEAN_OF_TWO_UNIFORMS = stats.triang(0.5, loc=0.004, scale=0.001)
UNIFORM = stats.uniform(loc=0.004, scale=0.001)
P_VALUE = 0.001  # of a thousand runs that keep the law, one fails


def ask_many(stack: Stack, role: str) -> list[float]:
    """Return the answers, in seconds, to a thousand requests of sixteen clients."""

    def ask(count: int) -> Iterator[float]:
        with closing(http.client.HTTPConnection(HOST, stack.port(role), timeout=TIMEOUT_S)) as connection:
            for number in range(count):
                connection.request("POST", stack.contender.endpoint, f"[{number}, 3.5, 1.4, 0.2]")
                answer = connection.getresponse()
                assert answer.status == 200
                yield schema.parse_answer(answer.read(), 0)

    shares = [ANSWERS // CLIENTS + (client < ANSWERS % CLIENTS) for client in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = [answer for share in clients.map(lambda count: list(ask(count)), shares) for answer in share]
    assert len(answers) == ANSWERS
    return answers


@pytest.fixture(scope="module", params=TWINS)
def faster(request: pytest.FixtureRequest, stacks: Stacks) -> Stack:
    """A twin whose models take 4 to 5 ms."""
    return stacks.start(CONTENDERS[request.param], FASTER)


def test_scores_follow_the_law_of_the_mean_of_two_uniforms(faster: Stack) -> None:
    assert stats.kstest(ask_many(faster, "scoring"), MEAN_OF_TWO_UNIFORMS.cdf).pvalue > P_VALUE


def test_a_models_answers_are_uniform_and_the_test_tells_them_from_scores(faster: Stack) -> None:
    answers = ask_many(faster, "model")
    assert stats.kstest(answers, UNIFORM.cdf).pvalue > P_VALUE
    assert stats.kstest(answers, MEAN_OF_TWO_UNIFORMS.cdf).pvalue < P_VALUE


def test_the_scores_of_models_that_are_1_ms_slower_do_not_follow_that_law(stacks: Stacks) -> None:
    slower = stacks.start(CONTENDERS[TWINS[0]], SLOWER)
    assert stats.kstest(ask_many(slower, "scoring"), MEAN_OF_TWO_UNIFORMS.cdf).pvalue < P_VALUE
