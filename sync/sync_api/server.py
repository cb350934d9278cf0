"""Serves a service with gunicorn: `python -m sync_api.server scoring|model`, configured by SERVING_* variables."""

import signal
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from contract import logs, wire
from contract.api_keys import load_keys
from contract.limits import OWN_FILES, open_files, raise_open_files
from contract.settings import Settings, SettingsError, load_settings
from sync_api import serve
from sync_api.http.worker import Worker

# A role, and the module that creates the app if it is not `serve`.
_COMMANDS = (["scoring"], ["scoring", "idiomatic"], ["model"])
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
_MOST_CONNECTIONS = 65_536  # if open files have no limit


# By nohup, before the start. Others are ignored by a shell that starts a job in the background.
_IGNORED = (signal.SIGHUP,) if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else ()


class Drainer(Arbiter):  # type: ignore[misc]
    """gunicorn's main process; every signal that asks to end drains, where gunicorn would reload or end at once."""

    def init_signals(self) -> None:
        super().init_signals()
        for ignored in _IGNORED:
            signal.signal(ignored, signal.SIG_IGN)

    def handle_hup(self) -> None:
        raise StopIteration

    handle_int = handle_quit = handle_hup

    def spawn_worker(self) -> Any:
        """Start a worker that loses no signal, though it inherits handlers that are not its own."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)  # in the worker until its app is loaded
        try:
            return super().spawn_worker()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with threads or other workers, configured only by our settings."""

    def __init__(self, settings: Settings, app: str = "serve", worker: type = Worker) -> None:
        self.settings, self._app, self._worker = settings, app, worker
        super().__init__()

    def load_config(self) -> None:
        for name, value in server_options(self.settings).items():
            self.cfg.set(name, value)
        self.cfg.set("worker_class", self._worker)

    def run(self) -> None:
        Drainer(self).run()

    def load(self) -> Flask:
        app: Flask = import_module(f"sync_api.{self._app}").create_app(self.settings)
        return app


class ServiceLog(Logger):  # type: ignore[misc]
    """gunicorn's log as part of the service's. With a `logconfig` it would also log every request."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def server_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings."""
    return {
        "bind": f"{settings.host}:{settings.port}",
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_connections": _connections(settings),
        "backlog": settings.backlog,
        "keepalive": settings.keep_alive_s,
        "graceful_timeout": settings.drain_timeout_s,
        "accesslog": None,
        "loglevel": settings.log_level,
        "logger_class": ServiceLog if logs.is_own(settings) else Logger,
        "control_socket_disable": True,
        "post_worker_init": _drain_at_signals,
        "worker_exit": _close_clients,
        "limit_request_line": wire.MAX_LINE_BYTES,
        "limit_request_fields": wire.MAX_FIELDS,
        "limit_request_field_size": wire.MAX_FIELD_BYTES + 2,  # gunicorn counts the line break
        # No header of a client or proxy changes what a request means.
        "secure_scheme_headers": {},
        "forwarder_headers": "",
        # Set explicitly: the defaults depend on installed packages or on the environment.
        "http_parser": "python",
        "sendfile": False,
        "forwarded_allow_ips": "127.0.0.1,::1",
        "default_proc_name": "sync_api",
        "raw_env": ["SCRIPT_NAME="],
    }


def _connections(settings: Settings) -> int:
    """Return how many connections a worker may have: the open files minus those for the store and the models.

    As in the async twin, only the limit of open files ends accepting, never a number of requests.
    """
    files = open_files().soft
    if files is None:
        return _MOST_CONNECTIONS
    asked = 1 + len(settings.model_urls) if settings.role == "scoring" else 0
    reserved = OWN_FILES + asked * settings.threads
    return min(max(files - reserved, (files - OWN_FILES) // (1 + asked), settings.threads + 1), _MOST_CONNECTIONS)


def _drain_at_signals(worker: Any) -> None:
    """Have a worker of any class drain at every signal that asks to end, and at those that came while it started."""
    for stopping in _STOPPING:
        signal.signal(stopping, signal.SIG_IGN if stopping in _IGNORED else worker.handle_exit)
        signal.siginterrupt(stopping, False)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)


def _close_clients(_: Any, worker: Worker) -> None:
    """Close the clients of a worker's app; gunicorn calls it however a worker ends."""
    opened = worker.app.callable and worker.app.callable.extensions.get(serve.OPENED)
    if opened:
        opened.close()


def _end(*_: object) -> None:
    sys.exit(0)


def run(settings: Settings, app: str) -> None:
    """Serve in worker processes, until SIGTERM."""
    Server(settings, app).run()


def main(argv: list[str], run: Callable[[Settings, str], None] = run) -> int:
    """Serve until SIGTERM with the server `run`; return the exit status."""
    if argv not in _COMMANDS:
        print("usage: python -m sync_api.server scoring [idiomatic] | model", file=sys.stderr)
        return 2
    try:
        settings = load_settings("sync", argv[0])  # type: ignore[arg-type]
        logs.set_up(settings)
        load_keys(settings)  # those that cannot be read are refused here, before there are workers
    except SettingsError as error:
        print(f"sync_api.server: {error}", file=sys.stderr)
        return 2
    for stopping in _STOPPING:  # until gunicorn has its own handlers
        if stopping not in _IGNORED:
            signal.signal(stopping, _end)
    raise_open_files()
    run(settings, *argv[1:] or ["serve"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
