"""The four services keep the promises of their OpenAPI documents."""

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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
