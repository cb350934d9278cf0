"""What stands before the routes of a service, only where the settings ask for it: API keys, and a log of requests."""

import logging
import time

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from async_api.web import problem
from contract.api_keys import API_KEY_HEADER, AUTHORIZATION_HEADER, ApiKeys, load_keys
from contract.errors import ServiceError
from contract.request_log import log_request
from contract.schema import predict_path
from contract.settings import Settings
from contract.timing import SERVER_TIMING_HEADER

logger = logging.getLogger("async_api")


def add(app: FastAPI, settings: Settings) -> None:
    """Add what the settings ask for. Raises SettingsError if the API keys cannot be read."""
    keys = load_keys(settings)
    if keys:
        app.add_middleware(KeyCheck, keys=keys)
    if settings.log_requests:  # the outermost, so that it logs what is refused, too
        app.add_middleware(RequestLog, path=predict_path(settings.architecture))


class KeyCheck:
    """Answers 401 or 403 to requests whose API key does not let them in."""

    def __init__(self, app: ASGIApp, keys: ApiKeys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            try:
                self._keys.check(scope["path"], _all(headers, API_KEY_HEADER), _all(headers, AUTHORIZATION_HEADER))
            except ServiceError as error:
                await problem(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class RequestLog:
    """Logs a line per request to the predict path."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path:
            await self._app(scope, receive, send)
            return
        started_s = time.perf_counter()
        status: int | None = None
        stages: str | None = None

        async def start(message: Message) -> None:
            nonlocal status, stages
            if message["type"] == "http.response.start":
                status = message["status"]
                stages = Headers(raw=message["headers"]).get(SERVER_TIMING_HEADER)
            await send(message)

        try:
            await self._app(scope, receive, start)
        except Exception:
            status = status or 500  # the framework's own middleware, outside of this one, answers so
            raise
        finally:
            log_request(logger, status, (time.perf_counter() - started_s) * 1e3, stages)


def _all(headers: Headers, name: str) -> str | None:
    """Return the values of a header as one, as WSGI has it."""
    return ",".join(headers.getlist(name)) if name in headers else None
