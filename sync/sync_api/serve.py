"""Creates the app of a service. Servers load it by name: `gunicorn 'sync_api.serve:load_scoring()'`."""

import atexit
import logging
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from contract import logs
from contract.garbage_collection import freeze_startup_objects
from contract.settings import Role, Settings, load_settings, loggable
from sync_api import lag, middleware, web

if TYPE_CHECKING:
    from sync_api.features import FeatureStore
    from sync_api.model_client import ModelClient

logger = logging.getLogger("sync_api")

_MakeRoutes = Callable[[Settings, "FeatureStore", "ModelClient"], Blueprint]
OPENED = "sync_api.opened"  # key in app.extensions: closes the app's clients


def create_app(settings: Settings, make_scoring: _MakeRoutes | None = None) -> Flask:
    """Create a service. Its clients and pools are created here, once per process, and closed with the worker.

    `make_scoring` replaces the endpoint of the scoring handler.
    """
    app = Flask("sync_api", static_folder=None)
    app.debug = False  # whatever FLASK_DEBUG says
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    web.handle_errors(app)
    middleware.add(app, settings)
    if settings.role == "scoring":
        _add_scoring(app, settings, make_scoring)
    else:
        _add_model(app, settings)
    if settings.lag_sample_ms:
        _sample_lag(settings.lag_sample_ms)
    logger.info("settings: %s", loggable(settings))
    if settings.gc_freeze:
        freeze_startup_objects()
    return app


def load_scoring() -> Flask:
    """Create the scoring handler in a server process."""
    return create_app(prepare("scoring"))


def load_model() -> Flask:
    """Create the model service in a server process."""
    return create_app(prepare("model"))


def prepare(role: Role) -> Settings:
    """Read the settings of a server process and set up its log."""
    settings = load_settings("sync", role)
    logs.set_up(settings)
    return settings


def _add_scoring(app: Flask, settings: Settings, make_routes: _MakeRoutes | None) -> None:
    from sync_api import features, model_client, scoring  # noqa: PLC0415 - a service imports only what it runs

    with ExitStack() as opened:  # closes both in reverse order, even if closing one fails
        store = opened.enter_context(closing(features.FeatureStore(settings)))
        models = opened.enter_context(closing(model_client.ModelClient(settings)))
        app.extensions[OPENED] = opened.pop_all()

    def check() -> None:
        store.check()
        models.check()

    make_routes = make_routes or scoring.make_routes
    app.register_blueprint(make_routes(settings, store, models))
    app.register_blueprint(web.make_common_routes(settings, check))


def _add_model(app: Flask, settings: Settings) -> None:
    from sync_api import model  # noqa: PLC0415

    def check() -> None:
        return

    app.register_blueprint(model.make_routes(settings))
    app.register_blueprint(web.make_common_routes(settings, check))


def _sample_lag(interval_ms: int) -> None:
    sampler = lag.LagSampler(interval_ms)
    sampler.start()
    atexit.register(sampler.stop)  # a thread that logs while the interpreter exits may block or crash it
