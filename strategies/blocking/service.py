"""`python -m strategies.blocking.service`: a blocking model in FastAPI, in the form of STRATEGY_FORM."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from anyio.to_thread import current_default_thread_limiter
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import Field

from async_api.web import InFlight, answer, read_body
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.blocking.model import ModelSettings, predict
from strategies.blocking.parameters import FASTAPI_THREADS
from strategies.web import SCORE_PATH, create_app, serve


class FormSettings(ModelSettings):
    """How the endpoint is written, and how many threads FastAPI may use for endpoints that are `def`."""

    form: Literal["async-def", "def"] = "def"
    threads: int = Field(FASTAPI_THREADS, ge=1)


def make_app(settings: Settings) -> FastAPI:
    """Create the service. Only the one word `async` differs between the two forms."""
    chosen = FormSettings()
    in_flight = InFlight(settings.max_in_flight)
    routes = APIRouter()

    async def admitted() -> AsyncIterator[None]:
        with in_flight:
            yield

    # A dependency that were `def` would take a thread of its own.
    async def numbers_in(request: Request) -> list[float]:
        return parse_scoring_numbers(await read_body(request, settings.max_body_bytes))

    async def on_the_loop(numbers: Annotated[list[float], Depends(numbers_in)]) -> Response:
        return answer(predict(numbers, chosen.model_ms))

    def in_a_thread(numbers: Annotated[list[float], Depends(numbers_in)]) -> Response:
        return answer(predict(numbers, chosen.model_ms))

    endpoint = on_the_loop if chosen.form == "async-def" else in_a_thread
    routes.post(SCORE_PATH, dependencies=[Depends(admitted)])(endpoint)

    @asynccontextmanager
    async def opening() -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = chosen.threads
        yield

    return create_app(routes, opening=opening)


if __name__ == "__main__":
    serve(make_app)
