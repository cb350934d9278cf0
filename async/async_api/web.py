"""The HTTP parts that both services share: reading bodies, answers and problems, health checks, docs pages."""

import logging
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from contract import docs, errors, schema, scoring
from contract.settings import Settings

logger = logging.getLogger("async_api")


class InFlight(scoring.InFlight):
    """Limits the requests in flight. Every request has a handler as soon as it arrives, so this counts all."""


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """Return the body of a JSON request. Raises InvalidRequest or BodyTooLarge."""
    schema.check_content_type(request.headers.get("Content-Type"))
    length = request.headers.get("Content-Length")
    schema.check_length(int(length) if length else None, limit_bytes)
    try:
        if length:
            return await request.body()
        body = b""  # without Content-Length the bytes are counted
        async for chunk in request.stream():
            body += chunk
            schema.check_length(len(body), limit_bytes)
    except ClientDisconnect as error:  # on a server that does not cancel the request
        raise errors.InvalidRequest("The body cannot be read.") from error
    return body


def answer(
    body: bytes, headers: dict[str, str] | None = None, content_type: str = schema.JSON_CONTENT_TYPE
) -> Response:
    """Return a 200."""
    return Response(body, headers=headers, media_type=content_type)


def problem(error: errors.ServiceError) -> Response:
    """Return the error answer of the contract."""
    return Response(error.body(), int(error.status), error.headers(), media_type=errors.PROBLEM_CONTENT_TYPE)


def make_common_routes(settings: Settings, check: Callable[[], Awaitable[None]]) -> APIRouter:
    """Return the routes of health, readiness (`check` raises if a dependency is missing) and docs."""
    routes = APIRouter()

    def get(path: str) -> Callable[[Callable[..., Awaitable[Response]]], Callable[..., Awaitable[Response]]]:
        return routes.api_route(path, methods=["GET", "HEAD"])

    @get(schema.HEALTHCHECK_PATH)
    async def healthcheck() -> Response:
        return answer(schema.OK_BODY)

    @get(schema.READY_PATH)
    async def ready() -> Response:
        await check()
        return answer(schema.OK_BODY)

    @get(schema.INDEX_PATH)
    async def index() -> Response:
        return answer(docs.index_page(settings), content_type=docs.HTML_CONTENT_TYPE)

    @get(schema.DOCS_PATH)
    async def swagger() -> Response:
        return answer(docs.swagger_page(settings), content_type=docs.HTML_CONTENT_TYPE)

    @get(schema.ASSETS_PATH + "/{name}")
    async def asset(name: str) -> Response:
        body, content_type = docs.asset(name)
        return answer(body, content_type=content_type)

    @get(schema.OPENAPI_PATH)
    async def openapi() -> Response:
        return JSONResponse(docs.openapi_document(settings))

    return routes


def handle_errors(app: FastAPI) -> None:
    """Answer all errors according to the contract, including those of the framework."""

    @app.exception_handler(errors.ServiceError)
    async def service_error(_: Request, error: errors.ServiceError) -> Response:
        return problem(error)

    @app.exception_handler(HTTPException)
    async def framework_error(_: Request, error: HTTPException) -> Response:
        return problem(_translate(error))

    @app.exception_handler(Exception)
    async def bug(_: Request, error: Exception) -> Response:
        logger.error("a handler failed", exc_info=error)
        return Response(errors.INTERNAL_ERROR_BODY, 500, media_type=errors.PROBLEM_CONTENT_TYPE)


def _translate(error: HTTPException) -> errors.ServiceError:
    if error.status_code == 404:
        return errors.UnknownPath()
    if error.status_code == 405:
        return errors.MethodNotAllowed((error.headers or {}).get("Allow", "").split(", "))
    return errors.InvalidRequest("The request cannot be read.")
