"""Starting a service: `python -m async_api.serve scoring|model`, configured by SERVING_* variables."""

import asyncio
import logging
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, get_args

import uvicorn
import uvloop
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from uvicorn.supervisors import Multiprocess

from async_api import lag, web
from contract.garbage import set_aside_what_is_loaded
from contract.limits import raise_open_files
from contract.settings import Role, Settings, SettingsError, load_settings, loggable

logger = logging.getLogger("async_api")

_SETTLE_S = 0.02  # a few turns of the loop
_LINGER_S = 0.5  # for idle connections of a stopping server
# It would begin by itself, in every request, where a package of OpenTelemetry or a variable of the shell wants it.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}


def create_app(settings: Settings) -> FastAPI:
    """Compose a service; its clients and pools are made in the lifespan, once per process."""
    app = FastAPI(
        lifespan=partial(_live, settings=settings),
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    web.handle_errors(app)
    logger.info("settings: %s", loggable(settings))
    return app


@asynccontextmanager
async def _live(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    add_service = _add_scoring if settings.role == "scoring" else _add_model
    async with add_service(app, settings), _sampling_lag(settings.lag_sample_ms):
        if settings.gc_freeze:
            set_aside_what_is_loaded()
        yield


@asynccontextmanager
async def _add_scoring(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    from async_api import features, model_client, scoring  # noqa: PLC0415 - a service imports only what it runs

    # Closed in reverse, each of them, even if closing another fails.
    async with AsyncExitStack() as opened:
        store = features.FeatureStore(settings)
        opened.push_async_callback(store.close)
        models = model_client.ModelClient(settings)
        opened.push_async_callback(models.close)

        async def check() -> None:
            await store.check()
            await models.check()

        app.include_router(scoring.make_routes(settings, store, models))
        app.include_router(web.make_common_routes(settings, check))
        yield


@asynccontextmanager
async def _add_model(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    from async_api import model  # noqa: PLC0415

    async def check() -> None:
        return

    app.include_router(model.make_routes(settings))
    app.include_router(web.make_common_routes(settings, check))
    yield


@asynccontextmanager
async def _sampling_lag(interval_ms: int) -> AsyncIterator[None]:
    if not interval_ms:
        yield
        return
    sampler = lag.LagSampler(interval_ms)
    sampler.start()
    try:
        yield
    finally:
        await sampler.stop()


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


def _serve(config: uvicorn.Config) -> None:
    """Serve in this process, or in several under uvicorn's supervisor (whose servers close at once), until SIGTERM."""
    # Once it has drained, uvicorn raises the signal again, which would end the process as if killed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if config.workers > 1:
        Multiprocess(config, sockets=[config.bind_socket()]).run()
    else:
        Server(config).run()


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


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; returns the exit status."""
    if len(argv) != 1 or argv[0] not in get_args(Role):
        print(f"usage: python -m async_api.serve {'|'.join(get_args(Role))}", file=sys.stderr)
        return 2
    try:
        settings = load_settings("async", argv[0])  # type: ignore[arg-type]
    except SettingsError as error:
        print(f"async_api.serve: {error}", file=sys.stderr)
        return 2
    raise_open_files()
    _serve(uvicorn.Config(f"async_api.serve:load_{settings.role}", factory=True, **server_options(settings)))
    return 0


def load_scoring() -> FastAPI:
    """Build the scoring handler in a server process."""
    return create_app(_in_server("scoring"))


def load_model() -> FastAPI:
    """Build the model service in a server process."""
    return create_app(_in_server("model"))


def _in_server(role: Role) -> Settings:
    """Return the settings of a server process, with its log set up and having made sure that it runs on uvloop."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, uvloop.Loop):
        # Another loop adds 43 ms to every kept-alive request when there are several workers.
        raise RuntimeError(f"the event loop is {type(loop).__name__}, expected uvloop's")
    settings = load_settings("async", role)
    # Here and not in main: a worker of uvicorn's supervisor is a new process, which does not come by there.
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # else it logs every request; access logs are off
    return settings


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
