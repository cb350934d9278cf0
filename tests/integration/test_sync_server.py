"""The sync twin's server under clients that are slow, late or many, and under signals: it answers all others."""

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

HOST = "127.0.0.1"
PATH = "/api/v1/ml/sync/predict"
HEALTH = "/api/v1/healthcheck"
HEAD = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n" % PATH.encode()
THREADS = 4
TIMEOUT_S = 1
PATIENCE_S = 20.0  # only a failing test waits that long
FILES, IDLE = 256, 300  # open files of a process, and connections that ask nothing
MAIN, GROUP = "the main process", "all processes"
SIGNALS = [*((name, MAIN) for name in ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP")), ("SIGINT", GROUP), ("SIGHUP", GROUP)]
SETTINGS = {
    "SERVING_THREADS": str(THREADS),
    "SERVING_REQUEST_TIMEOUT_S": str(TIMEOUT_S),
    "SERVING_MODEL_MIN_MS": "10",
    "SERVING_MODEL_MAX_MS": "20",
}


class Service:
    """A model of the sync twin in processes of its own."""

    def __init__(self, log: Path, settings: dict[str, str], **options: Any) -> None:
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            self.port: int = probe.getsockname()[1]
        self.log = log
        environment = {**os.environ, **SETTINGS, **settings, "SERVING_PORT": str(self.port)}
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sync_api.server", "model"],
                env=environment,
                stdout=output,
                stderr=output,
                **options,
            )

    def get(self, path: str = HEALTH) -> int:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def connect(self, sent: bytes = b"") -> socket.socket:
        client = socket.create_connection((HOST, self.port), timeout=PATIENCE_S)
        client.sendall(sent)
        return client

    def wait_until_it_answers(self) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            try:
                assert self.get() == 200
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)
            else:
                return
        pytest.fail("the service does not answer")


@contextmanager
def serving(log: Path, settings: dict[str, str] | None = None, **options: Any) -> Iterator[Service]:
    service = Service(log, settings or {}, **options)
    try:
        service.wait_until_it_answers()
        yield service
    finally:
        service.process.terminate()
        try:
            service.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            service.process.kill()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("sync") / "log") as started:
        yield started


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("sent", [HEAD[:20], HEAD, HEAD + b"[1.0"])
def test_clients_that_stop_in_mid_request_hold_up_nobody_and_are_told_408(
    sent: bytes, service: Service, opened: ExitStack
) -> None:
    stopped = [opened.enter_context(service.connect(sent)) for _ in range(10 * THREADS)]
    assert service.get() == 200
    with service.connect(HEAD + b"[1.0, 2.5]") as other:
        assert other.recv(1_000).startswith(b"HTTP/1.1 200 ")
    for client in stopped:
        client.setblocking(False)
        with pytest.raises(BlockingIOError):  # all that was answered before their time had come
            client.recv(1)
        client.settimeout(PATIENCE_S)
    answers = {client.recv(1_000).partition(b"\r\n")[0] for client in stopped}
    assert answers == {b"HTTP/1.1 408 Request Timeout"}


def test_clients_that_close_late_hold_up_nobody(service: Service) -> None:
    late = HEAD.replace(b"Host", b"Connection: close\r\nHost") + b"[1.0, 2.5]"
    for _ in range(5):
        with service.connect(late) as client:
            with client.makefile("rb") as answer:
                assert answer.read().startswith(b"HTTP/1.1 200 ")  # to its end: the service waits for this client's
            began_s = time.monotonic()
            assert service.get() == 200
            took_s = time.monotonic() - began_s
            if took_s < 1.5:  # a server that lingers stands still for 2 s each time
                return
    pytest.fail("the service stands still while a client is late to close")


def test_idle_connections_beyond_the_open_files_end_no_request_that_is_in_flight(tmp_path: Path) -> None:
    slow = {"SERVING_MODEL_MIN_MS": "2000", "SERVING_MODEL_MAX_MS": "2000"}
    with serving(tmp_path / "log", slow, preexec_fn=with_few_files) as service:
        with ExitStack() as opened:
            in_flight = [opened.enter_context(service.connect(HEAD + b"[1.0, 2.5]")) for _ in range(THREADS)]
            for _ in range(IDLE):
                opened.enter_context(service.connect())
            assert service.get() == 200
            assert {client.recv(1_000).partition(b"\r\n")[0] for client in in_flight} == {b"HTTP/1.1 200 OK"}
        log = service.log.read_text()
    assert log.count("Booting worker") == 1, log


def with_few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


@dataclass
class Ended:
    """What became of the requests in flight at a signal, and of the service."""

    answers: list[bytes]
    exit_status: int
    log: str


def end(name: str, log: Path, *, whole_group: bool) -> Ended:
    """Send a signal to a service whose threads are all busy."""
    slow = {"SERVING_MODEL_MIN_MS": "1000", "SERVING_MODEL_MAX_MS": "1000"}
    with serving(log, slow, start_new_session=True) as service, ExitStack() as opened:
        clients = [opened.enter_context(service.connect(HEAD + b"[1.0, 2.5]")) for _ in range(THREADS)]
        assert service.get() == 200  # so all of them have been read
        if whole_group:  # as a terminal does
            os.killpg(service.process.pid, getattr(signal, name))
        else:
            service.process.send_signal(getattr(signal, name))
        answers = [client.recv(1_000).partition(b"\r\n")[0] for client in clients]
        for client in clients:
            client.close()
        return Ended(answers, service.process.wait(PATIENCE_S), log.read_text())


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Ended]:
    """All signals at once, each with a service of its own."""
    logs = tmp_path_factory.mktemp("signals")
    with ThreadPoolExecutor(len(SIGNALS)) as pool:
        ends = pool.map(lambda case: end(case[0], logs / " ".join(case), whole_group=case[1] == GROUP), SIGNALS)
        return dict(zip(SIGNALS, ends, strict=True))


@pytest.mark.parametrize("case", SIGNALS, ids=" to ".join)
def test_every_signal_that_asks_to_end_drains(case: tuple[str, str], ended: dict[tuple[str, str], Ended]) -> None:
    assert ended[case].answers == [b"HTTP/1.1 200 OK"] * THREADS
    assert ended[case].exit_status == 0
    assert "Traceback" not in ended[case].log
