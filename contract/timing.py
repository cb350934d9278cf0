"""The stage clock: measures the stages of a request and reports them in the `Server-Timing` header.

The client (or a proxy) sends `X-Request-Start: t=<unix seconds>`; the time since then is the stage `queue`. The
answer's `Server-Timing` header (W3C) lists all stages in ms.
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
    """Splits the time of one request into named stages."""

    __slots__ = ("_last_ns", "_parts")

    def __init__(self, request_start: str | None) -> None:
        self._parts: list[str] = []
        queued_ms = _queued_ms(request_start)
        if queued_ms is not None:
            self._parts.append(f"queue;dur={queued_ms:.3f}")
        self._last_ns = time.perf_counter_ns()

    def end(self, stage: str) -> None:
        """End the current stage, which began when the previous one ended."""
        now_ns = time.perf_counter_ns()
        self._parts.append(f"{stage};dur={(now_ns - self._last_ns) / 1e6:.3f}")
        self._last_ns = now_ns

    def end_models(self, replies: Sequence[ModelReply]) -> None:
        """End the stage `models`, and list how long each model took and the duration that it drew.

        A model that was asked twice has an entry `retry`, without a duration: both attempts are in that of the model.
        """
        self.end("models")
        self._parts += [f"model;desc={n};dur={reply.took_ms:.3f}" for n, reply in enumerate(replies, 1)]
        self._parts += [f"drawn;desc={n};dur={reply.detail_s * 1e3:.3f}" for n, reply in enumerate(replies, 1)]
        self._parts += [f"retry;desc={n}" for n, reply in enumerate(replies, 1) if reply.retried]

    def header(self) -> dict[str, str]:
        """End the stage `respond` and return the header of the answer."""
        self.end("respond")
        return {SERVER_TIMING_HEADER: ", ".join(self._parts)}


class NoClock(StageClock):
    """The clock of a service with the stage clock off: no cost, no header."""

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
    """Return the request header with the current time."""
    return {REQUEST_START_HEADER: f"t={time.time():.6f}"}


def parse_server_timing(header: str) -> dict[str, list[float]]:
    """Return the durations of a Server-Timing header in ms by stage, in order.

    Entries without a valid `dur` are skipped, since a proxy may have added its own.
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
    """Return the ms since the client's time stamp, or None if it is missing or invalid."""
    if request_start is None or not request_start.startswith("t="):
        return None
    try:
        queued_s = time.time() - float(request_start[2:])
    except ValueError:
        return None
    # The client's clock may be slightly ahead. If it is far off, the queue time is unknown.
    return max(queued_s, 0.0) * 1e3 if -_CLOCK_SKEW_S < queued_s < _LONGEST_QUEUE_S else None
