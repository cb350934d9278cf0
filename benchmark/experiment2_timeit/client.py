"""One persistent connection to a scoring handler.

It is not Locust's client: importing Locust replaces the sockets of the whole process by gevent's,
and what is timed here is a plain blocking call.
"""

import http.client
import json
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle

from benchmark.errors import LoadError
from contract.errors import BadModelAnswer
from contract.schema import JSON_CONTENT_TYPE, parse_answer

TIMEOUT_S = 15.0
_BODIES = 1024  # distinct requests before they repeat
_IRIS_RANGES = ((4.3, 7.9), (2.0, 4.4), (1.0, 6.9), (0.1, 2.5))  # Fisher's iris data, as the load tests ask
_ROUNDING_S = 1e-6  # an answer is given to the microsecond
_HEADERS = {"Content-Type": JSON_CONTENT_TYPE}


class PersistentClient:
    """Asks over one connection, which is opened at once and kept. http.client sets TCP_NODELAY on it."""

    def __init__(self, host: str, port: int, endpoint: str, seed: int, bounds_s: tuple[float, float]) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        self._endpoint = endpoint
        self._bodies = request_bodies(seed)
        self._bounds_s = bounds_s
        self._answers: list[tuple[int, bytes]] = []
        self._socket: socket.socket | None = None

    def call(self) -> None:
        """Ask once and keep the answer for later. Raises OSError or http.client.HTTPException."""
        self._connection.request("POST", self._endpoint, next(self._bodies), _HEADERS)
        response = self._connection.getresponse()
        self._answers.append((response.status, response.read()))

    def wake(self) -> None:
        """Ask once without being timed, on a new connection if the server has closed the idle one.

        While others were timed, the server, or a client within it, may have dropped idle connections.
        """
        with suppress(ConnectionError):
            self._wake()
            return
        self._connection.close()
        self._wake()

    def check(self) -> None:
        """Check all answers since the last check. Raises LoadError if one is not what the contract says."""
        answers, self._answers = self._answers, []
        for place, (status, body) in enumerate(answers, start=1):
            problem = self._problem(status, body)
            if problem:
                raise LoadError(f"answer {place} of {len(answers)} is wrong: {problem}")
        if self._connection.sock is not self._socket:
            raise LoadError("the service closed the connection between two calls, so that reconnecting was timed, too")

    def close(self) -> None:
        self._connection.close()

    def _wake(self) -> None:
        self._answers.clear()
        self.call()
        self._socket = self._connection.sock
        self.check()

    def _problem(self, status: int, body: bytes) -> str | None:
        if status != 200:
            return f"status {status}, {body[:120]!r}"
        try:
            detail_s = parse_answer(body, 0)
        except BadModelAnswer as error:
            return error.detail
        low_s, high_s = self._bounds_s
        if not low_s - _ROUNDING_S <= detail_s <= high_s + _ROUNDING_S:
            return f"{detail_s} s lies outside of {low_s} to {high_s} s"
        return None


def request_bodies(seed: int) -> Iterator[bytes]:
    """Return an endless sequence of request bodies, the same for the same seed."""
    draw = random.Random(seed)
    rows = [[round(draw.uniform(low, high), 1) for low, high in _IRIS_RANGES] for _ in range(_BODIES)]
    return cycle([json.dumps(row, separators=(",", ":")).encode() for row in rows])
