"""A worker of the sync twin whose threads do their jobs when a test says so."""

import errno
import socket
from collections.abc import Callable
from typing import Any

LIMIT = 3
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n[]"
HEAD, BODY = POST[:-2], POST[-2:]
GET = b"GET /p HTTP/1.1\r\nHost: a\r\n\r\n"
PATIENCE_S = 10.0  # only a failing test waits that long


class FakeListener:
    """A listening socket with clients waiting, or one that fails."""

    def __init__(self, clients: list[socket.socket], error: int = errno.EAGAIN) -> None:
        self.waiting, self._error = clients, error

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if not self.waiting:
            raise OSError(self._error, "as told")
        return self.waiting.pop(0), ("127.0.0.1", 1)

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 2


class FakePool:
    """Threads that only write down what they are given, until they are told to do it."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work, self.jobs = work, []  # type: Callable[[Any], Any], list[Any]

    def submit(self, conn: Any) -> None:
        self.jobs.append(conn)

    def finish(self) -> None:
        self._work(self.jobs.pop(0))


class Tried:
    """A worker, its clients, and the requests that its app was asked."""

    def __init__(self, worker: Any) -> None:
        self.worker, self.clients = worker, []  # type: Any, list[socket.socket]
        self.asked: list[str] = []
        self.seen_in_flight: list[int] = []
        worker.wsgi = self.answer

    def answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.asked.append(environ["REQUEST_METHOD"])
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def connect(self, sent: bytes = b"") -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_S)
        self.clients.append(ours)
        self.worker.accept(FakeListener([theirs]))
        if sent:
            self.send(ours, sent)
        return ours

    def send(self, client: socket.socket, sent: bytes) -> None:
        client.sendall(sent)
        self.turn()

    def turn(self) -> None:
        """Let the poller handle all that is there."""
        while self.worker.poller.dispatch(0):
            pass

    def finish(self) -> None:
        self.worker.tpool.finish()
        self.turn()

    @property
    def jobs(self) -> tuple[int, int]:
        return len(self.worker.tpool.jobs), len(self.worker._aside.jobs)

    def conn(self) -> Any:
        (only,) = self.worker._connections
        return only


def status(client: socket.socket) -> int:
    return int(client.recv(65_536).split()[1])


def is_closed(client: socket.socket) -> bool:
    return client.recv(65_536) == b""
