"""Starting a service: `python -m sync_api.serve scoring|model`, configured by SERVING_* variables."""

import atexit
import errno
import logging
import selectors
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from typing import Any, get_args

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import TConn, ThreadWorker

from contract.garbage import set_aside_what_is_loaded
from contract.limits import OWN_FILES, open_files, raise_open_files
from contract.settings import Role, Settings, SettingsError, load_settings
from sync_api import lag, web

logger = logging.getLogger("sync_api")

OPENED = "sync_api.opened"  # among an app's extensions: what closes its clients
_MOST_CONNECTIONS = 65_536  # where open files have no limit
_REFUSING_THREADS = 8  # they answer what is not let in; a slow reader or readiness check may hold up one of them


def create_app(settings: Settings) -> Flask:
    """Compose a service; its clients and pools are made here, once per process, and closed with its worker."""
    app = Flask("sync_api", static_folder=None)
    app.debug = False  # whatever FLASK_DEBUG says
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
    logger.info("settings: %s", settings.model_dump(exclude={"redis_url"}))  # its URL may hold a password
    return app


def _add_scoring(app: Flask, settings: Settings) -> None:
    from sync_api import features, model_client, scoring  # noqa: PLC0415

    with ExitStack() as opened:  # closed in reverse, each of them, even if closing another fails
        store = opened.enter_context(closing(features.FeatureStore(settings)))
        models = opened.enter_context(closing(model_client.ModelClient(settings)))
        app.extensions[OPENED] = opened.pop_all()

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
    """gunicorn's threads, with an end to the queue before them: what exceeds it is answered at once by a few others.

    A connection counts from the moment that it has sent something until it is answered, not while it is idle.
    A stopping worker takes what has arrived, and then closes the door.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_keepalived = self.worker_connections  # gunicorn would have threads that are busy cost idle ones
        self._free = self.app.settings.max_in_flight  # used by the main thread alone, and so without a lock
        self._mark = _Mark()
        self._refusing = ThreadPoolExecutor(_REFUSING_THREADS, "refusing", self._mark.refuse)

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self.wsgi: Callable[..., Any] = _telling(self.wsgi, self._mark)

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait for its first request where those wait that are kept: not in a thread."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._accept_no_more(error)
            elif error.errno not in {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}:
                raise
            return
        self.nr_conns += 1
        conn = TConn(self.cfg, client, address, listener.getsockname())
        conn.set_timeout()
        self.pending_conns.append(conn)
        self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: TConn) -> None:
        """Have a request answered: by a thread when one is free, or refused at once if too many wait for one."""
        if self._free:
            self._free -= 1
            super().enqueue_req(conn)
            return
        done = partial(self.method_queue.defer, super().finish_request, conn)
        self._refusing.submit(self.handle, conn).add_done_callback(done)

    def finish_request(self, conn: TConn, fs: "Future[Any]") -> None:
        self._free += 1
        super().finish_request(conn, fs)

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

    def run(self) -> None:
        try:
            super().run()
        finally:
            self._refusing.shutdown(wait=False)

    def _accept_no_more(self, error: OSError) -> None:
        """Let new connections wait until one ends; gunicorn would end the worker, and all its requests."""
        self.worker_connections = max(self.nr_conns, 1)
        logger.error("%s: no connection beyond %d is accepted from now on", error, self.worker_connections)

    def _cap_keepalive(self, deadline: float) -> None:
        """Close idle connections by a deadline, those that have never asked included."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)


class _Mark(threading.local):
    """Whether a thread only refuses."""

    refuses = False

    def refuse(self) -> None:
        self.refuses = True


def _telling(app: Callable[..., Any], mark: _Mark) -> Callable[..., Any]:
    """Return the app, told with every request whether there is a place for it."""

    def answer(environ: dict[str, Any], start_response: Any) -> Any:
        environ[web.FULL] = mark.refuses
        return app(environ, start_response)

    return answer


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with threads, configured by our settings alone."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in server_options(self.settings).items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        app = create_app(self.settings)
        if self.settings.gc_freeze:
            set_aside_what_is_loaded()
        return app


def server_options(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings."""
    return {
        "bind": f"{settings.host}:{settings.port}",
        "worker_class": Worker,
        "workers": settings.workers,
        "threads": settings.threads,
        "worker_connections": _connections(settings),
        "backlog": settings.backlog,
        "keepalive": settings.keep_alive_s,
        "graceful_timeout": settings.drain_timeout_s,
        "accesslog": None,
        "loglevel": settings.log_level,
        "control_socket_disable": True,
        "worker_exit": _close_clients,
        # What else would depend on which packages are installed, or on the environment.
        "http_parser": "python",
        "sendfile": False,
        "forwarded_allow_ips": "127.0.0.1,::1",
        "default_proc_name": "sync_api",
        "raw_env": ["SCRIPT_NAME="],
    }


def _connections(settings: Settings) -> int:
    """Return how many connections a worker may have: what open files leave beside those to the store and the models.

    So it is open files, as with the async twin, that end accepting, and never a number of requests.
    """
    files = open_files().soft
    if files is None:
        return _MOST_CONNECTIONS
    asked = 1 + len(settings.model_urls) if settings.role == "scoring" else 0
    reserved = OWN_FILES + asked * settings.threads
    return min(max(files - reserved, (files - OWN_FILES) // (1 + asked), settings.threads + 1), _MOST_CONNECTIONS)


def _close_clients(_: Any, worker: Worker) -> None:
    """Close what a worker's app has opened; gunicorn calls it when a worker ends, whichever way it does."""
    opened = worker.app.callable and worker.app.callable.extensions.get(OPENED)
    if opened:
        opened.close()


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
    raise_open_files()
    Server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
