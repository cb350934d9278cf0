"""A service whose model blocks: called on the event loop, or in worker processes, in the form of STRATEGY_FORM."""

import asyncio
from importlib import import_module

from fastapi import APIRouter, FastAPI, Request, Response

from async_api.web import InFlight, answer, read_body
from contract.errors import ModelTimeout
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.hub.settings import HubSettings, Pool
from strategies.web import SCORE_PATH, create_app


def make_app(settings: Settings) -> FastAPI:
    """Create the service. Queue and deadline are the same for all forms."""
    own = HubSettings()
    # By name, since the environment of gibbs holds nothing else of ours, and ours does not hold gibbs.
    pool: Pool = import_module(f"strategies.hub.{own.form}").make_pool(own)
    in_flight = InFlight(own.workers + own.waiting)
    routes = APIRouter()

    @routes.post(SCORE_PATH)
    async def score(request: Request) -> Response:
        numbers = parse_scoring_numbers(await read_body(request, settings.max_body_bytes))
        with in_flight:
            try:
                async with asyncio.timeout(own.deadline_ms / 1e3):
                    total = await pool.predict(numbers)
            except TimeoutError:
                raise ModelTimeout(1, own.deadline_ms) from None
        return answer(b'{"total": %s}' % repr(total).encode())

    return create_app(routes, pool.statistics, pool.running)
