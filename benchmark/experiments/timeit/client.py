"""One persistent connection to a scoring handler, and answers that are checked when the clock has stopped."""

from contextlib import suppress
from dataclasses import replace

from benchmark.errors import LoadError
from benchmark.load.plain_clients import Connection, obtain
from benchmark.load.protocols import Ask, JudgedAnswer, Response


class NoAnswer(LoadError):
    """Nothing came back."""


class PersistentClient:
    """Asks over one connection, which is opened at once and kept."""

    def __init__(self, base_url: str, asked: Ask) -> None:
        self._connection = Connection(base_url)
        self._asked = asked
        self._answers: list[JudgedAnswer] = []
        self._bodies: list[bytes] = []
        # What an answer says is read later: while the clock runs it is only kept.
        self._timed = replace(asked, read=self._bodies.append, least_times_answer=0.0)
        self._socket: object = None

    def call(self) -> None:
        """Ask once and keep the answer for later. Raises NoAnswer."""
        answer = obtain(self._timed.flow(), self._connection.send)
        self._answers.append(answer)
        if not answer.status:
            raise NoAnswer(answer.error)

    def wake(self) -> None:
        """Ask once without being timed, on a new connection if the server has closed the idle one.

        While others were timed, the server, or a client within it, may have dropped idle connections.
        """
        with suppress(NoAnswer):
            self._wake()
            return
        self._wake()

    def check(self) -> None:
        """Check all answers since the last check. Raises LoadError if one is not what the scenario says."""
        for place, answer in enumerate(self._answers, start=1):
            problem = answer.error or self._judged(answer, self._bodies[place - 1]).error
            if problem:
                raise LoadError(f"answer {place} of {len(self._answers)} is wrong: {problem}")
        self._forget()
        if self._connection.socket is not self._socket:
            raise LoadError("the service closed the connection between two calls, so that reconnecting was timed, too")

    def close(self) -> None:
        self._connection.close()

    def _wake(self) -> None:
        self._forget()
        self.call()
        self._socket = self._connection.socket
        self.check()

    def _judged(self, answer: JudgedAnswer, body: bytes) -> JudgedAnswer:
        response = Response(answer.status, {}, body, answer.sent_ns, answer.done_ns)
        return self._asked.judge(response, answer.sent_ns, answer.requests, answer.items)

    def _forget(self) -> None:
        self._answers.clear()
        self._bodies.clear()
