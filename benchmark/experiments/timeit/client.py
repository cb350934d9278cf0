"""One persistent connection to a scoring handler.

It is not Locust's client: importing Locust replaces the sockets of the whole process by gevent's,
and what is timed here is a plain blocking call.
"""

import http.client
import socket
import time
from contextlib import suppress

from benchmark.contenders.law import AnswerLaw
from benchmark.errors import LoadError
from benchmark.load.bodies import check_answer, early_reasons, request_bodies
from contract.errors import BadModelAnswer
from contract.schema import JSON_CONTENT_TYPE

TIMEOUT_S = 15.0
_HEADERS = {"Content-Type": JSON_CONTENT_TYPE}


class PersistentClient:
    """Asks over one connection, which is opened at once and kept. http.client sets TCP_NODELAY on it."""

    def __init__(self, host: str, port: int, endpoint: str, seed: int, law: AnswerLaw) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        self._endpoint = endpoint
        self._bodies = request_bodies(seed)
        self._law = law
        self._answers: list[tuple[int, bytes, float]] = []
        self._socket: socket.socket | None = None

    def call(self) -> None:
        """Ask once and keep the answer for later. Raises OSError or http.client.HTTPException."""
        start_s = time.perf_counter()
        self._connection.request("POST", self._endpoint, next(self._bodies), _HEADERS)
        response = self._connection.getresponse()
        body = response.read()
        self._answers.append((response.status, body, (time.perf_counter() - start_s) * 1e3))

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
        for place, (status, body, latency_ms) in enumerate(answers, start=1):
            problem = self._problem(status, body, latency_ms)
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

    def _problem(self, status: int, body: bytes, latency_ms: float) -> str | None:
        if status != 200:
            return f"status {status}, {body[:120]!r}"
        try:
            answer_s = check_answer(body, self._law.bounds_s)
        except BadModelAnswer as error:
            return error.detail
        early = early_reasons(latency_ms - self._law.least_times_answer * answer_s * 1e3)
        return early[0] if early else None
