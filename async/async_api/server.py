"""Serves a service with uvicorn: `python -m async_api.server scoring|model`, configured by SERVING_* variables."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.config import LOGGING_CONFIG
from uvicorn.supervisors import Multiprocess

from async_api import serve  # noqa: F401 - imported early, as in the sync twin; uvicorn loads it by name
from contract import logs
from contract.api_keys import load_keys
from contract.limits import raise_open_files
from contract.settings import Settings, SettingsError, load_settings

# A role, and the module that creates the app if it is not `serve`.
_COMMANDS = (["scoring"], ["scoring", "idiomatic"], ["model"])
_SETTLE_S = 0.02  # a few iterations of the event loop
_LINGER_S = 0.5  # time that a stopping server keeps idle connections


class Server(uvicorn.Server):
    """uvicorn. A stopping server still accepts the connections that have arrived, and then closes its sockets."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await asyncio.sleep(_SETTLE_S)
        for server in self.servers:
            server.close()
        await self._answer_last_requests()
        await super().shutdown(sockets)

    async def _answer_last_requests(self) -> None:
        """Keep idle connections a little longer, since a request may be on its way; uvicorn would close them."""
        until_s = time.monotonic() + _LINGER_S
        while self.server_state.connections and time.monotonic() < until_s:
            for connection in list(self.server_state.connections):
                cycle = getattr(connection, "cycle", None)
                if cycle and not cycle.response_complete:
                    connection.shutdown()  # closes after the answer
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
        "log_config": logs.config(settings) or LOGGING_CONFIG,
        # Set explicitly: the defaults depend on installed packages or on the environment.
        "interface": "asgi3",
        "lifespan": "on",
        "env_file": None,
        "use_colors": None if logs.is_own(settings) else False,  # uvicorn would look for its own formatters
        "forwarded_allow_ips": "127.0.0.1,::1",
    }


def run(settings: Settings, app: str) -> None:
    """Serve until SIGTERM in this process, or in several under uvicorn's supervisor (whose servers stop at once)."""
    config = uvicorn.Config(f"async_api.{app}:load_{settings.role}", factory=True, **server_options(settings))
    # After draining, uvicorn raises the signal again, which would end the process with the status of a kill.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if config.workers > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        Server(config).run()


def main(argv: list[str], run: Callable[[Settings, str], None] = run) -> int:
    """Serve until SIGTERM with the server `run`; return the exit status."""
    if argv not in _COMMANDS:
        print("usage: python -m async_api.server scoring [idiomatic] | model", file=sys.stderr)
        return 2
    try:
        settings = load_settings("async", argv[0])  # type: ignore[arg-type]
        logs.set_up(settings)
        load_keys(settings)  # those that cannot be read are refused here, before there are workers
    except SettingsError as error:
        print(f"async_api.server: {error}", file=sys.stderr)
        return 2
    raise_open_files()
    run(settings, *argv[1:] or ["serve"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
