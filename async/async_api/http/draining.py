"""uvicorn that drains: at each signal that stops it, in one process or in several, and ends with status 0."""

import asyncio
import contextlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import cast

import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess

from async_api.http.accepting import Acceptor
from async_api.http.connections import Connections
from async_api.http.protocol import Protocol

_SETTLE_S = 0.02  # a few iterations of the event loop
_LINGER_S = 0.5  # time that a stopping server keeps idle connections


def _stopping_signals() -> list[signal.Signals]:
    """Return the signals that stop a service; without the one of a closed terminal, if it shall be ignored (nohup)."""
    names = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP")
    known = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [one for one in known if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]


class Server(uvicorn.Server):
    """uvicorn. It accepts all connections that wait at once, also when it stops, before it closes its sockets."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        options = {"config": self.config, "server_state": self.server_state, "app_state": self.lifespan.state}
        listening = [one for server in self.servers for one in server.sockets]
        # The options put it there, since they are pickled into every worker process.
        shared: Connections = cast("partial[Protocol]", self.config.http_protocol_class).args[0]
        room = partial(shared.room, self.server_state.connections)
        self._acceptor = Acceptor(listening, partial(self.config.http_protocol_class, **options), room)
        self._acceptor.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        await asyncio.sleep(_SETTLE_S)  # closing takes the event loop some iterations
        await self._acceptor.finish()
        await self._answer_last_requests()
        await super().shutdown([])

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain at each of the signals; uvicorn knows two, and raises them again in the end."""
        before = {one: signal.signal(one, self.handle_exit) for one in _stopping_signals()}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    async def _answer_last_requests(self) -> None:
        """Keep idle connections a little longer, since a request may be on its way; uvicorn would close them."""
        until_s = time.monotonic() + _LINGER_S
        while self.server_state.connections and time.monotonic() < until_s:
            for connection in list(self.server_state.connections):
                cycle = getattr(connection, "cycle", None)
                if cycle and not cycle.response_complete:
                    connection.shutdown()  # closes after the answer
            await asyncio.sleep(_SETTLE_S)


class _Process(multiprocess.Process):
    """A worker process of the supervisor, which serves as a single process does."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = Server(config=self.config)
        return self._server


class _UntilSignal(threading.Event):
    """What the supervisor waits for; a signal ends the wait, too, which is half a second otherwise."""

    def __init__(self, received: list[int]) -> None:
        super().__init__()
        self._received = received

    def wait(self, timeout: float | None = None) -> bool:
        until_s = time.monotonic() + (timeout or 0.0)
        while not self.is_set() and not self._received and time.monotonic() < until_s:
            time.sleep(_SETTLE_S)
        return self.is_set()


class Supervisor(Multiprocess):
    """uvicorn's supervisor. At each of the signals its workers drain; uvicorn would start new ones at SIGHUP."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        multiprocess.Process = _Process  # type: ignore[misc] # uvicorn offers no other way to say so
        super().__init__(config, sockets)
        self.should_exit = _UntilSignal(self.signal_queue)
        for one in _stopping_signals():
            signal.signal(one, lambda *_: self.signal_queue.append(signal.SIGTERM))

    def terminate_all(self) -> None:
        """Close the sockets first: what no worker accepts any more would wait in them, and be reset in the end."""
        for one in self.sockets:
            one.close()
        super().terminate_all()


def serve_until_signal(config: uvicorn.Config) -> None:
    """Serve until a signal, then drain and return."""
    for one in _stopping_signals():
        signal.signal(one, lambda *_: sys.exit(0))  # until the server is ready to drain
    if config.workers > 1:
        Supervisor(config, sockets=[config.bind_socket()]).run()
    else:
        Server(config).run()
