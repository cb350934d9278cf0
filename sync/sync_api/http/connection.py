"""A client's connection to the sync twin: what has arrived of its next request, and how its answers are sent."""

import enum
import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sync_api.http import held
from sync_api.http.incoming import Incoming

_LEFT_AFTER_S = 0.1  # a client that has stopped sending is taken to have left if its request waits longer than that


class State(enum.Enum):
    """What a connection is waiting for. The poller changes it, a thread only from BUSY to IDLE."""

    IDLE = enum.auto()  # a request
    READING = enum.auto()  # the rest of a request
    BUSY = enum.auto()  # a thread: a request waits for one or has one
    LINGERING = enum.auto()  # the client's end: all is said, and what it still sends is discarded
    CLOSED = enum.auto()  # nothing


class Connection:
    """A connection; the names `sock`, `client` and `server` are gunicorn's, which takes `sock` for the socket."""

    __slots__ = (
        "client", "deadline_s", "ended", "final", "incoming", "queued_s", "registered", "request", "reset", "server",
        "sock", "socket", "state",
    )  # fmt: skip
    sock: "Output"

    def __init__(self, client: socket.socket, server: tuple[str, int], incoming: Incoming) -> None:
        self.socket, self.server, self.incoming = client, server, incoming
        self.client: Any = None  # its address, once a thread has asked for it
        self.state = State.IDLE
        self.deadline_s = 0.0  # of the state, on the monotonic clock
        self.registered = True  # with the poller
        self.ended = self.reset = False  # by the client: it sends no more; it also takes no answer
        self.request, self.final = b"", False  # what a thread is given, and whether the connection closes afterwards
        self.queued_s = 0.0

    def has_left(self) -> bool:
        """Whether nobody waits for the answer to a request that has waited for a thread.

        A client that only stops sending looks the same as one that has closed: it is answered if its turn comes soon.
        """
        return self.reset or (self.ended and time.monotonic() - self.queued_s > _LEFT_AFTER_S)


class Output:
    """What a thread may do with a socket that does not block: send an answer, within a time.

    The head of an answer is kept until its body comes, so that both are one packet and one system call. Closing is left
    to the poller: gunicorn would close in the thread.
    """

    __slots__ = ("_before", "_head", "_socket", "_timeout_s", "began")

    def __init__(self, client: socket.socket, timeout_s: float, before: Callable[[], None]) -> None:
        self._socket, self._timeout_s, self._before = client, timeout_s, before
        self.begin()

    def begin(self) -> None:
        """Prepare for the next answer."""
        self.began, self._head = False, b""

    def sendall(self, data: bytes) -> None:
        """Send a part of an answer; `before` is called first."""
        if not self.began:
            self.began, self._head = True, data
            return
        if self._head:
            data, self._head = self._head + data, b""
        self._send(data)

    def flush(self) -> None:
        """Send an answer that is only a head."""
        if self._head:
            data, self._head = self._head, b""
            self._send(data)

    def fail(self, answer: bytes) -> None:
        """Send this instead of an answer of which nothing was sent."""
        if self.began and not self._head:
            return
        self.began, self._head = True, b""
        with suppress(OSError):
            self._send(answer)

    def shutdown(self, _: int) -> None:
        raise OSError("only the poller ends a connection")

    def close(self) -> None: ...

    def _send(self, data: bytes) -> None:
        self._before()
        try:
            sent = held.send(self._socket, data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._send_slowly(memoryview(data)[sent:])

    def _send_slowly(self, rest: memoryview) -> None:
        deadline_s = time.monotonic() + self._timeout_s
        writable = select.poll()
        writable.register(self._socket, select.POLLOUT)
        while rest:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not writable.poll(left_s * 1000):
                raise ConnectionAbortedError("the client does not read its answer")
            try:
                rest = rest[self._socket.send(rest, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                continue
