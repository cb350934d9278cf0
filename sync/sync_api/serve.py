"""Starting a service: `python -m sync_api.serve scoring|model`, configured by SERVING_* variables."""

import atexit
import logging
import sys
from typing import Any, get_args

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from contract.garbage import set_aside_what_is_loaded
from contract.settings import Role, Settings, SettingsError, load_settings, loggable
from sync_api import lag, web

logger = logging.getLogger("sync_api")


def create_app(settings: Settings) -> Flask:
    """Compose a service; its clients and pools are made here, once per process."""
    app = Flask("sync_api", static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    web.handle_errors(app)
    if settings.role == "scoring":
        _add_scoring(app, settings)
    else:
        from sync_api import model  # noqa: PLC0415 - a service imports only what it runs

        app.register_blueprint(model.make_routes(settings))
        app.register_blueprint(web.make_common_routes(settings, check=lambda: None))
    if settings.lag_sample_ms:
        _sample_lag(settings.lag_sample_ms)
    logger.info("settings: %s", loggable(settings))
    return app


def _add_scoring(app: Flask, settings: Settings) -> None:
    from sync_api import features, model_client, scoring  # noqa: PLC0415

    store = features.FeatureStore(settings)
    models = model_client.ModelClient(settings)

    def check() -> None:
        store.check()
        models.check()

    app.register_blueprint(scoring.make_routes(settings, store, models))
    app.register_blueprint(web.make_common_routes(settings, check))


def _sample_lag(interval_ms: int) -> None:
    sampler = lag.LagSampler(interval_ms)
    sampler.start()
    atexit.register(sampler.stop)  # a thread that logs while the interpreter ends may hold it up or crash it


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads; a stopping worker takes what has arrived, and then closes the door."""

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        # gunicorn leaves its sockets open while it drains: who connects then would wait in vain.
        for listener in self.sockets:
            connections = -1
            while self.nr_conns > connections:
                connections = self.nr_conns
                self.accept(listener)
            listener.close()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with threads, configured by our settings alone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in server_options(self._settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        app = create_app(self._settings)
        if self._settings.gc_freeze:
            set_aside_what_is_loaded()
        return app


def server_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings."""
    return {
        "bind": f"{settings.host}:{settings.port}",
        "worker_class": Worker,
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_connections": settings.threads + settings.max_in_flight,
        "backlog": settings.backlog,
        "keepalive": settings.keep_alive_s,
        "graceful_timeout": settings.drain_timeout_s,
        "accesslog": None,
        "loglevel": settings.log_level,
        "control_socket_disable": True,
    }


def main(argv: list[str]) -> int:
    """Serve until SIGTERM; returns the exit status."""
    if len(argv) != 1 or argv[0] not in get_args(Role):
        print(f"usage: python -m sync_api.serve {'|'.join(get_args(Role))}", file=sys.stderr)
        return 2
    try:
        settings = load_settings("sync", argv[0])  # type: ignore[arg-type]
    except SettingsError as error:
        print(f"sync_api.serve: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    Server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
