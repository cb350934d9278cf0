"""The scoring handler in the style of Flask's documentation: `request.get_json`, a pydantic model, `jsonify`.

It gives the same answers as scoring.py, including errors, but uses the framework for the work.
"""

from typing import Annotated, Any

from flask import Blueprint, Flask, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from gunicorn.http.errors import ParseException
from pydantic import Field, FiniteFloat, RootModel, Strict, ValidationError
from werkzeug.exceptions import BadRequest, ClientDisconnected, RequestEntityTooLarge

from contract.errors import BodyTooLarge, InvalidRequest
from contract.schema import MAX_NUMBERS, check_content_type, check_length, parse_scoring_numbers, predict_path
from contract.scoring import combine, model_input
from contract.settings import Settings
from contract.timing import REQUEST_START_HEADER, start_clock
from sync_api import serve
from sync_api.features import FeatureStore
from sync_api.model_client import ModelClient
from sync_api.web import InFlight, problem


class Numbers(RootModel[list[Annotated[FiniteFloat, Strict()]]]):
    """The body of a request."""

    root: list[Annotated[FiniteFloat, Strict()]] = Field(min_length=1, max_length=MAX_NUMBERS)


class _Json(DefaultJSONProvider):
    """JSON with exactly the contract's bytes: a space after each colon, no newline at the end."""

    def response(self, *args: Any, **kwargs: Any) -> Response:
        body = self.dumps(self._prepare_response_obj(args, kwargs))
        return Response(body, mimetype=self.mimetype)


def make_routes(settings: Settings, features: FeatureStore, models: ModelClient) -> Blueprint:
    """Return the endpoint of the scoring handler."""
    routes = Blueprint("scoring", __name__)
    in_flight = InFlight(settings.max_in_flight)

    @routes.post(predict_path(settings.architecture))
    def predict() -> Response:
        clock = start_clock(settings.stage_clock, request.headers.get(REQUEST_START_HEADER))
        with in_flight:
            check_content_type(request.headers.get("Content-Type"))
            request.max_content_length = settings.max_body_bytes + 1  # limits a body without Content-Length
            body = request.get_data()
            check_length(len(body), settings.max_body_bytes)
            numbers = Numbers.model_validate(request.get_json(force=True))
            clock.end("parse")
            stored = features.fetch(request.args.get("entity_id"), body)
            clock.end("features")
            replies = models.ask_all(model_input(numbers.root, stored))
            clock.end_models(replies)
            response = jsonify(detail=round(combine(replies), 6))
            response.headers.update(clock.header())
            return response

    @routes.errorhandler(BadRequest)
    @routes.errorhandler(RecursionError)  # of the parser, for deeply nested arrays
    @routes.errorhandler(ValidationError)
    def refuse(_: Exception) -> Response:
        """Answer with the contract's error for what Flask rejects."""
        try:
            parse_scoring_numbers(request.get_data())
        except InvalidRequest as error:
            return problem(error)
        return problem(InvalidRequest("The request cannot be read."))

    @routes.errorhandler(ClientDisconnected)
    @routes.errorhandler(ParseException)  # gunicorn's, for an invalid chunk
    def unreadable(_: Exception) -> Response:
        return problem(InvalidRequest("The body cannot be read."))

    @routes.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> Response:
        return problem(BodyTooLarge(settings.max_body_bytes))

    return routes


def create_app(settings: Settings) -> Flask:
    """Create the service."""
    app = serve.create_app(settings, make_routes)
    app.json = _Json(app)
    return app


def load_scoring() -> Flask:
    """Create the scoring handler in a server process."""
    return create_app(serve.prepare("scoring"))
