"""HTTP clients without Locust for the flows of benchmark.load.protocols: one blocking connection, or asyncio.

Importing Locust replaces the sockets of the whole process with gevent's. `timeit` times a plain blocking call, and
the check of Locust's figures must be independent of Locust.
"""

import asyncio
import http.client
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import aiohttp

from benchmark.load.protocols import Flow, JudgedAnswer, Request, Response, no_answer, path_of

TIMEOUT_S = 15.0


def obtain(flow: Flow, send: Callable[[Request], Response]) -> JudgedAnswer:
    """Return the answer of a flow; `send` sends a request and blocks until its response."""
    request = next(flow)
    try:
        while True:
            if request.after_s:
                time.sleep(request.after_s)
            request = flow.send(send(request))
    except StopIteration as end:
        answer: JudgedAnswer = end.value
        return answer


class Connection:
    """Sends all requests over one persistent connection, and over another to each further server that a flow asks.

    http.client sets TCP_NODELAY on it.
    """

    def __init__(self, base_url: str) -> None:
        self._connection = _connection_to(base_url)
        self._prefix = urlsplit(base_url).path.rstrip("/")
        self._others: dict[str, http.client.HTTPConnection] = {}  # by host and port

    @property
    def socket(self) -> object:
        """The current socket; None before the first request. It changes if the service closes the connection."""
        return self._connection.sock

    def send(self, request: Request) -> Response:
        """Send a request. Without a response, the connection is closed and the next request opens a new one."""
        connection, path = self._connection, self._prefix + request.path
        if request.path.startswith("http"):
            connection, path = self._other(request.path), path_of(request.path)
        sent_ns = time.monotonic_ns()
        try:
            connection.request(request.method, path, request.body, request.headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            connection.close()
            return Response(0, {}, b"", sent_ns, time.monotonic_ns(), no_answer(error))
        return Response(response.status, response.headers, body, sent_ns, time.monotonic_ns())

    def close(self) -> None:
        for connection in (self._connection, *self._others.values()):
            connection.close()

    def _other(self, url: str) -> http.client.HTTPConnection:
        place = urlsplit(url).netloc
        if place not in self._others:
            self._others[place] = _connection_to(url)
        return self._others[place]


def _connection_to(base_url: str) -> http.client.HTTPConnection:
    url = urlsplit(base_url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    return kind(url.hostname or "", url.port, timeout=TIMEOUT_S)


async def obtain_async(flow: Flow, session: aiohttp.ClientSession, base_url: str) -> JudgedAnswer:
    """Return the answer of a flow over an aiohttp session."""
    request = next(flow)
    try:
        while True:
            if request.after_s:
                await asyncio.sleep(request.after_s)
            request = flow.send(await _send(session, base_url, request))
    except StopIteration as end:
        answer: JudgedAnswer = end.value
        return answer


async def _send(session: aiohttp.ClientSession, base_url: str, request: Request) -> Response:
    url = request.path if request.path.startswith("http") else base_url + request.path
    sent_ns = time.monotonic_ns()
    try:
        async with session.request(
            request.method, url, data=request.body, headers=request.headers, allow_redirects=False
        ) as response:
            body = await response.read()
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Response(0, {}, b"", sent_ns, time.monotonic_ns(), no_answer(error))
    return Response(response.status, response.headers, body, sent_ns, time.monotonic_ns())
