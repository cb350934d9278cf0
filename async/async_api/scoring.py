"""The scoring handler: parse, features, model input, ask the models, answer."""

from fastapi import APIRouter, Request, Response

from async_api.features import FeatureStore
from async_api.model_client import ModelClient
from async_api.web import InFlight, answer, read_body
from contract.schema import encode_answer, parse_scoring_numbers, predict_path
from contract.scoring import combine, model_input, requested_entity
from contract.settings import Settings
from contract.timing import REQUEST_START_HEADER, start_clock


def make_routes(settings: Settings, features: FeatureStore, models: ModelClient) -> APIRouter:
    """Return the endpoint of the scoring handler."""
    routes = APIRouter()
    in_flight = InFlight(settings.max_in_flight)

    @routes.post(predict_path(settings.architecture))
    async def predict(request: Request) -> Response:
        clock = start_clock(settings.stage_clock, request.headers.get(REQUEST_START_HEADER))
        with in_flight:
            body = await read_body(request, settings.max_body_bytes)
            numbers = parse_scoring_numbers(body)
            clock.end("parse")
            stored = await features.fetch(requested_entity(request.scope["query_string"]), body)
            clock.end("features")
            replies = await models.ask_all(model_input(numbers, stored))
            clock.end_models(replies)
            return answer(encode_answer(combine(replies)), clock.header())

    return routes
