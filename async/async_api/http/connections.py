"""What the connections of one server process share: limits, and how many requests are in flight."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from contract.errors import TooManyInFlight
from contract.limits import OWN_FILES, open_files
from contract.schema import predict_path
from contract.settings import Settings
from contract.wire import answer_bytes

if TYPE_CHECKING:
    from async_api.http.protocol import Protocol

_MOST_CONNECTIONS = 65_536  # if open files have no limit
_LOOK_EVERY_S = 1.0
_ROOM = 16  # the part of the idle connections that is closed to make room is one of this many

_Headers = list[tuple[bytes, bytes]]


def most_connections(settings: Settings) -> int:
    """Return how many connections a process may have: its open files minus those for the store and the models."""
    files = open_files().soft
    if files is None:
        return _MOST_CONNECTIONS
    asked = 1 + len(settings.model_urls) if settings.role == "scoring" else 0
    reserved = OWN_FILES + asked * settings.max_in_flight
    return min(max(files - reserved, (files - OWN_FILES) // (1 + asked), 1), _MOST_CONNECTIONS)


class Connections:
    """The limits of a process, and its connections, which are looked at once per second: that is cheaper than timers.

    A new one is pickled into every worker process.
    """

    def __init__(self, settings: Settings) -> None:
        self.request_timeout_s = settings.request_timeout_s
        self.keep_alive_s = settings.keep_alive_s
        self.limited_path = predict_path(settings.architecture)
        self.most_body_bytes = settings.max_body_bytes
        self.most_in_flight = settings.max_in_flight
        self.in_flight = 0
        self.known_hosts: set[bytes] = set()
        self._most = most_connections(settings)
        self._looking = False
        self._stamp: _Headers | None = None
        self._refusals: dict[bool, bytes] = {}

    @property
    def is_full(self) -> bool:
        return self.in_flight >= self.most_in_flight

    def too_many(self) -> TooManyInFlight:
        return TooManyInFlight(self.most_in_flight)

    def leave(self, _: asyncio.Task[None]) -> None:
        """Count one request less; called when its task has ended, whatever ended it."""
        self.in_flight -= 1

    def refusal(self, keep: bool, stamp: _Headers) -> bytes:
        """Return the 503 of a request that is one too many; `stamp` are the server's headers, new every second."""
        if stamp is not self._stamp:
            more = as_text(stamp)
            self._refusals = {kept: answer_bytes(self.too_many(), close=not kept, more=more) for kept in (True, False)}
            self._stamp = stamp
        return self._refusals[keep]

    def room(self, connections: Collection[object]) -> int:
        """Return how many more connections there may be."""
        return self._most - len(connections)

    def enter(self, connection: Protocol) -> None:
        """Take a new connection in. If there are too many, those that have been idle for longest are closed for it."""
        others: set[Any] = connection.connections
        if not self._looking:
            self._looking = True
            connection.loop.call_later(_LOOK_EVERY_S, self._look, connection.loop, others)
        if len(others) > self._most:
            idle = sorted((one for one in others if one.is_idle and one is not connection), key=lambda one: one.idle_s)
            for one in idle[: 1 + len(idle) // _ROOM] or [connection]:
                one.transport.close()

    def _look(self, loop: asyncio.AbstractEventLoop, connections: set[Protocol]) -> None:
        now_s = loop.time()
        for connection in tuple(connections):
            connection.look(now_s)
        self._looking = bool(connections)
        if connections:
            loop.call_later(_LOOK_EVERY_S, self._look, loop, connections)


def as_text(headers: _Headers) -> list[tuple[str, str]]:
    """Return headers of the server as those of an answer that is written by hand."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
