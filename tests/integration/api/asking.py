"""Many requests of many clients at once, and their answers in the order in which they were asked."""

import http.client
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from benchmark.stack.processes import HOST, Stack
from contract import schema

TWINS = ["sync", "async"]
FAST = {"SERVING_MODEL_MIN_MS": "4", "SERVING_MODEL_MAX_MS": "5"}
TIMEOUT_S = 15.0  # only a failing test waits that long
_JSON = {"Content-Type": schema.JSON_CONTENT_TYPE}


@dataclass(frozen=True)
class Asked:
    """A request to predict."""

    body: bytes
    query: str = ""
    headers: dict[str, str] = field(default_factory=lambda: dict(_JSON))


@dataclass(frozen=True)
class Answered:
    """An answer of a service."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def detail_s(self) -> float:
        """The answer's number, in seconds. Raises ValueError if it has none."""
        return schema.parse_answer(self.body, 0)


def ask_all(stack: Stack, requests: Sequence[Asked], clients: int, role: str = "scoring") -> list[Answered]:
    """Send these requests from so many clients, each over a connection of its own that it keeps."""

    def ask(share: Sequence[Asked]) -> list[Answered]:
        with closing(http.client.HTTPConnection(HOST, stack.port(role), timeout=TIMEOUT_S)) as connection:
            return [_ask(connection, stack.contender.endpoint, asked) for asked in share]

    with ThreadPoolExecutor(clients) as pool:
        shares = list(pool.map(ask, [requests[client::clients] for client in range(clients)]))
    return [shares[number % clients][number // clients] for number in range(len(requests))]


def _ask(connection: http.client.HTTPConnection, endpoint: str, asked: Asked) -> Answered:
    connection.request("POST", endpoint + asked.query, asked.body, asked.headers)
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return Answered(answer.status, headers, answer.read())
