"""Composing a service; a server loads it by name: `uvicorn --factory async_api.serve:load_scoring`."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import uvloop
from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig

from async_api import lag, web
from contract.garbage_collection import freeze_startup_objects
from contract.settings import Role, Settings, load_settings, loggable

if TYPE_CHECKING:
    from async_api.features import FeatureStore
    from async_api.model_client import ModelClient

logger = logging.getLogger("async_api")

# It would begin by itself, in every request, where a package of OpenTelemetry or a variable of the shell wants it.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
_MakeRoutes = Callable[[Settings, "FeatureStore", "ModelClient"], APIRouter]
_Opening = Callable[[], AbstractAsyncContextManager[None]]


def create_app(settings: Settings, make_scoring: _MakeRoutes | None = None) -> FastAPI:
    """Compose a service; its clients and pools are opened in the lifespan, once per process, on the event loop.

    `make_scoring` makes the endpoint of a scoring handler that is written in another way.
    """
    routers, opening = _make_scoring(settings, make_scoring) if settings.role == "scoring" else _make_model(settings)
    app = FastAPI(
        lifespan=partial(_live, settings, opening),
        openapi_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    web.handle_errors(app)
    for router in routers:
        app.include_router(router)
    logger.info("settings: %s", loggable(settings))
    return app


def load_scoring() -> FastAPI:
    """Build the scoring handler in a server process."""
    return create_app(prepare("scoring"))


def load_model() -> FastAPI:
    """Build the model service in a server process."""
    return create_app(prepare("model"))


def prepare(role: Role) -> Settings:
    """Return the settings of a server process, with its log set up."""
    settings = load_settings("async", role)
    # Here and not in a `main`: a worker of uvicorn's supervisor is a new process, which does not come by there.
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    for client in ("httpx", "httpx2"):
        logging.getLogger(client).setLevel(logging.WARNING)  # else it logs every request; access logs are off
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
        async with AsyncExitStack() as opened:  # closed in reverse, each of them, even if closing another fails
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
    """Warn of another event loop than the one that our own server takes."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, uvloop.Loop):
        name = f"{type(loop).__module__}.{type(loop).__qualname__}"
        why = "with several workers of uvicorn every kept-alive request takes 43 ms longer on another"
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
