"""`python -m strategies.thread_pool.service`: ten blocking calls per request, in the form of STRATEGY_FORM."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic_settings import BaseSettings, SettingsConfigDict

from async_api.web import answer, read_body
from contract.errors import BadModelAnswer
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.thread_pool.parameters import CALL_MS, PER_REQUEST, SHARED
from strategies.web import SCORE_PATH, create_app, serve

Gather = Callable[[Sequence[float]], Awaitable[list[float]]]


class FormSettings(BaseSettings):
    """How the ten calls are made."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    form: Literal["loop", "per-request", "shared", "to-thread", "anyio"] = "shared"


def fetch(number: float) -> float:
    """Fetch a feature by a blocking call, as a client without async support does. Raises BadModelAnswer."""
    if number < 0:
        raise BadModelAnswer("A feature cannot be fetched.")
    time.sleep(CALL_MS / 1e3)
    return 2 * number


async def in_a_loop(numbers: Sequence[float]) -> list[float]:
    """One after the other, on the event loop, which stands still meanwhile."""
    return [fetch(number) for number in numbers]


async def pool_per_request(numbers: Sequence[float]) -> list[float]:
    """In a pool of this request alone. Leaving the block waits for all calls, on the event loop."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(PER_REQUEST) as pool:
        return await asyncio.gather(*(loop.run_in_executor(pool, fetch, number) for number in numbers))


async def to_thread(numbers: Sequence[float]) -> list[float]:
    """In asyncio's own pool, of min(32, cores + 4) threads."""
    return await asyncio.gather(*(asyncio.to_thread(fetch, number) for number in numbers))


async def anyio_threads(numbers: Sequence[float]) -> list[float]:
    """In anyio's threads, of which FastAPI's `def` endpoints use the same 40."""
    return await asyncio.gather(*(run_sync(fetch, number) for number in numbers))


def shared_pool(pool: ThreadPoolExecutor) -> Gather:
    """Return what makes the calls in a pool that all requests share."""

    async def gather(numbers: Sequence[float]) -> list[float]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(pool, fetch, number) for number in numbers))

    return gather


def make_app(settings: Settings) -> FastAPI:
    """Create the service."""
    pool = ThreadPoolExecutor(SHARED)
    gather: Gather = {
        "loop": in_a_loop,
        "per-request": pool_per_request,
        "shared": shared_pool(pool),
        "to-thread": to_thread,
        "anyio": anyio_threads,
    }[FormSettings().form]
    routes = APIRouter()

    @routes.post(SCORE_PATH)
    async def score(request: Request) -> Response:
        numbers = parse_scoring_numbers(await read_body(request, settings.max_body_bytes))
        found = await gather(numbers)
        return answer(b'{"total": %s}' % repr(sum(found)).encode())

    @asynccontextmanager
    async def opening() -> AsyncIterator[None]:
        yield
        pool.shutdown(wait=False, cancel_futures=True)

    return create_app(routes, opening=opening)


if __name__ == "__main__":
    serve(make_app)
