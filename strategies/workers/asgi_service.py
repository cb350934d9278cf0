"""`python -m strategies.workers.asgi_service uvicorn|granian`: a sleeping model in FastAPI, in several processes."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from granian import Granian

from async_api import granian_server, server
from async_api.http import draining
from async_api.web import InFlight, answer, read_body
from contract.api_keys import refuse_keys
from contract.limits import raise_open_files
from contract.schema import parse_scoring_numbers
from contract.settings import Settings, SettingsError, load_settings
from strategies.web import SCORE_PATH, create_app
from strategies.workers.model import body_of, make_model

_APP: Final = "strategies.workers.asgi_service:load"  # servers load it by name, in each worker


def make_app(settings: Settings) -> FastAPI:
    """Create the service in a worker process."""
    model, in_flight = make_model(settings), InFlight(settings.max_in_flight)
    routes = APIRouter()

    @routes.post(SCORE_PATH)
    async def score(request: Request) -> Response:
        with in_flight:
            numbers = parse_scoring_numbers(await read_body(request, settings.max_body_bytes))
            await asyncio.sleep(model.draw_s())
            return answer(body_of(numbers))

    return create_app(routes, statistics)


def statistics() -> dict[str, Any]:
    """Return the process that answers."""
    return {"pid": os.getpid()}


def load() -> FastAPI:
    """Create the service from the environment."""
    return make_app(load_settings("async", "scoring"))


def run_uvicorn(settings: Settings) -> None:
    """Serve under uvicorn's supervisor until SIGTERM."""
    draining.serve_until_signal(uvicorn.Config(_APP, factory=True, **server.server_options(settings)))


def run_granian(settings: Settings) -> None:
    """Serve with granian until SIGTERM. By default one worker that dies ends all of them: here it is replaced."""
    options = granian_server.server_options(settings)
    Granian(_APP, factory=True, respawn_failed_workers=True, **options).serve()


SERVERS: Final[Mapping[str, Callable[[Settings], None]]] = {"uvicorn": run_uvicorn, "granian": run_granian}


def main(argv: list[str]) -> None:
    """Serve until SIGTERM."""
    try:
        settings = load_settings("async", "scoring")
        refuse_keys(settings)
    except SettingsError as error:
        sys.exit(f"strategies.workers.asgi_service: {error}")
    raise_open_files()
    SERVERS[argv[0]](settings)


if __name__ == "__main__":
    main(sys.argv[1:])
