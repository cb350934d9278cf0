"""`gunicorn tests.differences.flask_service:service`: scores a row in 40 to 50 ms."""

import os
import random
import time
from pathlib import Path

from flask import Flask, Response, abort, request

_OPENAPI = Path(__file__).with_name("openapi.json").read_text()
_KEY = os.environ.get("SCORE_API_KEY", "")

service = Flask(__name__)


@service.post("/score")
def score() -> dict[str, float]:
    if request.headers.get("X-API-Key", "") != _KEY:
        abort(401)
    time.sleep(random.uniform(0.04, 0.05))
    return {"score": min(max(sum(request.get_json()["row"]) / 100, 0.0), 1.0)}


@service.get("/openapi.json")
def openapi() -> Response:
    return Response(_OPENAPI, content_type="application/json")
