"""Creates the app of a service. Servers load it by name: `uvicorn --factory async_api.serve:load_scoring`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import uvloop
from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from async_api import lag, middleware, web
from contract import logs
from contract.garbage_collection import freeze_startup_objects
from contract.settings import Role, Settings, load_settings, loggable

if TYPE_CHECKING:
    from async_api.features import FeatureStore
    from async_api.model_client import ModelClient

logger = logging.getLogger("async_api")

# Otherwise an installed OpenTelemetry package or an environment variable would turn it on for every request.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
_MakeRoutes = Callable[[Settings, "FeatureStore", "ModelClient"], APIRouter]
_Opening = Callable[[], AbstractAsyncContextManager[None]]


def create_app(settings: Settings, make_scoring: _MakeRoutes | None = None) -> FastAPI:
    """Create a service. Its clients and pools are opened in the lifespan, once per process, on the event loop.

    `make_scoring` replaces the endpoint of the scoring handler.
    """
    routers, opening = _make_scoring(settings, make_scoring) if settings.role == "scoring" else _make_model(settings)
    app = FastAPI(
        lifespan=partial(_live, settings, opening),
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    web.handle_errors(app)
    middleware.add(app, settings)
    for router in routers:
        app.include_router(router)
    logger.info("settings: %s", loggable(settings))
    return app


def load_scoring() -> FastAPI:
    """Create the scoring handler in a server process."""
    return create_app(prepare("scoring"))


def load_model() -> FastAPI:
    """Create the model service in a server process."""
    return create_app(prepare("model"))


def prepare(role: Role) -> Settings:
    """Read the settings of a server process and set up its log."""
    settings = load_settings("async", role)
    # Here and not in `main`, which a worker process of uvicorn's supervisor does not run.
    logs.set_up(settings)
    for client in ("httpx", "httpx2"):
        logging.getLogger(client).setLevel(logging.WARNING)  # otherwise it logs every request
    return settings


def _make_scoring(settings: Settings, make_routes: _MakeRoutes | None) -> tuple[list[APIRouter], _Opening]:
    from async_api import features, model_client, scoring  # noqa: PLC0415 - a service imports only what it runs

    store = features.FeatureStore(settings)
    models = model_client.ModelClient(settings)

    async def check() -> None:
        await store.check()
        await models.check()

    @asynccontextmanager
    async def opening() -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:  # closes both in reverse order, even if closing one fails
            opened.push_async_callback(store.close)
            await opened.enter_async_context(models)
            yield

    make_routes = make_routes or scoring.make_routes
    return [make_routes(settings, store, models), web.make_common_routes(settings, check)], opening


def _make_model(settings: Settings) -> tuple[list[APIRouter], _Opening]:
    from async_api import model  # noqa: PLC0415

    async def check() -> None:
        return

    return [model.make_routes(settings), web.make_common_routes(settings, check)], nullcontext


@asynccontextmanager
async def _live(settings: Settings, opening: _Opening, _: FastAPI) -> AsyncIterator[None]:
    _check_loop()
    async with opening(), _sampling_lag(settings.lag_sample_ms):
        if settings.gc_freeze:
            freeze_startup_objects()
        yield


def _check_loop() -> None:
    """Warn if the event loop is not uvloop's, which our own server uses."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, uvloop.Loop):
        name = f"{type(loop).__module__}.{type(loop).__qualname__}"
        why = "on another loop, with several uvicorn workers, every request on a kept connection takes 43 ms longer"
        logger.warning("the event loop is %s, expected uvloop's: %s", name, why)


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
