"""The proxy before Redis or a model: it passes on, and does to answers what it is told to."""

import contextlib
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.measure import fault_proxy
from benchmark.measure.fault_proxy import GARBAGE, MODES, Proxy, command
from benchmark.stack.processes import free_port, own_environment


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while data := self.request.recv(1024):
                self.request.sendall(data)


@pytest.fixture(scope="module")
def proxy() -> Iterator[int]:
    """Return the port of a proxy before a server that says everything again."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    argv = [sys.executable, "-m", "benchmark.measure.fault_proxy", str(port), f"127.0.0.1:{server.server_address[1]}"]
    with subprocess.Popen(argv, cwd=ROOT, env=own_environment()) as process:
        until_s = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)) and time.monotonic() < until_s:
            time.sleep(0.05)
        yield port
        process.kill()
    server.shutdown()
    server.server_close()


@pytest.fixture
def connection(proxy: int) -> Iterator[socket.socket]:
    command(proxy, "pass")
    with socket.create_connection(("127.0.0.1", proxy), timeout=10) as opened:
        yield opened
    command(proxy, "pass")


def ask(connection: socket.socket, words: bytes, length: int | None = None) -> bytes:
    connection.sendall(words)
    answer = b""
    while len(answer) < (length or len(words)):
        piece = connection.recv(1024)
        if not piece:
            break
        answer += piece
    return answer


def test_it_passes_on_what_it_gets(connection: socket.socket) -> None:
    assert ask(connection, b"hello") == b"hello"


@pytest.mark.parametrize(("mode", "ms", "least_s"), [("delay", 150, 0.15), ("drip", 30, 0.15)])
def test_an_answer_comes_late_or_byte_by_byte(
    proxy: int, connection: socket.socket, mode: str, ms: float, least_s: float
) -> None:
    command(proxy, mode, ms)
    begun_s = time.monotonic()
    assert ask(connection, b"hello") == b"hello"
    assert time.monotonic() - begun_s >= least_s - 0.01


def test_garbage_comes_in_place_of_an_answer_and_the_next_one_is_whole(proxy: int, connection: socket.socket) -> None:
    command(proxy, "garbage")
    assert ask(connection, b"hello", len(GARBAGE)) == GARBAGE
    command(proxy, "pass")
    assert ask(connection, b"again") == b"again"


def test_a_reset_ends_what_is_open_and_what_is_opened(proxy: int, connection: socket.socket) -> None:
    assert ask(connection, b"hello") == b"hello"
    command(proxy, "reset")
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    # On a busy machine the reset comes before the connection is known to be open.
    with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", proxy), timeout=10) as another:
        another.recv(1)
    command(proxy, "pass")
    with socket.create_connection(("127.0.0.1", proxy), timeout=10) as another:
        assert ask(another, b"back") == b"back"


def test_who_hangs_up_is_hung_up_on(proxy: int, connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b""


@pytest.mark.parametrize("said", [b"no JSON", b"[]", b'{"mode": "explode"}', b'{"mode": "delay", "ms": "x"}'])
def test_what_is_no_command_changes_nothing(said: bytes) -> None:
    proxy = Proxy(("127.0.0.1", 1))
    with pytest.raises((ValueError, AttributeError, TypeError)):
        proxy.obey(said)
    assert proxy.mode == "pass"


def test_a_proxy_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_proxy, "_ACKNOWLEDGED_S", 0.2)
    with pytest.raises(OSError, match=r"timed out|refused"):
        command(free_port(), "pass")


def test_every_mode_is_described() -> None:
    for mode in MODES:
        assert f"\n{mode}" in (fault_proxy.__doc__ or "")
