"""Clients that are slow, idle, or gone: they take no place from those that ask."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmark.stack.processes import HOST
from contract.schema import HEALTHCHECK_PATH, predict_path
from tests.integration.test_stop_signals import ANSWERED, ask, model

pytestmark = pytest.mark.integration

TWINS = ("async",)
LIMIT, SLEEP_MS, TIMEOUT_S, OPEN_FILES = 4, 1500, 2, 1024
PATIENCE_S = 20.0  # only a failing test waits that long
SETTINGS = {"SERVING_MAX_IN_FLIGHT": str(LIMIT), "SERVING_REQUEST_TIMEOUT_S": str(TIMEOUT_S)}
RESET = struct.pack("ii", 1, 0)


class Service:
    """A model that sleeps, and of which few may be asked at once."""

    def __init__(self, twin: str, port: int, log: Path) -> None:
        self.path, self.port, self.log = predict_path(twin), port, log

    def ask(self) -> str:
        return ask(self.port, "POST", self.path)

    def health(self) -> str:
        return ask(self.port, "GET", HEALTHCHECK_PATH)

    def begin(self, length: int = 3, body: bytes = b"[1]") -> socket.socket:
        """Send a request whose body may be only a part of it."""
        connection = socket.create_connection((HOST, self.port), timeout=PATIENCE_S)
        head = f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(head.encode() + body)
        return connection


@pytest.fixture(scope="module", params=TWINS)
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("waste") / "log"
    with model(request.param, 1, log, SLEEP_MS, OPEN_FILES, **SETTINGS) as (_, port):
        yield Service(request.param, port, log)


def test_requests_that_do_not_arrive_take_no_place_and_end_with_408(service: Service) -> None:
    with ExitStack() as opened:
        halves = [opened.enter_context(service.begin(length=100)) for _ in range(3 * LIMIT)]
        assert service.health() == ANSWERED
        assert service.ask() == ANSWERED
        answers = [half.recv(65_536) for half in halves]
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 408 Request Timeout"}


def test_a_request_whose_client_has_gone_is_not_worked_on(service: Service) -> None:
    asked = [service.begin() for _ in range(LIMIT)]
    time.sleep(0.2)  # they are with the model
    assert service.ask() == "503"
    for connection in asked:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.close()
    time.sleep(0.2)
    assert service.ask() == ANSWERED
    assert "Traceback" not in service.log.read_text()


def test_a_client_that_stops_sending_and_waits_is_answered_however_long_it_takes(service: Service) -> None:
    with service.begin() as connection:
        connection.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert received.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"").startswith(b"HTTP/1.1 200 OK\r\n")


def test_more_idle_connections_than_open_files_do_not_keep_others_out(service: Service) -> None:
    with ExitStack() as opened:
        for _ in range(OPEN_FILES + 200):
            opened.enter_context(socket.create_connection((HOST, service.port)))
        asked = [service.ask() for _ in range(2)]
        assert asked == [ANSWERED] * 2
        assert service.health() == ANSWERED
