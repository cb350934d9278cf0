"""Connections of urllib3, which requests uses, too: one deadline for a whole exchange, and one retry.

By themselves, both clients apply their timeout to each single read, and never try again.
"""

import contextlib
import io
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from http.client import HTTPResponse

# What a socket is given whose time is over: it fails at once, while zero would mean that it does not block.
_LEAST_S = 1e-3


class _Reader(io.RawIOBase):
    """The bytes of one answer. Each read may take the time that is left until the deadline."""

    def __init__(self, sock: socket.socket, ends_s: float) -> None:
        self._sock, self._ends_s = sock, ends_s
        self._raw: Any = sock.makefile("rb", buffering=0)  # keeps the socket open until it is closed
        self.has_read = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the deadline of the exchange has passed")
        self._sock.settimeout(left_s)
        count: int | None = self._raw.readinto(buffer)
        if count:
            self.has_read = True
        return count

    def close(self) -> None:
        try:
            self._raw.close()
        finally:
            super().close()


class _Source:
    """What `http.client` takes for a socket, to read one answer from."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(self._reader)


if TYPE_CHECKING:
    _Base = HTTPConnection
else:
    _Base = object


class _OneExchange(_Base):
    """Reads an answer until a deadline, and sends a request again if its connection turns out to be closed.

    Before an answer is read, urllib3 sets `timeout` to what is left of the total. A request is sent again once, over a
    new connection, and only if the old one had been kept since an earlier answer and no byte of this one has come.
    """

    _is_kept = False
    _reader: _Reader | None = None
    _ask_again: Callable[[], None]

    def _new_conn(self) -> socket.socket:
        started_s = time.monotonic()
        self._is_kept = False
        sock = super()._new_conn()
        if self.timeout is not None:  # what is left, for the handshake of TLS and for sending
            sock.settimeout(max(self.timeout - (time.monotonic() - started_s), _LEAST_S))
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        send = super().request
        self._reader = None
        self._ask_again = lambda: send(*args, **kwargs)
        send(*args, **kwargs)

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        ends_s = time.monotonic() + (self.timeout or 0.0)
        try:
            response = super().getresponse()
        except ConnectionError:  # http.client.RemoteDisconnected is one, too
            if not self._is_kept or (self._reader and self._reader.has_read):
                raise
            response = self._repeat(ends_s)
        self._is_kept = True
        return response

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> "HTTPResponse":  # type: ignore[override]
        self._reader = _Reader(sock, time.monotonic() + (self.timeout or 0.0))
        return super().response_class(_Source(self._reader), *args, **kwargs)  # type: ignore[arg-type]

    def _repeat(self, ends_s: float) -> urllib3.HTTPResponse:
        self.close()
        self.timeout = max(ends_s - time.monotonic(), _LEAST_S)
        self._ask_again()
        self.timeout = max(ends_s - time.monotonic(), _LEAST_S)
        response = super().getresponse()
        response.was_repeated = True  # type: ignore[attr-defined]
        return response


class _Connection(_OneExchange, HTTPConnection):
    pass


class _SecureConnection(_OneExchange, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def prepare_pools(pools: urllib3.PoolManager) -> None:
    """Make a pool manager open connections of this module."""
    pools.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def read_at_most(response: urllib3.BaseHTTPResponse, limit_bytes: int) -> bytes:
    """Return a body as it came, not decompressed. One over the limit is cut off, and its connection closed."""
    body = b""
    while len(body) <= limit_bytes:
        part = response.read(limit_bytes + 1 - len(body), decode_content=False)
        body += part
        if not part or response.length_remaining == 0:
            return body
    with contextlib.suppress(OSError):
        response.close()
    return body


def was_repeated(response: urllib3.BaseHTTPResponse) -> bool:
    """Return whether the request of this answer was sent a second time."""
    return getattr(response, "was_repeated", False)
