"""Serves a service with uvicorn: `python -m async_api.server scoring|model`, configured by SERVING_* variables."""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess

from async_api import serve  # noqa: F401 - imported early, as in the sync twin; uvicorn loads it by name
from async_api.connections import Connections
from async_api.protocol import Protocol
from contract.limits import raise_open_files
from contract.settings import Settings, SettingsError, load_settings

# A role, and the module that creates the app if it is not `serve`.
_COMMANDS = (["scoring"], ["scoring", "idiomatic"], ["model"])
_SETTLE_S = 0.02  # a few iterations of the event loop
_LINGER_S = 0.5  # time that a stopping server keeps idle connections


def _stopping_signals() -> list[signal.Signals]:
    """Return the signals that stop a service; without the one of a closed terminal, if it shall be ignored (nohup)."""
    names = ("SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP")
    known = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [one for one in known if one.name != "SIGHUP" or signal.getsignal(one) is not signal.SIG_IGN]


class Server(uvicorn.Server):
    """uvicorn. A stopping server still accepts the connections that have arrived, and then closes its sockets."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(_SETTLE_S)
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        await self._answer_last_requests()
        await super().shutdown(sockets)

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


class Supervisor(Multiprocess):
    """uvicorn's supervisor. At each of the signals its workers drain; uvicorn would start new ones at SIGHUP."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        multiprocess.Process = _Process  # type: ignore[misc] # uvicorn offers no other way to say so
        super().__init__(config, sockets)
        for one in _stopping_signals():
            signal.signal(one, self._stop)

    def _stop(self, _: int, __: FrameType | None) -> None:
        """Close the sockets at once: what the workers accept no more would wait in them, and be reset in the end."""
        self.signal_queue.append(signal.SIGTERM)
        if len(self.processes) == self.processes_num:  # all have their own
            for one in self.sockets:
                one.close()


def server_options(settings: Settings) -> dict[str, Any]:
    """Return uvicorn's settings."""
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": partial(Protocol, Connections(settings)),
        "ws": "none",
        "workers": settings.workers,
        "backlog": settings.backlog,
        "timeout_keep_alive": settings.keep_alive_s,
        "timeout_graceful_shutdown": settings.drain_timeout_s,
        "access_log": False,
        "log_level": settings.log_level,
        # Set explicitly: the defaults depend on installed packages or on the environment.
        "interface": "asgi3",
        "lifespan": "on",
        "env_file": None,
        "use_colors": False,
        # What a client says about itself as if it were a proxy has no effect.
        "proxy_headers": False,
        "forwarded_allow_ips": "",
    }


def run(settings: Settings, app: str) -> None:
    """Serve until a signal, in this process, or in several under a supervisor."""
    serve_config(uvicorn.Config(f"async_api.{app}:load_{settings.role}", factory=True, **server_options(settings)))


def serve_config(config: uvicorn.Config) -> None:
    """Serve until a signal, then drain and return."""
    for one in _stopping_signals():
        signal.signal(one, lambda *_: sys.exit(0))  # until the server is ready to drain
    if config.workers > 1:
        Supervisor(config, sockets=[config.bind_socket()]).run()
    else:
        Server(config).run()


def main(argv: list[str], run: Callable[[Settings, str], None] = run) -> int:
    """Serve until a signal with the server `run`; return the exit status."""
    if argv not in _COMMANDS:
        print("usage: python -m async_api.server scoring [idiomatic] | model", file=sys.stderr)
        return 2
    try:
        settings = load_settings("async", argv[0])  # type: ignore[arg-type]
    except SettingsError as error:
        print(f"async_api.server: {error}", file=sys.stderr)
        return 2
    raise_open_files()
    run(settings, *argv[1:] or ["serve"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
