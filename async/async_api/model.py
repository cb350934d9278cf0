"""The model service: parse, draw a duration, wait that long, answer with it."""

import asyncio

from fastapi import APIRouter, Request, Response

from async_api.web import InFlight, answer, read_body
from contract.model import FakeModel
from contract.schema import encode_answer, parse_model_numbers, predict_path
from contract.settings import Settings
from contract.timing import REQUEST_START_HEADER, start_clock


def make_routes(settings: Settings) -> APIRouter:
    """Return the endpoint of the model."""
    routes = APIRouter()
    in_flight = InFlight(settings.max_in_flight)
    model = FakeModel(settings)

    @routes.post(predict_path(settings.architecture))
    async def predict(request: Request) -> Response:
        clock = start_clock(settings.stage_clock, request.headers.get(REQUEST_START_HEADER))
        with in_flight:
            parse_model_numbers(await read_body(request, settings.max_body_bytes))
            clock.end("parse")
            detail_s = model.draw_s()
            model.burn_cpu()
            clock.end("compute")
            await asyncio.sleep(detail_s)
            clock.end("sleep")
            return answer(encode_answer(detail_s), clock.header())

    return routes
