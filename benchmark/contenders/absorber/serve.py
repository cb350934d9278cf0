"""`python -m benchmark.contenders.absorber.serve PORT`: answers each request after a time that is known.

The law of these times, its seed, and a stall (when it begins after the first request, and how long it is, in seconds)
are read from the environment: ABSORBER_LAW, ABSORBER_SEED, ABSORBER_STALL. Each answer says in its Server-Timing what
was drawn for it, and how long it was really held. `GET /truth` says when the first request came and when the stall is.

The event loop waits with select(), which takes the time in µs; epoll, and so the usual loops, would be up to 1 ms late.
An idle machine still takes some tenths of a ms to wake up, so the last half ms is waited for awake.
"""

import asyncio
import json
import os
import selectors
import sys
import time
from collections.abc import Iterator
from typing import Final, cast

import httptools

from benchmark.contenders.absorber.law import NO_STALL, Stall, service_times_ms
from contract.garbage_collection import freeze_startup_objects
from contract.limits import raise_open_files
from contract.schema import JSON_CONTENT_TYPE, OK_BODY, READY_PATH
from contract.timing import SERVER_TIMING_HEADER

LAW, SEED, STALL = "ABSORBER_LAW", "ABSORBER_SEED", "ABSORBER_STALL"
TRUTH_PATH: Final = "/truth"
DRAWN, HELD = "drawn", "held"  # entries of an answer's Server-Timing, in ms
_AWAKE_S: Final = 0.0005
_BACKLOG: Final = 4096  # connections that come during a stall


class Absorber:
    """What all connections share: the draws, and when the stall is, which the first request decides."""

    def __init__(self, times_ms: Iterator[float], stall_after_s: float, stall_s: float) -> None:
        self._times_ms = times_ms
        self._stall_after_s, self._stall_s = stall_after_s, stall_s
        self._first_s: float | None = None
        self._stall = NO_STALL
        self.requests = 0

    def due(self, arrival_s: float) -> tuple[float, float]:
        """Return what is drawn for a request that arrives now, in ms, and the moment at which it is answered."""
        self.requests += 1
        if self._first_s is None:
            self._first_s = arrival_s
            if self._stall_s:
                start_s = arrival_s + self._stall_after_s
                self._stall = Stall(start_s, start_s + self._stall_s)
        drawn_ms = next(self._times_ms)
        return drawn_ms, arrival_s + self._stall.latency(arrival_s, drawn_ms / 1e3)

    def truth(self) -> bytes:
        """Return the moments as JSON, on the monotonic clock in ns; null for what there was not."""
        moments_s = {"first_ns": self._first_s, "stall_start_ns": None, "stall_end_ns": None}
        if self._stall is not NO_STALL:
            moments_s |= {"stall_start_ns": self._stall.start, "stall_end_ns": self._stall.end}
        found = {name: None if at_s is None else int(at_s * 1e9) for name, at_s in moments_s.items()}
        return json.dumps({**found, "requests": self.requests}).encode()


class AbsorberProtocol(asyncio.Protocol):
    """One connection, on which one request follows the other."""

    def __init__(self, absorber: Absorber) -> None:
        self._absorber = absorber
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._received_s = 0.0
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received_s = time.monotonic()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._close()

    def on_message_begin(self) -> None:
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        path = self._url.decode("latin-1")
        if path == READY_PATH:
            self._send(OK_BODY)
        elif path == TRUTH_PATH:
            self._send(self._absorber.truth())
        else:
            drawn_ms, at_s = self._absorber.due(self._received_s)
            self._loop.call_at(at_s - _AWAKE_S, self._answer, drawn_ms, self._received_s, at_s)

    def _answer(self, drawn_ms: float, received_s: float, at_s: float) -> None:
        while time.monotonic() < at_s:
            pass
        held_ms = (time.monotonic() - received_s) * 1e3
        self._send(b'{"detail":%.6f}' % (drawn_ms / 1e3), f"{DRAWN};dur={drawn_ms:.4f}, {HELD};dur={held_ms:.4f}")

    def _send(self, body: bytes, timing: str = "") -> None:
        if self._transport is None or self._transport.is_closing():
            return
        timed = f"{SERVER_TIMING_HEADER}: {timing}\r\n".encode() if timing else b""
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s"
            % (JSON_CONTENT_TYPE.encode(), timed, len(body), body)
        )
        if not self._parser.should_keep_alive():
            self._close()

    def _close(self) -> None:
        if self._transport:
            self._transport.close()


async def serve(port: int, absorber: Absorber) -> None:
    """Serve on loopback until the process is stopped."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: AbsorberProtocol(absorber), "127.0.0.1", port, backlog=_BACKLOG)
    freeze_startup_objects()
    async with server:
        await server.serve_forever()


def from_environment() -> Absorber:
    """Return the absorber that the environment describes. Raises ContenderError."""
    after_s, stall_s = map(float, os.environ.get(STALL, "0 0").split())
    times_ms = service_times_ms(os.environ.get(LAW, "constant 50"), int(os.environ.get(SEED, "1")))
    return Absorber(times_ms, after_s, stall_s)


def _precise_loop() -> asyncio.AbstractEventLoop:
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


if __name__ == "__main__":
    raise_open_files()
    with asyncio.Runner(loop_factory=_precise_loop) as runner:
        runner.run(serve(int(sys.argv[1]), from_environment()))
