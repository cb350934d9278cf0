"""The server of a service: `python -m sync_api.server scoring|model`, configured by SERVING_* variables."""

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
from gunicorn.workers.gthread import TConn, ThreadWorker

from contract.limits import OWN_FILES, open_files, raise_open_files
from contract.settings import Settings, SettingsError, load_settings
from sync_api import serve, web

logger = logging.getLogger("sync_api")

# A role, and the module that composes it if that is another one than `serve`.
_COMMANDS = (["scoring"], ["scoring", "idiomatic"], ["model"])
_MOST_CONNECTIONS = 65_536  # where open files have no limit
_AMPLE = 8  # so many times as many places as threads: what a thread takes at once is not what fills them
_REFUSING_THREADS = 8  # they answer what is not let in; a slow reader or readiness check may hold up one of them


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads, with an end to the queue before them: what exceeds it is answered at once by a few others.

    A connection counts from the moment that it has sent something until it is answered, not while it is idle.
    A stopping worker takes what has arrived, and then closes the door.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.max_keepalived = self.worker_connections  # gunicorn would have threads that are busy cost idle ones
        limit, threads = self.app.settings.max_in_flight, self.cfg.threads
        self._places = [None] * limit  # taken and given back by single, atomic operations
        # So few left that it is worth a system call to see whether there is a request: it would wait for a thread.
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
                self._give_back()  # before the answer is sent, so that who has it may ask again at once

        self.wsgi: Callable[..., Any] = answer

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
        """Answer a request that has a place; runs in a thread."""
        self._here.has_place = True
        try:
            return super().handle(conn)
        finally:
            self._give_back()  # of a request that never came to the app

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

    def _give_back(self) -> None:
        if self._here.has_place:
            self._here.has_place = False
            self._places.append(None)

    def _accept_no_more(self, error: OSError) -> None:
        """Let new connections wait until one ends; gunicorn would end the worker, and all its requests."""
        self.worker_connections = max(self.nr_conns, 1)
        logger.error("%s: no connection beyond %d is accepted from now on", error, self.worker_connections)

    def _cap_keepalive(self, deadline: float) -> None:
        """Close idle connections by a deadline, those that have never asked included."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)


def _has_hung_up(conn: TConn) -> bool:
    """Whether a connection became readable because its client has closed it, which is no request."""
    if conn.parser and conn.parser.unreader.buf.getvalue():
        return False  # a request that came with the one before
    try:
        return not conn.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


class _Here(threading.local):
    """Whether the request that this thread answers has a place among those that may be in flight."""

    has_place = False


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with threads, or with other workers, configured by our settings alone."""

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
    opened = worker.app.callable and worker.app.callable.extensions.get(serve.OPENED)
    if opened:
        opened.close()


def run(settings: Settings, app: str) -> None:
    """Serve in worker processes, until SIGTERM."""
    Server(settings, app).run()


def main(argv: list[str], run: Callable[[Settings, str], None] = run) -> int:
    """Serve until SIGTERM, in the way that `run` does; returns the exit status."""
    if argv not in _COMMANDS:
        print("usage: python -m sync_api.server scoring [idiomatic] | model", file=sys.stderr)
        return 2
    try:
        settings = load_settings("sync", argv[0])  # type: ignore[arg-type]
    except SettingsError as error:
        print(f"sync_api.server: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr)
    raise_open_files()
    run(settings, *argv[1:] or ["serve"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
