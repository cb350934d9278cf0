"""The worker of the sync twin: one thread reads the requests of all connections, others answer whole ones.

So a client that is slow to send holds no thread, as if a buffering proxy stood in front of gunicorn.
"""

import errno
import heapq
import logging
import socket
import time
from contextlib import suppress
from email.utils import formatdate
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from contract import errors, wire
from sync_api.http import held
from sync_api.http.connection import Connection, Output, State
from sync_api.http.incoming import Incoming
from sync_api.http.parsing import parse
from sync_api.http.threads import Threads

logger = logging.getLogger("sync_api")

_ASIDE_THREADS = 8  # answer what is no work while all others are busy; several, since a readiness check may block one
_ACCEPT_AT_ONCE = 16
_SWEEP_S = 1.0
_LINGER_S = 2.0  # for a client to read its last answer, while what it still sends is discarded
_FAILED = errors.ServiceError("The service failed; its log says why.")  # 500
_STOP_IDLE_S = 2.0  # how long a stopping worker keeps idle connections, on which a request may be on its way


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threads behind a poller that reads, limits and refuses without blocking.

    POST requests in flight are limited, those that wait for a thread included: the next is refused at once, without a
    thread. Everything else is answered meanwhile by a few threads of its own.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.alive = True
        self._settings = self.app.settings
        self._connections: set[Connection] = set()
        self._in_flight: set[Connection] = set()  # threads remove theirs: single operations on sets are atomic
        self._aside = Threads(_ASIDE_THREADS, "aside", self.handle)
        self._name = self._settings.host, self._settings.port
        self._refusals: dict[bool, bytes] = {}  # by whether the connection is kept
        self._next_sweep_s = 0.0

    def init_process(self) -> None:
        """Prepare and run, in the new process; as gthread does, but for its thread pool and selector."""
        self.poller = held.make_poller()
        self.method_queue.init()
        super(ThreadWorker, self).init_process()

    def run(self) -> None:
        """Serve until a signal, then drain."""
        self.poller.register(self.method_queue.fileno(), 0, self.method_queue.run_callbacks)
        self.tpool = Threads(self.cfg.threads, "handler", self.handle)
        for pool in (self.tpool, self._aside):
            pool.start()
        self.set_accept_enabled(True)
        self._sweep()
        while self.alive:
            self.poller.dispatch(_SWEEP_S)
            if time.monotonic() >= self._next_sweep_s:
                if not self.is_parent_alive():
                    break
                self._sweep()
        self.alive = False
        self._drain()

    def _drain(self) -> None:
        """Take what has arrived, accept no more, and wait for the requests in flight."""
        deadline_s = time.monotonic() + self.cfg.graceful_timeout
        self.set_accept_enabled(False)
        # gunicorn keeps its sockets open while it drains: new connections would wait without an answer.
        for listener in self.sockets:
            while self._accept_one(listener):
                pass
            listener.close()
        while self._connections and time.monotonic() < deadline_s:
            self.poller.dispatch(_SWEEP_S / 10)
            self._sweep()
        for conn in list(self._connections):
            if conn.state is not State.BUSY:
                self._close(conn)

    def accept(self, listener: socket.socket) -> None:
        """Accept connections; their requests are waited for in the poller."""
        if len(self._connections) >= self.worker_connections and not self._make_room():
            self.set_accept_enabled(False)  # until a connection ends
            return
        for _ in range(min(_ACCEPT_AT_ONCE, self.worker_connections - len(self._connections))):
            if not self._accept_one(listener):
                return

    def _accept_one(self, listener: socket.socket) -> bool:
        try:
            client = held.accept(listener)
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._accept_fewer(error)
            elif error.errno not in {errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED}:
                raise
            return False
        conn = Connection(client, self._name, Incoming(self._settings.max_body_bytes))
        conn.sock = Output(client, self._settings.request_timeout_s, partial(self._in_flight.discard, conn))
        conn.deadline_s = time.monotonic() + self.cfg.keepalive
        self._connections.add(conn)
        self.poller.register(client, 0, partial(self._read, conn))
        return True

    def _make_room(self) -> bool:
        """Close the connections that have been idle longest, else slow for longest, one in a hundred.

        False if all are in use.
        """
        slow_s = time.monotonic() + self._settings.request_timeout_s / 2
        idle = [conn for conn in self._connections if conn.state in {State.IDLE, State.LINGERING}]
        unused = idle or [c for c in self._connections if c.state is State.READING and c.deadline_s < slow_s]
        longest = heapq.nsmallest(1 + self.worker_connections // 100, unused, key=lambda conn: conn.deadline_s)
        for conn in longest:
            self._close(conn)
        return bool(longest)

    def _accept_fewer(self, error: OSError) -> None:
        """Never again accept as many as now; gunicorn would end the worker with all its requests."""
        self.worker_connections = max(len(self._connections), 1)
        logger.error("%s: no connection beyond %d is accepted from now on", error, self.worker_connections)
        if not self._make_room():
            self.set_accept_enabled(False)

    def _read(self, conn: Connection, client: socket.socket) -> None:
        """Take what has arrived on a connection."""
        try:
            received = held.receive(client)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            received, conn.reset = b"", True
        if not received:
            self._end_by_client(conn)
        elif conn.state is not State.LINGERING:
            conn.incoming.feed(received)
            if conn.state is not State.BUSY:
                self._advance(conn)
            elif len(conn.incoming.data) > held.RECEIVE_BYTES:
                self._pause(conn)  # until its request is answered

    def _end_by_client(self, conn: Connection) -> None:
        conn.ended = True
        self._pause(conn)
        # It may have only half closed: what it has sent completely is answered.
        if conn.state is not State.BUSY and not (conn.state is State.IDLE and conn.incoming.data):
            self._close(conn)

    def _advance(self, conn: Connection) -> None:
        """Give the next request to a thread, once it is whole."""
        incoming = conn.incoming
        while incoming.data:
            try:
                whole = incoming.whole()
            except errors.ServiceError as error:
                self._reject(conn, error)
                return
            if not whole:
                self._await_rest(conn)
                return
            if self._start(conn) or conn.state is State.LINGERING:
                return
        conn.state, conn.deadline_s = State.IDLE, time.monotonic() + self.cfg.keepalive

    def _await_rest(self, conn: Connection) -> None:
        if conn.state is not State.READING:
            conn.state, conn.deadline_s = State.READING, time.monotonic() + self._settings.request_timeout_s
        if conn.incoming.wants_continue:
            conn.incoming.wants_continue = False
            with suppress(OSError):
                held.send(conn.socket, b"HTTP/1.1 100 Continue\r\n\r\n")

    def _start(self, conn: Connection) -> bool:
        """Have a thread answer a whole request, or refuse it here if too many are in flight."""
        incoming, pool = conn.incoming, self.tpool
        if not incoming.work:
            if len(self._in_flight) >= self.cfg.threads:
                pool = self._aside
        elif len(self._in_flight) < self._settings.max_in_flight:
            self._in_flight.add(conn)
        else:
            self._refuse(conn)
            return False
        conn.final, conn.request, conn.queued_s = incoming.final, incoming.take(), time.monotonic()
        conn.state = State.BUSY
        pool.submit(conn)
        return True

    def _refuse(self, conn: Connection) -> None:
        keep = self.alive and conn.incoming.keeps_alive()
        conn.incoming.take()
        if not self._send(conn, self._refusals[keep]) or not keep:
            self._linger(conn)

    def _reject(self, conn: Connection, error: errors.ServiceError) -> None:
        """Answer what is no request, and end its connection."""
        self._send(conn, wire.answer_bytes(error, close=True, more=_server_fields()))
        self._linger(conn)

    def _send(self, conn: Connection, answer: bytes) -> bool:
        """Send without waiting. False if the client has left or does not read."""
        try:
            return held.send(conn.socket, answer) == len(answer)
        except OSError:
            return False

    def handle(self, conn: Connection) -> None:
        """Answer a request; runs in a thread."""
        keep = False
        try:
            if not conn.has_left():
                keep = self._answer(conn) and not conn.final
        finally:
            self._in_flight.discard(conn)
            if keep:
                conn.deadline_s = time.monotonic() + self.cfg.keepalive
                conn.state = State.IDLE  # last: from here on the poller reads the next request
                if conn.incoming.data or not conn.registered:
                    self.method_queue.defer(self._resume, conn)
            else:
                self.method_queue.defer(self._linger, conn)

    def _answer(self, conn: Connection) -> bool:
        """Send the answer to a request; return whether its connection is kept."""
        output = conn.sock
        output.begin()
        try:
            keep = self.handle_request(parse(self.cfg, conn), conn)
            output.flush()
        except errors.ServiceError as error:
            output.fail(wire.answer_bytes(error, close=True, more=_server_fields()))
        except OSError as error:
            self.log.debug("%s is gone: %s", conn.client, error)
        except StopIteration:  # gunicorn's: an answer could not be completed
            pass
        except (Exception, SystemExit):
            self.log.exception("a request could not be answered")
            output.fail(wire.answer_bytes(_FAILED, close=True, more=_server_fields()))
        else:
            return bool(keep)
        return False

    def _resume(self, conn: Connection) -> None:
        """Go on with a connection whose answer was sent, where something happened meanwhile."""
        if conn.state is State.IDLE:
            self._go_on(conn)

    def _go_on(self, conn: Connection) -> None:
        if not conn.ended:
            self._watch(conn)
        self._advance(conn)
        if conn.ended and conn.state is not State.BUSY:
            self._close(conn)

    def _linger(self, conn: Connection) -> None:
        """End a connection without losing the answer: what the client still sends is read, not answered by a reset."""
        if conn.state is State.CLOSED:
            return
        try:
            held.end_sending(conn.socket)
        except OSError:
            conn.ended = True
        if conn.ended:
            self._close(conn)
            return
        conn.state, conn.deadline_s = State.LINGERING, time.monotonic() + _LINGER_S
        conn.incoming.data = b""
        self._watch(conn)

    def _watch(self, conn: Connection) -> None:
        if not conn.registered:
            conn.registered = True
            self.poller.register(conn.socket, 0, partial(self._read, conn))

    def _pause(self, conn: Connection) -> None:
        if conn.registered:
            conn.registered = False
            self.poller.unregister(conn.socket)

    def _close(self, conn: Connection) -> None:
        conn.state = State.CLOSED
        self._pause(conn)
        self._connections.discard(conn)
        held.close(conn.socket)
        if self.alive and not self._accepting:
            self.set_accept_enabled(True)

    def _sweep(self) -> None:
        """End what has taken too long, once per second."""
        self.notify()
        now_s = time.monotonic()
        self._next_sweep_s = now_s + _SWEEP_S
        full = errors.TooManyInFlight(self._settings.max_in_flight)
        for keep in (True, False):
            fields = (*_server_fields(), ("Connection", "keep-alive")) if keep else _server_fields()
            self._refusals[keep] = wire.answer_bytes(full, close=not keep, more=fields)
        for conn in list(self._connections):
            if not self.alive and conn.state is State.IDLE:
                conn.deadline_s = min(conn.deadline_s, now_s + _STOP_IDLE_S)
            if conn.state is State.BUSY or conn.deadline_s > now_s:
                continue
            if conn.state is State.READING:
                self._reject(conn, errors.RequestTimeout(self._settings.request_timeout_s))
            else:
                self._close(conn)


def _server_fields() -> tuple[tuple[str, str], ...]:
    """The headers that gunicorn adds to the answers of an app."""
    return ("Server", "gunicorn"), ("Date", formatdate(usegmt=True))
