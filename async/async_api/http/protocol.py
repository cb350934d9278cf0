"""The HTTP protocol of the async twin: uvicorn's with the limits of the contract, enforced below the framework."""

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from async_api.http.connections import Connections, as_text
from async_api.http.parts import Cycle, WithoutHead
from contract import wire
from contract.errors import ExpectationFailed, MalformedRequest, RequestTimeout, ServiceError

logger = logging.getLogger("async_api")

_METHODS = {method.encode(): method for method in wire.METHODS}
_AROUND_URL = len(b"GET  HTTP/1.1")
_HOST = re.compile(wire.HOST.pattern.encode())
_MOST_KNOWN_HOSTS = 64
_FRAMING = (b"content-length", b"transfer-encoding")  # how long the body is
_LINGER_S = 2.0  # how long what a refused client still sends is read; otherwise it might not see the answer
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ASK_AFTER_S = 1.0  # after the client has stopped sending, look whether it is still there


class Protocol(HttpToolsProtocol):
    """One connection. Its requests are refused by the limits of the contract, and cancelled when their client is gone.

    uvicorn starts a timer for every idle connection; here, `Connections` looks at all of them once per second.
    """

    def __init__(self, shared: Connections, **options: Any) -> None:
        super().__init__(**options)
        self.shared = shared
        self.idle_s = self.loop.time()  # since when nothing is asked
        self._began_s = 0.0  # when the request that is arriving began; 0 between requests
        self._in_head = False
        self._head_bytes = 0  # of the head that is arriving, as far as known
        self._whole_head = True  # whether that is all of it; not if it began in the middle of what was received
        self._has_host = False
        self._is_too_long = False  # its body, as announced
        self._trailers = 0
        self._is_upgrading = False
        self._is_dropping = False  # whether the body of a request that is one too many is on its way
        self._arriving: RequestResponseCycle | None = None  # whose head is complete, and whose body is not
        self._answering: RequestResponseCycle | None = None  # the first of those that were asked at once
        self._task: asyncio.Task[None] | None = None  # that answers; None while the request is on its way
        self._refusal: ServiceError | None = None  # after it, nothing is read any more
        self._lingers_s = 0.0  # since when
        self._stuck_s = 0.0  # since when the client does not take what is sent
        self._eof_s = 0.0  # when the client stopped sending

    @property
    def is_idle(self) -> bool:
        return not self._began_s and self._answering is None

    # What the transport says

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.shared.enter(self)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        if self._in_head:
            self._head_bytes += len(data)
        else:
            self._head_bytes = len(data)
            self._whole_head = not self._began_s
            if self._whole_head and b"  " in data[:10]:  # the parser would take two spaces after the method for one
                self.refuse(MalformedRequest())
                return
        self._parse(data)
        if self._in_head and self._refusal is None:
            if not self._whole_head:
                self._head_bytes = 0  # how much of it there was is unknown; what is to come is counted
            elif self._head_bytes > wire.MAX_HEAD_BYTES:
                self.refuse(wire.head_too_large())

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection if the client has asked and waits for the answer."""
        self._eof_s = self.loop.time()
        return self._answering is not None and self._answering is not self._arriving

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.pipeline.clear()
        self._give_up()

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._ignore_upgrade(data[upgrade.args[0] :])
            except httptools.HttpParserError as error:
                cause = error.__context__
                if cause is not None and not isinstance(cause, (ServiceError, httptools.HttpParserError)):
                    logger.warning("a request cannot be read: %r", cause)
                self.refuse(cause if isinstance(cause, ServiceError) else MalformedRequest())
                return
            else:
                return

    def _ignore_upgrade(self, rest: bytes) -> bytes:
        """Replace the parser, which takes what follows for another protocol; return what to feed to the new one."""
        self._is_upgrading = False
        self.parser = httptools.HttpRequestParser(WithoutHead(self))
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        framing = b"".join(b"%s: %s\r\n" % field for field in self.headers if field[0] in _FRAMING)
        return b"POST / HTTP/1.1\r\n%s\r\n%s" % (framing, rest)

    # What the parser says

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._began_s = self.loop.time()
        self._in_head = True
        self._has_host = self._is_too_long = False
        self._trailers = 0

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) + _AROUND_URL > wire.MAX_LINE_BYTES and self._line_bytes() > wire.MAX_LINE_BYTES:
            raise wire.line_too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:  # a trailer, which nobody asks for
            self._trailers += 1
            if self._trailers > wire.MAX_FIELDS:
                raise wire.head_too_large()
            return
        name = name.lower()
        check = _CHECKS.get(name)
        if check:
            check(self, value)
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the head, and begin to answer, as uvicorn does, but without what is not offered here."""
        self._in_head = False
        parser, scope = self.parser, self.scope
        version, method = parser.get_http_version(), _METHODS.get(parser.get_method())
        if version == "1.1":
            if not self._has_host:
                raise MalformedRequest
        elif version == "1.0":
            self.expect_100_continue = False
        else:
            raise MalformedRequest
        if method is None:
            raise MalformedRequest
        if len(self.headers) > wire.MAX_FIELDS or self._head_bytes > wire.MAX_FIELD_BYTES or not self._whole_head:
            self._check_head()
        self._is_upgrading = parser.should_upgrade()
        url = httptools.parse_url(self.url)
        raw_path: bytes = url.path or b"/"
        path = raw_path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = url.query or b""
        scope["method"] = method
        scope["http_version"] = version
        before = self.cycle
        self.cycle = self._arriving = cycle = self._make_cycle(version == "1.1" and parser.should_keep_alive())
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def _make_cycle(self, keep_alive: bool) -> RequestResponseCycle:
        return Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )

    def on_body(self, body: bytes) -> None:
        if self._is_dropping:
            return
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()
        if len(cycle.body) > self.shared.most_body_bytes and self._answering is cycle and not self._run_if_free(cycle):
            self._is_dropping = True
            cycle.body.clear()
            self.flow.resume_reading()

    def on_message_complete(self) -> None:
        if self._is_upgrading:
            return  # the parser skips the body
        self._began_s = 0.0
        self._whole_head = False
        self._arriving = None
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.more_body = False
        cycle.message_event.set()
        if self._answering is cycle and not self._run_if_free(cycle):
            self._shed(cycle)
            self.on_response_complete()

    def _line_bytes(self) -> int:
        return len(self.parser.get_method()) + len(self.url) + len(b"  HTTP/1.1")

    def _check_head(self) -> None:
        sizes = [len(name) + len(value) + len(b": ") for name, value in self.headers]
        total = self._line_bytes() + sum(sizes) + len(b"\r\n") * (len(sizes) + 2)
        if len(sizes) > wire.MAX_FIELDS or max(sizes, default=0) > wire.MAX_FIELD_BYTES or total > wire.MAX_HEAD_BYTES:
            raise wire.head_too_large()

    def _check_host(self, value: bytes) -> None:
        known = self.shared.known_hosts
        if self._has_host or (value not in known and not _HOST.fullmatch(value)):
            raise MalformedRequest
        self._has_host = True
        if len(known) < _MOST_KNOWN_HOSTS:
            known.add(value)

    def _check_length(self, value: bytes) -> None:
        if len(value.strip()) > wire.MAX_LENGTH_DIGITS:
            raise MalformedRequest
        self._is_too_long = int(value) > self.shared.most_body_bytes

    def _check_encoding(self, value: bytes) -> None:
        if value.strip().lower() != b"chunked" or self.parser.get_http_version() != "1.1":
            raise MalformedRequest

    def _check_expectation(self, value: bytes) -> None:
        if value.strip().lower() != b"100-continue":
            raise ExpectationFailed
        self.expect_100_continue = True

    # Answers

    def _start_asgi_task(self, cycle: RequestResponseCycle, _: Any) -> None:
        """Begin to answer a request. One that is limited has to arrive first, so that slow clients take no place."""
        self._task, self._is_dropping = None, False
        if cycle.scope["path"] != self.shared.limited_path or cycle.scope["method"] != "POST":
            self._answering = cycle
            self._run(cycle)
            return
        if cycle.more_body and not self._is_too_long and cycle.waiting_for_100_continue:
            if self.shared.is_full:
                raise self.shared.too_many()
            self.transport.write(_CONTINUE)
            cycle.waiting_for_100_continue = False
        self._answering = cycle
        if self._is_too_long or not cycle.more_body:
            self._run_if_free(cycle)

    def _run_if_free(self, cycle: RequestResponseCycle) -> bool:
        """Begin to answer a limited request; return False if it is one too many."""
        if self._task is None:
            if self.shared.is_full or self._is_dropping:
                return False
            self.shared.in_flight += 1
            self._run(cycle).add_done_callback(self.shared.leave)
        return True

    def _run(self, cycle: RequestResponseCycle) -> asyncio.Task[None]:
        self._task = task = self.loop.create_task(cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)
        return task

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        self._answering = self._task = None
        if self.transport.is_closing():
            return
        self.idle_s = self.loop.time()
        self.flow.resume_reading()
        while self.pipeline and self._answering is None:
            self._answer_next()
        if self._answering is not None:
            return
        if self._refusal is not None:
            self._send_refusal(self._refusal)
        elif self._eof_s:
            self.transport.close()

    def _answer_next(self) -> None:
        """Answer the next of the requests that were asked at once."""
        cycle, app = self.pipeline.pop()
        try:
            self._start_asgi_task(cycle, app)
        except ServiceError as error:
            self.refuse(error)
        if self._task is None and self._answering is cycle and not cycle.more_body:
            self._shed(cycle)
            self._answering = None

    def _shed(self, cycle: RequestResponseCycle) -> None:
        self.transport.write(self.shared.refusal(cycle.keep_alive, self.server_state.default_headers))
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()

    def refuse(self, error: ServiceError) -> None:
        """Read nothing any more, answer what was asked before, then this error, and close."""
        self._refusal = error
        arriving, answering = self._arriving, self._answering
        if arriving is not None and arriving.response_complete:
            self.transport.close()  # it has its answer
        elif arriving is not None and arriving.response_started:
            arriving.keep_alive = False
        elif answering is None or answering is arriving:
            self._give_up()
            self._send_refusal(error)

    def _give_up(self) -> None:
        """Cancel what nobody waits for any more."""
        cycle, task = self._answering, self._task
        self._answering = self._task = None
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = cycle.response_complete = True
            cycle.message_event.set()
            if task is not None:
                task.cancel()

    def _send_refusal(self, error: ServiceError) -> None:
        if self.transport.is_closing():
            return
        more = as_text(self.server_state.default_headers)
        self.transport.write(wire.answer_bytes(error, close=True, more=more))
        if self._eof_s:
            self.transport.close()
        else:
            self.transport.write_eof()
            self._lingers_s = self.loop.time()

    # What time says

    def look(self, now_s: float) -> None:
        """End what takes too long; called once per second."""
        if self.flow.write_paused or self.transport.is_closing():
            self._stuck_s = self._stuck_s or now_s
            if now_s - self._stuck_s > self.shared.request_timeout_s:
                self.transport.abort()
            return
        self._stuck_s = 0.0
        if self._lingers_s:
            if now_s - self._lingers_s > _LINGER_S:
                self.transport.close()
        elif self._began_s:
            if self.flow.read_paused:
                self._began_s = now_s  # what was sent waits here
            elif now_s - self._began_s > self.shared.request_timeout_s:
                self.refuse(RequestTimeout(self.shared.request_timeout_s))
        elif self._answering is None:
            if now_s - self.idle_s > self.shared.keep_alive_s:
                self.transport.close()
        elif self._eof_s and now_s - self._eof_s > _ASK_AFTER_S:
            self._ask_whether_client_is_there(self._answering)

    def _ask_whether_client_is_there(self, cycle: RequestResponseCycle) -> None:
        """Send an answer that may precede any other. One who has closed, and not only stopped sending, resets then."""
        endpoint: socket.socket = self.transport.get_extra_info("socket")
        if endpoint.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.transport.abort()
        elif not cycle.response_started and cycle.scope["http_version"] == "1.1":
            self.transport.write(_CONTINUE)


_Check = Callable[[Protocol, bytes], None]
_CHECKS: Mapping[bytes, _Check] = {
    b"host": Protocol._check_host,
    b"content-length": Protocol._check_length,
    b"transfer-encoding": Protocol._check_encoding,
    b"expect": Protocol._check_expectation,
}
