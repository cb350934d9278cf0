"""The same service on granian: `python -m async_api.granian_server scoring`, configured by SERVING_* variables.

granian reads and writes HTTP in Rust, and hands requests to the event loop of a worker process.
"""

import sys
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from async_api.server import main
from contract.limits import open_files
from contract.settings import Settings

_MOST_CONNECTIONS = 65_536  # where open files have no limit


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
        # It counts connections, idle ones too. They are limited by open files alone; requests by the service itself.
        "backpressure": open_files().soft or _MOST_CONNECTIONS,
        # How long a connection may be idle is, to granian, how long the head of its next request may take.
        "http1_settings": HTTP1Settings(keep_alive=True, header_read_timeout=settings.keep_alive_s * 1000),
        "workers_kill_timeout": settings.drain_timeout_s,
        "log_access": False,
        "log_level": LogLevels(settings.log_level),
    }


def run(settings: Settings, app: str) -> None:
    """Serve in worker processes, until SIGTERM."""
    Granian(f"async_api.{app}:load_{settings.role}", factory=True, **server_options(settings)).serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], run))
