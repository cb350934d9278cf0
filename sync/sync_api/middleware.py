"""What stands before the routes of a service, only where the settings ask for it: API keys, and a log of requests."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from contract.api_keys import ApiKeys, load_keys
from contract.errors import ServiceError
from contract.request_log import log_request
from contract.schema import predict_path
from contract.settings import Settings
from contract.timing import SERVER_TIMING_HEADER
from sync_api.web import problem

logger = logging.getLogger("sync_api")

_App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def add(app: Flask, settings: Settings) -> None:
    """Add what the settings ask for. Raises SettingsError if the API keys cannot be read."""
    keys = load_keys(settings)
    if keys:
        app.wsgi_app = KeyCheck(app.wsgi_app, keys)  # type: ignore[method-assign]
    if settings.log_requests:  # the outermost, so that it logs what is refused, too
        app.wsgi_app = RequestLog(app.wsgi_app, predict_path(settings.architecture))  # type: ignore[method-assign]


class KeyCheck:
    """Answers 401 or 403 to requests whose API key does not let them in."""

    def __init__(self, app: _App, keys: ApiKeys) -> None:
        self._app, self._keys = app, keys

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        try:
            self._keys.check(environ["PATH_INFO"], environ.get("HTTP_X_API_KEY"), environ.get("HTTP_AUTHORIZATION"))
        except ServiceError as error:
            return problem(error)(environ, start_response)
        return self._app(environ, start_response)


class RequestLog:
    """Logs a line per request to the predict path."""

    def __init__(self, app: _App, path: str) -> None:
        self._app, self._path = app, path

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != self._path:
            return self._app(environ, start_response)
        started_s = time.perf_counter()
        status: int | None = None
        stages: str | None = None

        def start(line: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            nonlocal status, stages
            status = int(line[:3])
            stages = dict(headers).get(SERVER_TIMING_HEADER)
            return start_response(line, headers, *error)

        try:
            return self._app(environ, start)
        finally:
            log_request(logger, status, (time.perf_counter() - started_s) * 1e3, stages)
