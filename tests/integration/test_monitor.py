"""`monitor` beside a service that dies, stalls and comes back: what it reports, and that nothing is lost."""

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmark.cli import app
from benchmark.contenders.discovery import ROOT
from benchmark.monitor.record import read_watch
from benchmark.stack.processes import HOST, free_port
from tests.integration.harness import until

pytestmark = pytest.mark.integration

WELL, NOT_WELL = 0, 1
# A busy machine is slow to answer: only what does not answer at all is to look stalled.
PATIENT = ["--every", "0.05", "--timeout", "2", "--stall", "2"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as its server is told to, and keeps what is posted to it."""

    server: "Service"

    def do_GET(self) -> None:
        self.server.answering.wait()
        self._answer(self.server.status)

    def do_POST(self) -> None:
        self.server.posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Service(http.server.ThreadingHTTPServer):
    """A service of which a test decides how it is; also the other side of a webhook."""

    request_queue_size = 128

    def __init__(self, port: int = 0) -> None:
        super().__init__((HOST, port), Handler)
        self.answering = threading.Event()
        self.answering.set()
        self.status = 200
        self.posted: list[dict[str, Any]] = []
        threading.Thread(target=self.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}"

    def close(self) -> None:
        self.answering.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """The monitor hangs up when it no longer waits: no fault of the stub."""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Give back the signals that a command takes over, if it runs within the test."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def services() -> Iterator[list[Service]]:
    """A service and a webhook; what a test adds is closed, too."""
    made = [Service(), Service()]
    yield made
    for each in made:
        each.close()


class Monitor:
    """The command, as a process."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder / "watch"
        argv = [sys.executable, "-m", "benchmark", "monitor", *arguments, "--out", str(self.folder)]
        self.popen = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "200"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def await_samples(self, number: int) -> None:
        until(lambda: self.rows() >= number or self.popen.poll() is not None, f"{number} samples")
        assert self.popen.poll() is None, self.popen.communicate()

    def rows(self) -> int:
        path = self.folder / "samples.csv"
        return len(path.read_text().splitlines()) - 1 if path.exists() else 0

    def end(self, number: signal.Signals | None = None) -> tuple[int, str]:
        """Send a signal, if one is given, and return the exit status and what was said."""
        if number:
            self.popen.send_signal(number)
        try:
            said, _ = self.popen.communicate(timeout=60)
        finally:
            self.popen.kill()
        assert "Traceback" not in said, said
        return self.popen.returncode, said


def test_a_service_that_is_well_ends_with_0(tmp_path: Path, services: list[Service]) -> None:
    folder, patient = tmp_path / "watch", ["--every", "0.05", "--timeout", "5", "--stall", "5"]
    ended = CliRunner().invoke(app, ["monitor", services[0].url, *patient, "--for", "0.5", "--out", str(folder)])
    assert ended.exit_code == WELL, ended.output
    assert "was well all the time" in ended.output
    watch, probes = read_watch(folder)
    (seen,) = probes.values()
    assert {each.status for each in seen} == {200}
    assert watch.services == {f"{HOST}:{services[0].server_port}": f"{services[0].url}/api/v1/healthcheck"}
    assert "WELL" in (folder / "report.html").read_text()


def test_a_service_that_stalls_dies_and_comes_back_is_reported_each_time(
    tmp_path: Path, services: list[Service]
) -> None:
    service, hook = services
    monitor = Monitor(tmp_path, service.url, *PATIENT, "--webhook", f"{hook.url}/S3CRET")

    def told(states: list[str]) -> bool:
        return [each["state"] for each in hook.posted] == states

    monitor.await_samples(5)
    service.answering.clear()
    until(lambda: told(["stalled"]), "it is told that the service stalls")
    service.answering.set()
    until(lambda: told(["stalled", "well"]), "it is told that the service answers again")
    service.status = 500
    until(lambda: told(["stalled", "well", "down"]), "it is told that the service fails")
    service.close()
    monitor.await_samples(monitor.rows() + 5)
    services.append(Service(service.server_port))
    until(lambda: told(["stalled", "well", "down", "well"]), "it is told that the service is back")
    status, said = monitor.end(signal.SIGINT)
    assert status == NOT_WELL, said
    assert said.count(" is well again since ") == 2
    assert "S3CRET" not in said
    page = (monitor.folder / "report.html").read_text()
    assert "NOT WELL" in page
    assert "ConnectionRefusedError" in (monitor.folder / "samples.csv").read_text()


def test_a_signal_is_its_usual_end(tmp_path: Path, services: list[Service]) -> None:
    monitor = Monitor(tmp_path, services[0].url, *PATIENT)
    monitor.await_samples(3)
    status, said = monitor.end(signal.SIGTERM)
    assert status == WELL, said
    assert (monitor.folder / "report.html").exists()


def test_one_that_nobody_reads_and_that_is_then_killed_has_lost_no_sample(
    tmp_path: Path, services: list[Service]
) -> None:
    monitor = Monitor(tmp_path, services[0].url, *PATIENT)
    assert monitor.popen.stdout is not None
    assert monitor.popen.stdout.readline().startswith("watching ")
    monitor.popen.stdout.close()
    services[0].status = 500  # which it says to nobody
    monitor.await_samples(10)
    monitor.popen.kill()
    monitor.popen.wait()
    _, probes = read_watch(monitor.folder)
    assert sum(map(len, probes.values())) >= 10
    again = CliRunner().invoke(app, ["monitor", "--out", str(monitor.folder)])
    assert again.exit_code == NOT_WELL, again.output
    assert (monitor.folder / "report.html").exists()


def test_a_webhook_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    gone, nobody = free_port(), free_port()
    hook = ["--webhook", f"http://{HOST}:{nobody}/S3CRET"]
    monitor = Monitor(tmp_path, f"{HOST}:{gone}", "--every", "0.05", *hook)
    monitor.await_samples(5)
    status, said = monitor.end(signal.SIGHUP)
    assert status == NOT_WELL
    assert f"{HOST}:{gone} is down since" in said
    assert f"the webhook at {HOST} was not told that {HOST}:{gone} is down: ClientConnectorError" in said
    assert "S3CRET" not in said
