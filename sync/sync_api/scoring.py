"""The scoring handler: parse, features, model input, ask the models, answer."""

from flask import Blueprint, Response, request

from contract.schema import encode_answer, parse_scoring_numbers, predict_path
from contract.scoring import combine, model_input, requested_entity
from contract.settings import Settings
from contract.timing import REQUEST_START_HEADER, start_clock
from sync_api.features import FeatureStore
from sync_api.model_client import ModelClient
from sync_api.web import InFlight, answer, read_body


def make_routes(settings: Settings, features: FeatureStore, models: ModelClient) -> Blueprint:
    """Return the endpoint of the scoring handler."""
    routes = Blueprint("scoring", __name__)
    in_flight = InFlight(settings.max_in_flight)

    @routes.post(predict_path(settings.architecture))
    def predict() -> Response:
        clock = start_clock(settings.stage_clock, request.headers.get(REQUEST_START_HEADER))
        with in_flight:
            body = read_body(request, settings.max_body_bytes)
            numbers = parse_scoring_numbers(body)
            clock.end("parse")
            stored = features.fetch(requested_entity(request.query_string), body)
            clock.end("features")
            replies = models.ask_all(model_input(numbers, stored))
            clock.end_models(replies)
            return answer(encode_answer(combine(replies)), clock.header())

    return routes
