"""The model service: parse, draw a duration, wait that long, answer with it."""

import time

from flask import Blueprint, Response, request

from contract.model import FakeModel
from contract.schema import encode_answer, parse_model_numbers, predict_path
from contract.settings import Settings
from contract.timing import REQUEST_START_HEADER, start_clock
from sync_api.web import InFlight, answer, read_body


def make_routes(settings: Settings) -> Blueprint:
    """Return the endpoint of the model."""
    routes = Blueprint("model", __name__)
    in_flight = InFlight(settings.max_in_flight)
    model = FakeModel(settings)

    @routes.post(predict_path(settings.architecture))
    def predict() -> Response:
        clock = start_clock(settings.stage_clock, request.headers.get(REQUEST_START_HEADER))
        with in_flight:
            parse_model_numbers(read_body(request, settings.max_body_bytes))
            clock.end("parse")
            detail_s = model.draw_s()
            model.burn_cpu()
            clock.end("compute")
            time.sleep(detail_s)
            clock.end("sleep")
            return answer(encode_answer(detail_s), clock.header())

    return routes
