"""Serves a service with gunicorn: `python -m sync_api.server scoring|model`, configured by SERVING_* variables."""

import errno
import logging
import selectors
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gthread import TConn, ThreadWorker

from contract import logs
from contract.api_keys import load_keys
from contract.limits import OWN_FILES, open_files, raise_open_files
from contract.settings import Settings, SettingsError, load_settings
from sync_api import serve, web

logger = logging.getLogger("sync_api")

# A role, and the module that creates the app if it is not `serve`.
_COMMANDS = (["scoring"], ["scoring", "idiomatic"], ["model"])
_MOST_CONNECTIONS = 65_536  # if open files have no limit
_AMPLE = 8  # with this many slots per thread, requests that a thread takes at once cannot fill them
_REFUSING_THREADS = 8  # answer refused requests; several, since a slow client or readiness check may block one


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads with a bounded queue: requests beyond the limit are refused at once by separate threads.

    A connection counts from its first byte until it is answered, not while it is idle. A stopping worker still accepts
    the connections that have arrived, and then closes its sockets.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_keepalived = self.worker_connections  # otherwise gunicorn closes idle connections for busy threads
        limit, threads = self.app.settings.max_in_flight, self.cfg.threads
        self._places = [None] * limit  # free slots, taken and returned by single, atomic operations
        # With so few free slots, a system call to check for a closed connection is worth its cost.
        self._few = limit - threads if limit >= _AMPLE * threads else limit
        self._here = _Here()
        self._refusing = ThreadPoolExecutor(_REFUSING_THREADS, "refusing")

    def load_wsgi(self) -> None:
        super().load_wsgi()
        app = self.wsgi

        def answer(environ: dict[str, Any], start_response: Any) -> Any:
            environ[web.FULL] = not self._here.has_place
            try:
                return app(environ, start_response)
            finally:
                self._give_back()  # before the answer is sent, so that the client may send its next request at once

        self.wsgi: Callable[..., Any] = answer

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection and wait for its first request in the poller, not in a thread."""
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
        """Queue a request for a thread, or refuse it at once if too many are waiting."""
        if len(self._places) <= self._few and _has_hung_up(conn):
            self.nr_conns -= 1
            conn.close()
        elif self._places:
            self._places.pop()
            super().enqueue_req(conn)
        else:
            done = partial(self.method_queue.defer, self.finish_request, conn)
            self._refusing.submit(super().handle, conn).add_done_callback(done)

    def handle(self, conn: TConn) -> Any:
        """Answer a request that has a slot; runs in a thread."""
        self._here.has_place = True
        try:
            return super().handle(conn)
        finally:
            self._give_back()  # for a request that did not reach the app

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        # gunicorn keeps its sockets open while it drains: new connections would wait without an answer.
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

    def _give_back(self) -> None:
        if self._here.has_place:
            self._here.has_place = False
            self._places.append(None)

    def _accept_no_more(self, error: OSError) -> None:
        """Stop accepting until a connection ends; gunicorn would end the worker with all its requests."""
        self.worker_connections = max(self.nr_conns, 1)
        logger.error("%s: no connection beyond %d is accepted from now on", error, self.worker_connections)

    def _cap_keepalive(self, deadline: float) -> None:
        """Close idle connections by a deadline, including those that never sent a request."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)


def _has_hung_up(conn: TConn) -> bool:
    """Whether a connection became readable because the client has closed it."""
    if conn.parser and conn.parser.unreader.buf.getvalue():
        return False  # the next request arrived together with the previous one
    try:
        return not conn.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


class _Here(threading.local):
    """Whether the request of this thread has one of the slots for requests in flight."""

    has_place = False


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with threads or other workers, configured only by our settings."""

    def __init__(self, settings: Settings, app: str = "serve", worker: type = Worker) -> None:
        self.settings, self._app, self._worker = settings, app, worker
        super().__init__()

    def load_config(self) -> None:
        for name, value in server_options(self.settings).items():
            self.cfg.set(name, value)
        self.cfg.set("worker_class", self._worker)

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
        "worker_exit": _close_clients,
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


def _close_clients(_: Any, worker: Worker) -> None:
    """Close the clients of a worker's app; gunicorn calls it however a worker ends."""
    opened = worker.app.callable and worker.app.callable.extensions.get(serve.OPENED)
    if opened:
        opened.close()


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
    raise_open_files()
    run(settings, *argv[1:] or ["serve"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
