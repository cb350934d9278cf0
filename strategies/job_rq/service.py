"""`python -m strategies.job_rq.service`: jobs behind FastAPI. RQ is synchronous, so it is called in threads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from anyio.to_thread import run_sync
from fastapi import APIRouter, FastAPI, Request, Response

from async_api.web import InFlight, read_body
from contract import schema
from contract.errors import ModelTimeout
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.callbacks import CallbackSettings
from strategies.job_rq.jobs import CALLBACK_HEADER, JOBS_PATH, KEY_HEADER, Jobs, Reply
from strategies.job_rq.parameters import WAIT_S
from strategies.job_rq.settings import JobSettings
from strategies.web import create_app, serve

_POLL_S = 0.01


def make_app(settings: Settings) -> FastAPI:
    """Create the service."""
    own = JobSettings()
    jobs = Jobs(own, CallbackSettings())
    in_flight = InFlight(settings.max_in_flight)
    routes = APIRouter()

    @routes.post(JOBS_PATH)
    async def submit(request: Request) -> Response:
        with in_flight:
            numbers = parse_scoring_numbers(await read_body(request, settings.max_body_bytes))
            key, callback_url = request.headers.get(KEY_HEADER), request.headers.get(CALLBACK_HEADER)
            reply = await run_sync(jobs.submit, numbers, key, callback_url)
            return _response(await _result(jobs, reply) if own.waits else reply)

    @routes.get(JOBS_PATH + "/{job_id}")
    async def find(job_id: str) -> Response:
        return _response(await run_sync(jobs.find, job_id))

    @asynccontextmanager
    async def sampling() -> AsyncIterator[None]:
        with jobs.sampler.running():
            yield

    return create_app(routes, jobs.statistics, *([sampling] if own.samples else []))


async def _result(jobs: Jobs, reply: Reply) -> Reply:
    """Wait for the result of a job, as a service without a queue would. Raises ModelTimeout."""
    try:
        async with asyncio.timeout(WAIT_S):
            while reply.status == HTTPStatus.ACCEPTED:
                await asyncio.sleep(_POLL_S)
                reply = await run_sync(jobs.find, reply.headers["Location"].rpartition("/")[2])
    except TimeoutError:
        raise ModelTimeout(1, WAIT_S * 1e3) from None
    return reply


def _response(reply: Reply) -> Response:
    return Response(reply.body, int(reply.status), dict(reply.headers), media_type=schema.JSON_CONTENT_TYPE)


if __name__ == "__main__":
    serve(make_app)
