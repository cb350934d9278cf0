"""`python -m strategies.workers.service sync|gthread`: a model in Flask, in SERVING_WORKERS processes of gunicorn."""

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

import psutil
from flask import Blueprint, Flask, Response, request
from gunicorn.workers.sync import SyncWorker

from contract.schema import parse_scoring_numbers
from contract.settings import Settings
from strategies.flask_web import SCORE_PATH, create_app, serve
from strategies.workers.model import body_of, make_model
from sync_api.http.worker import Worker
from sync_api.web import InFlight, answer, read_body

WORKERS: Final[Mapping[str, type]] = {"sync": SyncWorker, "gthread": Worker}


def make_app(settings: Settings) -> Flask:
    """Create the service in a worker process."""
    model, in_flight = make_model(settings), InFlight(settings.max_in_flight)
    routes = Blueprint("workers", __name__)

    @routes.post(SCORE_PATH)
    def score() -> Response:
        with in_flight:
            numbers = parse_scoring_numbers(read_body(request, settings.max_body_bytes))
            model.burn_cpu()
            time.sleep(model.draw_s())
            return answer(body_of(numbers))

    return create_app(routes, statistics)


def statistics() -> dict[str, Any]:
    """Return the process that answers, and all workers of its gunicorn."""
    return {"pid": os.getpid(), "pids": [child.pid for child in psutil.Process(os.getppid()).children()]}


if __name__ == "__main__":
    serve(make_app, WORKERS[sys.argv[1]])
