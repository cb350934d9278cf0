"""Processes that are kept running, and a broker that keeps what it has accepted."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import redis

from benchmark.stack.processes import free_port
from strategies.supervisor import HOST
from tests.integration.processes import Watching, started, until

pytestmark = pytest.mark.integration

SLEEPER = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(600)"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module that notes each start in a file, and sleeps."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return "sleeper"


@pytest.fixture
def supervisor(tmp_path: Path, module: str, watching: Watching) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "strategies.supervisor", "--port", str(PORT), "--count", "2", module]
    with started([*argv, str(tmp_path / "starts")], tmp_path / "log", watching) as process:
        until(lambda: accepts(PORT), "it says that they run")
        yield process


PORT = free_port()


def accepts(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex((HOST, port)) == 0


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children() if child.status() != psutil.STATUS_ZOMBIE]


def test_a_process_that_is_killed_is_started_again_and_the_other_goes_on(
    supervisor: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    until(lambda: starts.exists() and starts.read_text() == "xx", "both run")
    killed, other = children(supervisor)
    killed.kill()
    until(lambda: starts.read_text() == "xxx", "it is started again")
    now = {child.pid for child in children(supervisor)}
    assert other.pid in now
    assert killed.pid not in now
    assert len(now) == 2


def test_with_the_supervisor_all_that_it_runs_end(supervisor: subprocess.Popen[bytes]) -> None:
    kept = children(supervisor)
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(10) == 0
    assert not any(child.is_running() for child in kept)


def test_a_broker_that_is_killed_comes_back_with_its_data(tmp_path: Path, watching: Watching) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "strategies.broker", "--port", str(port)]
    with started(argv, tmp_path / "log", watching) as process:
        until(lambda: accepts(port), "it listens")
        with redis.Redis(HOST, port) as client:
            client.set("kept", "1")
        (server,) = children(process)
        server.kill()
        server.wait(10)
        until(lambda: accepts(port), "it listens again")
        with redis.Redis(HOST, port) as client:
            until(lambda: client.get("kept") == b"1", "it has its data")
