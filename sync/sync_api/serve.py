"""Composing a service; a server loads it by name: `gunicorn 'sync_api.serve:load_scoring()'`."""

import atexit
import logging
import sys
from contextlib import ExitStack, closing

from flask import Flask

from contract.garbage import set_aside_what_is_loaded
from contract.settings import Role, Settings, load_settings, loggable
from sync_api import lag, web

logger = logging.getLogger("sync_api")

OPENED = "sync_api.opened"  # among an app's extensions: what closes its clients


def create_app(settings: Settings) -> Flask:
    """Compose a service; its clients and pools are made here, once per process, and closed with its worker."""
    app = Flask("sync_api", static_folder=None)
    app.debug = False  # whatever FLASK_DEBUG says
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    web.handle_errors(app)
    add_service = _add_scoring if settings.role == "scoring" else _add_model
    add_service(app, settings)
    if settings.lag_sample_ms:
        _sample_lag(settings.lag_sample_ms)
    logger.info("settings: %s", loggable(settings))
    if settings.gc_freeze:
        set_aside_what_is_loaded()
    return app


def load_scoring() -> Flask:
    """Build the scoring handler in a server process."""
    return _load("scoring")


def load_model() -> Flask:
    """Build the model service in a server process."""
    return _load("model")


def _load(role: Role) -> Flask:
    settings = load_settings("sync", role)
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    return create_app(settings)


def _add_scoring(app: Flask, settings: Settings) -> None:
    from sync_api import features, model_client, scoring  # noqa: PLC0415 - a service imports only what it runs

    with ExitStack() as opened:  # closed in reverse, each of them, even if closing another fails
        store = opened.enter_context(closing(features.FeatureStore(settings)))
        models = opened.enter_context(closing(model_client.ModelClient(settings)))
        app.extensions[OPENED] = opened.pop_all()

    def check() -> None:
        store.check()
        models.check()

    app.register_blueprint(scoring.make_routes(settings, store, models))
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
    atexit.register(sampler.stop)  # a thread that logs while the interpreter ends may hold it up or crash it
