"""`python -m strategies.micro_batching.service`: an item per request, collected into batches as STRATEGY_* says."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeVar

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from async_api.web import answer, read_body
from contract.errors import BadModelAnswer
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.micro_batching.batcher import Batcher, BatchingParameters
from strategies.micro_batching.parameters import FIT_SAMPLES, SLO_MS, cost_ms
from strategies.micro_batching.sizing import Aimd, FixedSize, QuantileRegression, Sizing
from strategies.web import SCORE_PATH, create_app, serve

Score = Callable[[list[list[float]]], list[float | BadModelAnswer]]
Result = TypeVar("Result")
_CLIENT_GONE: Final = 499  # nginx's number for it


class FormSettings(BatchingParameters, BaseSettings):
    """How items are collected: TensorFlow Serving's parameters, and the rule for the size of a batch."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    sizing: Literal["fixed", "aimd", "quantile-regression"] = "fixed"
    slo_ms: float = Field(SLO_MS, gt=0)  # that a batch may take


def score_batch(items: list[list[float]]) -> list[float | BadModelAnswer]:
    """Score items as a GPU does: the call has a fixed cost, and each item little more."""
    time.sleep(cost_ms(len(items)) / 1e3)
    return [2 * sum(item) if min(item) >= 0 else BadModelAnswer("The model has no score for it.") for item in items]


def sizing_of(form: FormSettings) -> Sizing:
    """Return the rule for the size of a batch."""
    if form.sizing == "aimd":
        return Aimd(form.slo_ms, form.max_batch_size)
    if form.sizing == "quantile-regression":
        return QuantileRegression(form.slo_ms, form.max_batch_size, FIT_SAMPLES)
    return FixedSize(form.max_batch_size)


async def unless_gone(request: Request, work: Awaitable[Result]) -> Result | None:
    """Return the result, or None if the client has closed its connection; the work is cancelled then.

    The body must have been read: the next thing that a client says is that it has gone.
    """
    working, gone = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)  # until the item has left the queue


def make_app(settings: Settings, score: Score = score_batch) -> FastAPI:
    """Create the service."""
    form = FormSettings()
    batcher: Batcher[list[float], float] = Batcher(score, form, sizing_of(form), form.slo_ms)
    routes = APIRouter()

    @routes.post(SCORE_PATH)
    async def score_one(request: Request) -> Response:
        numbers = parse_scoring_numbers(await read_body(request, settings.max_body_bytes))
        total = await unless_gone(request, batcher.ask(numbers))
        if total is None:
            return Response(status_code=_CLIENT_GONE)  # which nobody reads
        return answer(b'{"total": %s}' % repr(total).encode())

    return create_app(routes, batcher.statistics, batcher.running)


if __name__ == "__main__":
    serve(make_app)
