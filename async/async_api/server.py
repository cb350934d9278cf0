"""The server of a service: `python -m async_api.server scoring|model`, configured by SERVING_* variables."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from async_api import serve  # noqa: F401 - loaded at once, as by the sync twin; uvicorn finds it by name
from contract.limits import raise_open_files
from contract.settings import Settings, SettingsError, load_settings

# A role, and the module that composes it if that is another one than `serve`.
_COMMANDS = (["scoring"], ["scoring", "idiomatic"], ["model"])
_SETTLE_S = 0.02  # a few turns of the loop
_LINGER_S = 0.5  # for idle connections of a stopping server


class Server(uvicorn.Server):
    """uvicorn on its event loop; a stopping server takes what has arrived, and then closes the door."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(_SETTLE_S)
        for server in self.servers:
            server.close()
        await self._answer_last_requests()
        await super().shutdown(sockets)

    async def _answer_last_requests(self) -> None:
        """Linger on idle connections, which uvicorn would close at once: a request may be on its way on one."""
        until_s = time.monotonic() + _LINGER_S
        while self.server_state.connections and time.monotonic() < until_s:
            for connection in list(self.server_state.connections):
                cycle = getattr(connection, "cycle", None)
                if cycle and not cycle.response_complete:
                    connection.shutdown()  # after its answer
            await asyncio.sleep(_SETTLE_S)


def server_options(settings: Settings) -> dict[str, Any]:
    """Return uvicorn's settings."""
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "workers": settings.workers,
        "backlog": settings.backlog,
        "timeout_keep_alive": settings.keep_alive_s,
        "timeout_graceful_shutdown": settings.drain_timeout_s,
        "access_log": False,
        "log_level": settings.log_level,
        # What else would depend on which packages are installed, or on the environment.
        "interface": "asgi3",
        "lifespan": "on",
        "env_file": None,
        "use_colors": False,
        "forwarded_allow_ips": "127.0.0.1,::1",
    }


def run(settings: Settings, app: str) -> None:
    """Serve in this process, or in several under uvicorn's supervisor (whose servers close at once), until SIGTERM."""
    config = uvicorn.Config(f"async_api.{app}:load_{settings.role}", factory=True, **server_options(settings))
    # Once it has drained, uvicorn raises the signal again, which would end the process as if killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if config.workers > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        Server(config).run()


def main(argv: list[str], run: Callable[[Settings, str], None] = run) -> int:
    """Serve until SIGTERM, in the way that `run` does; returns the exit status."""
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
