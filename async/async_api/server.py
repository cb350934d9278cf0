"""Serves a service with uvicorn: `python -m async_api.server scoring|model`, configured by SERVING_* variables."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn

from async_api import serve  # noqa: F401 - imported early, as in the sync twin; uvicorn loads it by name
from async_api.http.connections import Connections
from async_api.http.draining import serve_until_signal
from async_api.http.protocol import Protocol
from contract.limits import raise_open_files
from contract.settings import Settings, SettingsError, load_settings

# A role, and the module that creates the app if it is not `serve`.
_COMMANDS = (["scoring"], ["scoring", "idiomatic"], ["model"])
_START_S = 60  # how long a worker process may take to start on a busy machine before it is replaced


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
        "timeout_worker_healthcheck": _START_S,
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
    serve_until_signal(
        uvicorn.Config(f"async_api.{app}:load_{settings.role}", factory=True, **server_options(settings))
    )


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
