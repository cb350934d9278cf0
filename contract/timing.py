"""The stage clock of a request: `X-Request-Start` in, `Server-Timing` out.

`X-Request-Start: t=<unix seconds>` is set by the client (or a proxy), and the time since
then is the stage `queue`. The answer's `Server-Timing` (W3C) lists every stage in ms.
"""

import contextlib
import time
from collections.abc import Sequence
from typing import Final

from contract.scoring import ModelReply

REQUEST_START_HEADER: Final = "X-Request-Start"
SERVER_TIMING_HEADER: Final = "Server-Timing"
_CLOCK_SKEW_S: Final = 1.0
_LONGEST_QUEUE_S: Final = 3600.0


class StageClock:
    """Cuts the time of one request into named stages, in the order in which they end."""

    __slots__ = ("_last_ns", "_parts")

    def __init__(self, request_start: str | None) -> None:
        self._parts: list[str] = []
        queued_ms = _queued_ms(request_start)
        if queued_ms is not None:
            self._parts.append(f"queue;dur={queued_ms:.3f}")
        self._last_ns = time.perf_counter_ns()

    def end(self, stage: str) -> None:
        """Close the stage that began when the one before it ended."""
        now_ns = time.perf_counter_ns()
        self._parts.append(f"{stage};dur={(now_ns - self._last_ns) / 1e6:.3f}")
        self._last_ns = now_ns

    def end_models(self, replies: Sequence[ModelReply]) -> None:
        """Close the stage `models` and list how long each model took to answer, and the duration that it drew."""
        self.end("models")
        self._parts += [f"model;desc={n};dur={reply.took_ms:.3f}" for n, reply in enumerate(replies, 1)]
        self._parts += [f"drawn;desc={n};dur={reply.detail_s * 1e3:.3f}" for n, reply in enumerate(replies, 1)]

    def header(self) -> dict[str, str]:
        """Close the stage `respond` and return the header of the answer."""
        self.end("respond")
        return {SERVER_TIMING_HEADER: ", ".join(self._parts)}


class NoClock(StageClock):
    """The clock of a service that was started with stages off: costs nothing, says nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        pass

    def end(self, stage: str) -> None:
        pass

    def end_models(self, replies: Sequence[ModelReply]) -> None:
        pass

    def header(self) -> dict[str, str]:
        return {}


_NO_CLOCK: Final = NoClock()


def start_clock(enabled: bool, request_start: str | None) -> StageClock:
    """Return the clock for one request; `request_start` is the value of X-Request-Start."""
    return StageClock(request_start) if enabled else _NO_CLOCK


def request_start_header() -> dict[str, str]:
    """Return the header with which a client says when it sent a request."""
    return {REQUEST_START_HEADER: f"t={time.time():.6f}"}


def parse_server_timing(header: str) -> dict[str, list[float]]:
    """Return the durations of a Server-Timing header in ms, per stage, in order.

    Entries without a readable `dur` are left out: a proxy may have added its own.
    """
    stages: dict[str, list[float]] = {}
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key == "dur":
                with contextlib.suppress(ValueError):
                    duration_ms = float(value)
                    stages.setdefault(name, []).append(duration_ms)
    return stages


def _queued_ms(request_start: str | None) -> float | None:
    """Return the ms since the client's clock, or None if it did not say or cannot be read."""
    if request_start is None or not request_start.startswith("t="):
        return None
    try:
        queued_s = time.time() - float(request_start[2:])
    except ValueError:
        return None
    # A clock may be a little ahead; one that is far off says nothing about a queue.
    return max(queued_s, 0.0) * 1e3 if -_CLOCK_SKEW_S < queued_s < _LONGEST_QUEUE_S else None
