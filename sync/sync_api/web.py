"""The HTTP parts that both services share: reading bodies, answers and problems, health checks, docs pages."""

from collections.abc import Callable

from flask import Blueprint, Flask, Request, Response, jsonify, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from contract import docs, errors, schema, scoring
from contract.settings import Settings


class InFlight(scoring.InFlight):
    """Limits the requests in flight. The server counts those that wait for a thread, which have no handler yet."""


def read_body(request: Request, limit_bytes: int) -> bytes:
    """Return the body of a JSON request. Raises InvalidRequest or BodyTooLarge."""
    schema.check_content_type(request.headers.get("Content-Type"))
    length = request.content_length
    schema.check_length(length, limit_bytes)
    if length:
        return request.get_data(cache=False)
    try:
        body = request.stream.read(limit_bytes + 1)  # without Content-Length the bytes are counted
    except (ParseException, OSError) as error:  # ParseException: gunicorn's, for an invalid chunk
        raise errors.InvalidRequest("The body cannot be read.") from error
    schema.check_length(len(body), limit_bytes)
    return body


def answer(
    body: bytes, headers: dict[str, str] | None = None, content_type: str = schema.JSON_CONTENT_TYPE
) -> Response:
    """Return a 200."""
    return Response(body, headers=headers, content_type=content_type)


def problem(error: errors.ServiceError) -> Response:
    """Return the error answer of the contract."""
    return Response(error.body(), int(error.status), error.headers(), content_type=errors.PROBLEM_CONTENT_TYPE)


def make_common_routes(settings: Settings, check: Callable[[], None]) -> Blueprint:
    """Return the routes of health, readiness (`check` raises if a dependency is missing) and docs."""
    routes = Blueprint("common", __name__)

    @routes.get(schema.HEALTHCHECK_PATH)
    def healthcheck() -> Response:
        return answer(schema.OK_BODY)

    @routes.get(schema.READY_PATH)
    def ready() -> Response:
        check()
        return answer(schema.OK_BODY)

    @routes.get(schema.INDEX_PATH)
    def index() -> Response:
        return answer(docs.index_page(settings), content_type=docs.HTML_CONTENT_TYPE)

    @routes.get(schema.DOCS_PATH)
    def swagger() -> Response:
        return answer(docs.swagger_page(settings), content_type=docs.HTML_CONTENT_TYPE)

    @routes.get(schema.ASSETS_PATH + "/<name>")
    def asset(name: str) -> Response:
        body, content_type = docs.asset(name)
        return answer(body, content_type=content_type)

    @routes.get(schema.OPENAPI_PATH)
    def openapi() -> Response:
        return jsonify(docs.openapi_document(settings))

    return routes


def handle_errors(app: Flask) -> None:
    """Answer all errors according to the contract, including those of the framework."""

    @app.before_request
    def refuse_double_slash() -> None:
        if request.environ["PATH_INFO"].startswith("//"):  # Flask would take it for one
            raise errors.UnknownPath

    @app.errorhandler(errors.ServiceError)
    def service_error(error: errors.ServiceError) -> Response:
        return problem(error)

    @app.errorhandler(HTTPException)
    def framework_error(error: HTTPException) -> Response:
        return problem(_translate(error))

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        app.logger.error("a handler failed", exc_info=error)
        return Response(errors.INTERNAL_ERROR_BODY, 500, content_type=errors.PROBLEM_CONTENT_TYPE)


def _translate(error: HTTPException) -> errors.ServiceError:
    if isinstance(error, NotFound):
        return errors.UnknownPath()
    if isinstance(error, MethodNotAllowed):
        return errors.MethodNotAllowed(error.valid_methods or ())
    return errors.InvalidRequest("The request cannot be read.")
