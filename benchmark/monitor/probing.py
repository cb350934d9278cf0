"""Asks health checks on a fixed schedule: an answer that is late delays no later question (open loop)."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmark.monitor.health import Probe
from benchmark.monitor.targets import Target

Ask = Callable[[str], Awaitable[int]]  # asks a URL and returns the status; raises if there is no answer
_HELD_UP_NS: Final = 50_000_000  # the monitor woke so late that it says nothing of a service
_REMEMBERED: Final = 64
_MOST_CHARACTERS: Final = 200  # of what is said about an answer that did not come


@dataclass(frozen=True)
class Schedule:
    """How often is asked, how long is waited, and from when on an answer is overdue."""

    every_s: float
    timeout_s: float
    stall_s: float


class Prober:
    """Asks every service at each beat of the schedule; no more than timeout / every questions wait at once.

    `saw` gets each probe when it ends, `overdue` each one that is not answered in time while it is waited for.
    """

    def __init__(
        self, targets: Sequence[Target], schedule: Schedule, ask: Ask, saw: Callable[[Probe], None],
        overdue: Callable[[Probe], None], clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:  # fmt: skip
        self._targets, self._schedule, self._ask = targets, schedule, ask
        self._saw, self._overdue, self._clock_ns = saw, overdue, clock_ns
        self._every_ns = int(schedule.every_s * 1e9)
        self._expected_ns = clock_ns()  # when the next beat is due
        self._held_up: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)  # when the monitor woke late, by how much
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event, seconds: float | None = None) -> None:
        """Ask until told to stop, or for so many seconds. What then is still being asked may end, if nobody stops."""
        start_ns, beat = self._clock_ns(), 0
        while not stop.is_set():
            due_ns = start_ns + beat * self._every_ns
            if seconds is not None and due_ns - start_ns >= seconds * 1e9:
                break
            self._expected_ns = due_ns
            now_ns = await self._await_beat(due_ns, stop)
            if stop.is_set():
                break
            if now_ns - due_ns >= _HELD_UP_NS:
                self._held_up.append((now_ns, now_ns - due_ns))
            self._expected_ns = due_ns + self._every_ns
            for target in self._targets:
                task = asyncio.create_task(self._probe(target, due_ns))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            beat = max(beat + 1, -(-(now_ns - start_ns) // self._every_ns))  # beats that were slept over are left out
        self._expected_ns = self._clock_ns() + int(1e12)  # no beat is due any more
        await self._finish(stop)

    async def _await_beat(self, due_ns: int, stop: asyncio.Event) -> int:
        while (now_ns := self._clock_ns()) < due_ns and not stop.is_set():
            await _until(stop, (due_ns - now_ns) / 1e9)
        return now_ns

    async def _finish(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        while self._asking and not stop.is_set():
            await asyncio.wait({stopped, *self._asking}, return_when=asyncio.FIRST_COMPLETED)
        left = {stopped, *self._asking}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _probe(self, target: Target, scheduled_ns: int) -> None:
        start_ns = self._clock_ns()
        asked = asyncio.ensure_future(self._ask(target.url))
        try:
            if not await self._done(asked, start_ns, self._schedule.stall_s):
                error = f"no answer within {self._schedule.stall_s:g} s"
                self._overdue(self._made(target, scheduled_ns, start_ns, 0, error))
            if await self._done(asked, start_ns, self._schedule.timeout_s):
                status, error = _outcome(asked)
            else:
                status, error = 0, f"no answer within {self._schedule.timeout_s:g} s"
            self._saw(self._made(target, scheduled_ns, start_ns, status, error))
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    async def _done(self, asked: "asyncio.Future[int]", start_ns: int, seconds: float) -> bool:
        """Wait for an answer until so long after the start, not counting how long the monitor itself was held up."""
        while not asked.done():
            waited_s = (self._clock_ns() - start_ns - self._late_ns(start_ns)) / 1e9
            if waited_s >= seconds:
                break
            await asyncio.wait({asked}, timeout=seconds - waited_s)
        return asked.done()

    def _late_ns(self, start_ns: int) -> int:
        """Return how long this process was held up since then: by a busy machine, or because it was stopped."""
        now_ns = self._clock_ns()
        now_late_ns = now_ns - self._expected_ns
        late_ns = sum(late_ns for woke_ns, late_ns in self._held_up if woke_ns > start_ns)
        return min(late_ns + (now_late_ns if now_late_ns >= _HELD_UP_NS else 0), now_ns - start_ns)

    def _made(self, target: Target, scheduled_ns: int, start_ns: int, status: int, error: str) -> Probe:
        ms, late_ms = (self._clock_ns() - start_ns) / 1e6, self._late_ns(start_ns) / 1e6
        return Probe(target.name, scheduled_ns, start_ns, ms, status, error, late_ms)


def _outcome(asked: "asyncio.Future[int]") -> tuple[int, str]:
    error = asked.exception()
    if error is None:
        return asked.result(), ""
    if isinstance(error.__cause__, OSError):  # what the client library only wraps
        error = error.__cause__
    return 0, " ".join(f"{type(error).__name__}: {error}".split())[:_MOST_CHARACTERS]


async def _until(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting}, timeout=seconds)
    waiting.cancel()
