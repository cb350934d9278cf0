"""Accepting connections: all that wait, whenever one does.

libuv accepts one per iteration of the event loop (https://github.com/libuv/libuv/pull/3696). An iteration of a busy
server takes milliseconds, so under overload connections would wait for seconds where nobody can refuse them.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

_MOST_AT_ONCE = 256  # then those that have been accepted have their turn

Room = Callable[[], int]  # how many more connections there may be


class Acceptor:
    """Accepts as many as there is room for, from sockets that the event loop goes on to accept from one by one."""

    def __init__(self, listening: Iterable[socket.socket], factory: Callable[[], asyncio.Protocol], room: Room) -> None:
        self._loop = asyncio.get_running_loop()
        self._factory = factory
        self._room = room
        self._entering: set[asyncio.Task[object]] = set()
        # The loop allows one reader per descriptor, and has its own for these.
        self._sockets = [socket.socket(fileno=os.dup(one.fileno())) for one in listening]
        for one in self._sockets:
            one.setblocking(False)

    def start(self) -> None:
        for one in self._sockets:
            self._loop.add_reader(one.fileno(), self._accept, one)

    async def finish(self) -> None:
        """Accept all that wait, and close the sockets at once: a connection that comes in between is reset."""
        for one in self._sockets:
            self._loop.remove_reader(one.fileno())
            with one:
                accepted = list(_waiting(one))
            for connection in accepted:
                self._enter(connection)
        if self._entering:
            await asyncio.wait(self._entering)

    def _accept(self, listening: socket.socket) -> None:
        room = min(self._room() - len(self._entering), _MOST_AT_ONCE)
        for connection in islice(_waiting(listening), max(room, 0)):
            self._enter(connection)

    def _enter(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        task: asyncio.Task[object] = self._loop.create_task(
            self._loop.connect_accepted_socket(self._factory, connection)
        )
        self._entering.add(task)
        task.add_done_callback(self._entered)

    def _entered(self, task: asyncio.Task[object]) -> None:
        self._entering.discard(task)
        if not task.cancelled():
            task.exception()  # whoever has gone already needs no line in the log


def _waiting(listening: socket.socket) -> Iterator[socket.socket]:
    """Yield the connections that wait; the last one is followed by an error, as is one that cannot be had."""
    with contextlib.suppress(OSError):
        while True:
            yield listening.accept()[0]
