"""Parses whole requests with gunicorn's parser, strictly, and says what is wrong in the words of the contract."""

import io
import socket
from typing import Any

from gunicorn.http import errors as gunicorn_errors
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from contract import errors, wire
from sync_api.http.connection import Connection


class _Whole(Unreader):  # type: ignore[misc]
    """The bytes of one request: gunicorn's parser never has to read from a socket."""

    def __init__(self, request: bytes) -> None:
        self.buf = io.BytesIO(request)

    def chunk(self, _: int | None = None) -> bytes:
        return b""


def parse(cfg: Any, conn: Connection) -> Request:
    """Return the request of a connection. Raises ServiceError."""
    if conn.client is None:
        conn.client = _address(conn.socket)
    try:
        request = Request(cfg, _Whole(conn.request), conn.client)
    except (gunicorn_errors.ParseException, gunicorn_errors.NoMoreData, StopIteration) as error:
        raise refusal(error) from None
    check(request)
    if conn.final:
        request.force_close()
    request._expected_100_continue = False  # the poller has told the client already
    return request


def refusal(error: Exception) -> errors.ServiceError:
    """Return the error of the contract for one of gunicorn's parser."""
    if isinstance(error, gunicorn_errors.LimitRequestLine):
        return wire.line_too_long()
    if isinstance(error, gunicorn_errors.LimitRequestHeaders):
        return wire.head_too_large()
    if isinstance(error, gunicorn_errors.ExpectationFailed):
        return errors.ExpectationFailed()
    return errors.MalformedRequest()


def _address(client: socket.socket) -> tuple[str, int]:
    try:
        host, port, *_ = client.getpeername() or ("", 0)  # a socket of the file system has no name
    except OSError:  # it has left
        return "", 0
    return host, port


def check(request: Request) -> None:
    """Refuse what gunicorn's parser lets pass, and ignore an upgrade. Raises MalformedRequest."""
    version = request.version
    if version not in {(1, 0), (1, 1)} or request.method not in wire.METHODS:
        raise errors.MalformedRequest
    has_host = is_upgrade = False
    for name, value in request.headers:
        if name == "HOST":
            if not wire.HOST.fullmatch(value):
                raise errors.MalformedRequest
            has_host = True
        elif name == "UPGRADE":
            is_upgrade = True
        elif name == "CONTENT-LENGTH" and len(value) > wire.MAX_LENGTH_DIGITS:
            raise errors.MalformedRequest
    if not has_host and version == (1, 1):
        raise errors.MalformedRequest
    if is_upgrade:  # werkzeug would refuse it where it finds no route for a websocket
        request.headers = [(name, value) for name, value in request.headers if name != "UPGRADE"]
