"""`python -m strategies.batch_endpoint.service`: many rows per request, treated in the form of STRATEGY_FORM."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Literal

import numpy as np
from fastapi import APIRouter, FastAPI, Request, Response
from numpy.typing import NDArray
from pydantic_settings import BaseSettings, SettingsConfigDict

from async_api.web import answer, read_body
from contract.settings import Settings
from strategies.batch_endpoint.batch import Answer, Model, distinct, encode, naive, one_by_one, parse_items, whole
from strategies.batch_endpoint.model import Row, scores
from strategies.batch_endpoint.parameters import cost_ms
from strategies.web import SCORE_PATH, create_app, serve

Form = Callable[[Sequence[object], Model], list[Answer]]


class FormSettings(BaseSettings):
    """How the rows of a request are treated."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    form: Literal["one-by-one", "whole", "distinct", "naive"] = "distinct"


class Gpu:
    """The model on a simulated GPU: a call has a fixed cost, and each row a little more. It counts what it is asked."""

    def __init__(self, cost: Callable[[int], float] = cost_ms) -> None:
        self._cost_ms = cost
        self.calls, self.modelled = 0, 0

    def __call__(self, rows: Sequence[Row]) -> NDArray[np.float64]:
        found = scores(rows)
        time.sleep(self._cost_ms(len(rows)) / 1e3)
        self.calls += 1
        self.modelled += len(rows)
        return found


def make_app(settings: Settings, gpu: Gpu | None = None) -> FastAPI:
    """Create the service."""
    gpu = gpu or Gpu()
    form: Form = {"one-by-one": one_by_one, "whole": whole, "distinct": distinct, "naive": naive}[FormSettings().form]
    thread = ThreadPoolExecutor(1)  # a GPU does one thing at a time
    counted = {"rows": 0, "modelled": 0, "calls": 0}
    routes = APIRouter()

    def compute(items: Sequence[object]) -> tuple[list[Answer], dict[str, int]]:
        """Return the answers, and what they cost: told together, so that a reader never sees half of it."""
        modelled, calls = gpu.modelled, gpu.calls
        answers = form(items, gpu)
        return answers, {"rows": len(items), "modelled": gpu.modelled - modelled, "calls": gpu.calls - calls}

    @routes.post(SCORE_PATH)
    async def score(request: Request) -> Response:
        body = await read_body(request, settings.max_body_bytes)
        items = await asyncio.to_thread(parse_items, body)  # thousands of rows would hold up the event loop
        answers, cost = await asyncio.get_running_loop().run_in_executor(thread, compute, items)
        for key, value in cost.items():
            counted[key] += value
        return answer(await asyncio.to_thread(encode, answers))

    @asynccontextmanager
    async def opening() -> AsyncIterator[None]:
        yield
        thread.shutdown(wait=False, cancel_futures=True)

    return create_app(routes, lambda: counted, opening)


if __name__ == "__main__":
    serve(make_app)
