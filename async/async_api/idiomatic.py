"""The scoring handler in the style of FastAPI's tutorial: pydantic models in and out, `Depends` for dependencies.

It gives the same answers as scoring.py, including errors, but uses the framework for the work. As in the tutorial,
plain functions as dependencies run in a thread, and a body is parsed before a dependency can refuse it.
"""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, FiniteFloat, RootModel, Strict

from async_api import serve
from async_api.features import FeatureStore
from async_api.model_client import ModelClient
from async_api.web import InFlight, problem, read_body
from contract.errors import InvalidRequest, ServiceError
from contract.schema import MAX_NUMBERS, check_content_type, check_length, parse_scoring_numbers, predict_path
from contract.scoring import combine, model_input
from contract.settings import Settings
from contract.timing import REQUEST_START_HEADER, start_clock


class Numbers(RootModel[list[Annotated[FiniteFloat, Strict()]]]):
    """The body of a request."""

    root: list[Annotated[FiniteFloat, Strict()]] = Field(min_length=1, max_length=MAX_NUMBERS)


class _Answer(BaseModel):
    detail: float


class _Json(JSONResponse):
    """JSON with exactly the contract's bytes: a space after each colon."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content).encode()


def make_routes(settings: Settings, features: FeatureStore, models: ModelClient) -> APIRouter:
    """Return the endpoint of the scoring handler."""
    routes = APIRouter(strict_content_type=False)
    in_flight = InFlight(settings.max_in_flight)

    def get_settings() -> Settings:
        return settings

    def get_features() -> FeatureStore:
        return features

    def get_models() -> ModelClient:
        return models

    async def check_body(request: Request, settings: Annotated[Settings, Depends(get_settings)]) -> None:
        check_content_type(request.headers.get("Content-Type"))
        check_length(len(await request.body()), settings.max_body_bytes)

    @routes.post(predict_path(settings.architecture), response_class=_Json, dependencies=[Depends(check_body)])
    async def predict(
        numbers: Numbers,
        request: Request,
        response: Response,
        settings: Annotated[Settings, Depends(get_settings)],
        features: Annotated[FeatureStore, Depends(get_features)],
        models: Annotated[ModelClient, Depends(get_models)],
        entity_id: Annotated[list[str] | None, Query()] = None,
    ) -> _Answer:
        clock = start_clock(settings.stage_clock, request.headers.get(REQUEST_START_HEADER))
        with in_flight:
            stored = await features.fetch(entity_id[0] if entity_id else None, await request.body())
            clock.end("features")
            replies = await models.ask_all(model_input(numbers.root, stored))
            clock.end_models(replies)
            response.headers.update(clock.header())
            return _Answer(detail=round(combine(replies), 6))

    return routes


def create_app(settings: Settings) -> FastAPI:
    """Create the service. What FastAPI rejects is answered with the contract's error."""

    async def refuse(request: Request, _: Exception) -> Response:
        try:
            parse_scoring_numbers(await read_body(request, settings.max_body_bytes))
        except ServiceError as error:
            return problem(error)
        return problem(InvalidRequest("The request cannot be read."))

    app = serve.create_app(settings, make_routes)
    app.add_exception_handler(RequestValidationError, refuse)
    app.add_exception_handler(400, refuse)  # raised by the parser itself
    return app


def load_scoring() -> FastAPI:
    """Create the scoring handler in a server process."""
    return create_app(serve.prepare("scoring"))
