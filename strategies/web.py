"""What the FastAPI services of the strategies share: errors and health checks of the contract, statistics, server."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from inspect import isawaitable
from typing import Any, Final

import uvicorn
from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse

from async_api.http.draining import serve_until_signal
from async_api.server import server_options
from async_api.web import answer, handle_errors
from contract import logs, schema
from contract.api_keys import refuse_keys
from contract.garbage_collection import freeze_startup_objects
from contract.limits import raise_open_files
from contract.settings import Settings, SettingsError, load_settings
from strategies.loop_stall import LoopStall

STATISTICS_PATH: Final = "/api/v1/stats"
SCORE_PATH: Final = "/api/v1/score"

Statistics = Callable[[], Mapping[str, Any] | Awaitable[Mapping[str, Any]]]


def create_app(
    routes: APIRouter,
    statistics: Statistics = dict,
    opening: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> FastAPI:
    """Create a service from its routes. `statistics` are counters and gauges; `opening` runs as long as the service.

    Every service also says how long its event loop stalled since the statistics were last read.
    """
    stall = LoopStall()

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        async with opening(), stall.watching():
            freeze_startup_objects()
            yield

    app = FastAPI(lifespan=live, openapi_url=None, redirect_slashes=False)
    handle_errors(app)

    @app.get(schema.HEALTHCHECK_PATH)
    @app.get(schema.READY_PATH)
    async def healthcheck() -> Any:
        return answer(schema.OK_BODY)

    @app.get(STATISTICS_PATH)
    async def stats() -> Any:
        found = statistics()
        return JSONResponse({**stall.read(), **(await found if isawaitable(found) else found)})

    app.include_router(routes)
    return app


def serve(create: Callable[[Settings], FastAPI], **overrides: object) -> None:
    """Serve an app until SIGTERM, configured by SERVING_* variables and overrides, with the async twin's server."""
    try:
        settings = load_settings("async", "scoring", **overrides)
        refuse_keys(settings)
        logs.set_up(settings)
    except SettingsError as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    raise_open_files()
    serve_until_signal(uvicorn.Config(create(settings), **server_options(settings)))
