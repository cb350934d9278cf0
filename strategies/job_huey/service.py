"""`python -m strategies.job_huey.service`: jobs that are answered later, worked on by huey.

The endpoints are `def`, since huey's calls block: each takes one of FastAPI's 40 threads. So the requests that wait
for their result are bounded, and leave some of the threads to others.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, Strict, ValidationError
from redis.exceptions import RedisError

from async_api.web import InFlight, answer, read_body
from contract.errors import RETRY_AFTER_S, InvalidRequest, QueueUnreachable
from contract.schema import JSON_CONTENT_TYPE, MAX_NUMBERS, parse_scoring_numbers
from contract.settings import Settings
from strategies.job_huey.jobs import Found, Jobs
from strategies.job_huey.parameters import JOBS_PATH, LOW
from strategies.job_huey.settings import JobSettings
from strategies.web import create_app, serve

_KEY_HEADER: Final = "Idempotency-Key"
_LONGEST_KEY: Final = 200
_EXAMPLE: Final = '{"numbers": [5.1, 3.5], "priority": "high"}'


class JobDocument(BaseModel):
    """A job with a priority."""

    model_config = ConfigDict(extra="forbid")

    numbers: list[Annotated[FiniteFloat, Strict()]] = Field(min_length=1, max_length=MAX_NUMBERS)
    priority: Literal["high", "low"] = LOW  # type: ignore[assignment]


class Submission(NamedTuple):
    """What a client asks for."""

    numbers: list[float]
    priority: str
    key: str
    waits: bool


async def submission_in(request: Request) -> Submission:
    """Return what a request asks for. Raises InvalidRequest or BodyTooLarge."""
    body = await read_body(request, request.app.state.max_body_bytes)
    key, waits = request.headers.get(_KEY_HEADER, ""), request.query_params.get("wait", "0")
    if len(key) > _LONGEST_KEY:
        raise InvalidRequest(f"{_KEY_HEADER} is longer than {_LONGEST_KEY} characters.")
    if waits not in {"0", "1"}:
        raise InvalidRequest("wait is neither 0 nor 1.")
    numbers, priority = parse_job(body)
    return Submission(numbers, priority, key, waits == "1")


def parse_job(body: bytes) -> tuple[list[float], str]:
    """Return the numbers and the priority of a job: an array of numbers alone has a low one. Raises InvalidRequest."""
    if not body.lstrip().startswith(b"{"):
        return parse_scoring_numbers(body), LOW
    try:
        found = JobDocument.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "Body"
        raise InvalidRequest(f"{place}: {first['msg']}. Expected a document such as {_EXAMPLE}.") from error
    return found.numbers, found.priority


def make_app(settings: Settings) -> FastAPI:
    """Create the service."""
    own = JobSettings()
    jobs, waiters = Jobs(own), InFlight(own.waiters)
    routes = APIRouter()

    @asynccontextmanager
    async def opening() -> AsyncIterator[None]:
        try:
            yield
        finally:
            jobs.close()

    @routes.post(JOBS_PATH)
    def submit(asked: Annotated[Submission, Depends(submission_in)]) -> Response:
        if not asked.waits:
            return _submit(jobs, asked)
        with waiters:
            return _submit(jobs, asked)

    @routes.get(JOBS_PATH + "/{job_id}")
    def look_up(job_id: str) -> Response:
        with _queue():
            return _found(job_id, jobs.look_up(job_id))

    def statistics() -> Mapping[str, Any]:
        try:
            return jobs.statistics()
        except RedisError:
            return {}

    app = create_app(routes, statistics, opening)
    app.state.max_body_bytes = settings.max_body_bytes
    return app


def _submit(jobs: Jobs, asked: Submission) -> Response:
    """Submit a job, and wait for its result if that is asked for. One that was submitted before is looked up."""
    with _queue():
        job_id, is_new = jobs.submit(asked.numbers, asked.priority, asked.key)
        if asked.waits and (total := jobs.wait(job_id)) is not None:
            return _result(job_id, total)
        return _accepted(job_id, "queued") if is_new else _found(job_id, jobs.look_up(job_id))


@contextmanager
def _queue() -> Iterator[None]:
    """Answer 503 if Redis is away."""
    try:
        yield
    except RedisError as error:
        raise QueueUnreachable from error


def _found(job_id: str, found: Found) -> Response:
    return _accepted(job_id, found.state) if found.total is None else _result(job_id, found.total)


def _accepted(job_id: str, state: str) -> Response:
    """Return the 202 of a job that is under way."""
    body = b'{"id": "%s", "status": "%s"}' % (job_id.encode(), state.encode())
    headers = {"Location": f"{JOBS_PATH}/{job_id}", "Retry-After": str(RETRY_AFTER_S)}
    return Response(body, 202, headers, JSON_CONTENT_TYPE)


def _result(job_id: str, total: float) -> Response:
    return answer(b'{"id": "%s", "total": %s}' % (job_id.encode(), repr(total).encode()))


if __name__ == "__main__":
    serve(make_app)
