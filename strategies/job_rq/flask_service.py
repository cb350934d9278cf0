"""`python -m strategies.job_rq.flask_service`: the same jobs behind Flask, with the server of the sync twin."""

from flask import Blueprint, Flask, Response, request

from contract import schema
from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.callbacks import CallbackSettings
from strategies.flask_web import create_app, serve
from strategies.job_rq.jobs import CALLBACK_HEADER, JOBS_PATH, KEY_HEADER, Jobs, Reply
from strategies.job_rq.settings import JobSettings
from sync_api.web import InFlight, read_body


def make_app(settings: Settings) -> Flask:
    """Create the service."""
    jobs = Jobs(JobSettings(), CallbackSettings())
    in_flight = InFlight(settings.max_in_flight)
    routes = Blueprint("job_rq", __name__)

    @routes.post(JOBS_PATH)
    def submit() -> Response:
        with in_flight:
            numbers = parse_scoring_numbers(read_body(request, settings.max_body_bytes))
            return _response(jobs.submit(numbers, *(request.headers.get(n) for n in (KEY_HEADER, CALLBACK_HEADER))))

    @routes.get(JOBS_PATH + "/<job_id>")
    def find(job_id: str) -> Response:
        return _response(jobs.find(job_id))

    return create_app(routes, jobs.statistics)


def _response(reply: Reply) -> Response:
    return Response(reply.body, int(reply.status), dict(reply.headers), content_type=schema.JSON_CONTENT_TYPE)


if __name__ == "__main__":
    serve(make_app)
