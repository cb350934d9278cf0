"""What the Flask services of the strategies share, as web.py for FastAPI: errors, health checks, statistics, server."""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import Blueprint, Flask, Response, jsonify

from contract import logs, schema
from contract.api_keys import refuse_keys
from contract.garbage_collection import freeze_startup_objects
from contract.limits import raise_open_files
from contract.settings import Settings, SettingsError, load_settings
from sync_api.http.worker import Worker
from sync_api.server import Server
from sync_api.web import answer, handle_errors

# As in strategies.web, which a Flask process must not load: it would bring FastAPI with it.
STATISTICS_PATH: Final = "/api/v1/stats"
SCORE_PATH: Final = "/api/v1/score"


def create_app(routes: Blueprint, statistics: Callable[[], Mapping[str, Any]] = dict) -> Flask:
    """Create a service from its routes. `statistics` are those of the worker process that is asked."""
    app = Flask("strategies", static_folder=None)
    app.debug = False  # whatever FLASK_DEBUG says
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    handle_errors(app)

    @app.get(schema.HEALTHCHECK_PATH)
    @app.get(schema.READY_PATH)
    def healthcheck() -> Response:
        return answer(schema.OK_BODY)

    @app.get(STATISTICS_PATH)
    def stats() -> Response:
        return jsonify(statistics())

    app.register_blueprint(routes)
    freeze_startup_objects()
    return app


def serve(create: Callable[[Settings], Flask], worker: type = Worker) -> None:
    """Serve an app until SIGTERM, configured by SERVING_* variables, with gunicorn as the sync twin runs it."""
    try:
        settings = load_settings("sync", "scoring")
        refuse_keys(settings)
        logs.set_up(settings)
    except SettingsError as error:
        sys.exit(f"{sys.argv[0]}: {error}")
    raise_open_files()
    _Server(settings, create, worker).run()


class _Server(Server):
    """gunicorn with the settings of the sync twin and an app of one's own."""

    def __init__(self, settings: Settings, create: Callable[[Settings], Flask], worker: type) -> None:
        self._create = create
        super().__init__(settings, worker=worker)

    def load(self) -> Flask:
        return self._create(self.settings)
