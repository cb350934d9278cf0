"""Serves a service with granian: `python -m async_api.granian_server scoring`, configured by SERVING_* variables.

granian handles HTTP in Rust and passes requests to the event loop of a worker process.
"""

import sys
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from async_api.http.connections import most_connections
from async_api.server import main
from contract import logs
from contract.settings import Settings
from contract.wire import MAX_HEAD_BYTES


def server_options(settings: Settings) -> dict[str, Any]:
    """Return granian's settings."""
    return {
        "address": settings.host,
        "port": settings.port,
        "interface": Interfaces.ASGI,
        "loop": Loops.uvloop,
        "http": HTTPModes.http1,
        "websockets": False,
        "workers": settings.workers,
        "backlog": settings.backlog,
        # It limits connections, including idle ones. The service itself limits requests, so only open files apply here.
        "backpressure": most_connections(settings),
        # granian's limit for reading the next request head is also the limit for an idle connection.
        "http1_settings": HTTP1Settings(
            keep_alive=True, header_read_timeout=settings.keep_alive_s * 1000, max_buffer_size=MAX_HEAD_BYTES
        ),
        "workers_kill_timeout": settings.drain_timeout_s,
        "log_access": False,
        "log_level": LogLevels(settings.log_level),
        "log_dictconfig": logs.config(settings) or None,
    }


def run(settings: Settings, app: str) -> None:
    """Serve in worker processes, until SIGTERM."""
    Granian(f"async_api.{app}:load_{settings.role}", factory=True, **server_options(settings)).serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], run))
