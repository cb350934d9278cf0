"""`python -m strategies.blocking.flask_service`: the same blocking model in Flask, with the server of the sync twin."""

from flask import Blueprint, Flask, Response, request

from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.blocking.model import ModelSettings, predict
from strategies.flask_web import SCORE_PATH, create_app, serve
from sync_api.web import InFlight, answer, read_body


def make_app(settings: Settings) -> Flask:
    """Create the service. It blocks a thread for each request, as Flask always does."""
    model_ms = ModelSettings().model_ms
    in_flight = InFlight(settings.max_in_flight)
    routes = Blueprint("blocking", __name__)

    @routes.post(SCORE_PATH)
    def score() -> Response:
        with in_flight:
            numbers = parse_scoring_numbers(read_body(request, settings.max_body_bytes))
            return answer(predict(numbers, model_ms))

    return create_app(routes)


if __name__ == "__main__":
    serve(make_app)
