"""The profilers, as they are attached to a process: each writes what it saw into a folder.

A profile begins when the file `go` appears in the folder, so that the warm-up is not in it.
What is written here is raw or cheap to write; pages are made from it later, in the harness. Each
profiler is imported where it is used, so that a process loads no other.
"""

import asyncio
import atexit
import contextlib
import contextvars
import csv
import faulthandler
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from dis import opmap
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

from benchmark.experiments.profiling.libraries import counted_as, short_path

CPU_SAMPLER: Final = "cpu-sampler"
PYINSTRUMENT: Final = "pyinstrument"
YAPPI_CLOCKS: Final = {"yappi-cpu": "cpu", "yappi-wall": "wall"}

# The kernel looks at the timer once per tick, which is 10 ms on the slowest kernels: a shorter
# interval would lose samples there.
SAMPLE_EVERY_S: Final = 0.01
STACKS_SUFFIX: Final = ".stacks"
SESSION_SUFFIX: Final = ".session.json"
GO: Final = "go"
_RESUME: Final = opmap["RESUME"]  # what every function begins with
_PYINSTRUMENT_INTERVAL_S: Final = 0.001

FUNCTION_COLUMNS: Final = ("library", "function", "file", "line", "calls", "own_ms", "total_ms")


class Recorder(Protocol):
    """A profiler that is attached to a service."""

    def attach(self) -> None:
        """Begin, or be ready to begin; called once the service's modules are imported."""


def let_go(folder: Path) -> None:
    """Let the profiles of a folder begin."""
    (folder / GO).touch()


class CpuSampler:
    """Writes the running thread's stack each time that the process has used another 10 ms of CPU.

    Where threads do the work, the interpreter's fault handler writes the stack from within the
    interruption, in whichever thread it came: no lock has to be had first. It may meet the
    interpreter between two instructions that belong together, and then ends the process: about once
    in a thousand stacks. So where the main thread does all the work, on an event loop, an ordinary
    signal handler does it, which is safe, runs in that thread only, and comes a few microseconds later.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder, self._stem = folder, stem

    def attach(self) -> None:
        self._start()
        # A server that forks: timers are not inherited, and each process needs a file of its own.
        os.register_at_fork(after_in_child=self._start)
        # At its end the interpreter takes the handler back, and the timer's signal would kill.
        atexit.register(signal.setitimer, signal.ITIMER_PROF, 0)

    def _start(self) -> None:
        self._file = (self._folder / f"{self._stem}-{os.getpid()}{STACKS_SUFFIX}").open("wb", buffering=0)
        if "uvloop" in sys.modules:
            signal.signal(signal.SIGPROF, self._write_stack)
            signal.siginterrupt(signal.SIGPROF, False)
        else:
            faulthandler.register(signal.SIGPROF, self._file, all_threads=False)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_EVERY_S, SAMPLE_EVERY_S)

    def _write_stack(self, _: int, frame: FrameType | None) -> None:
        """Write a stack in the form of the fault handler, with one write."""
        if frame and frame.f_code.co_code[frame.f_lasti] == _RESUME:
            frame = frame.f_back  # the signal came before this function began: its caller was at work
        lines = ["Stack (most recent call first):\n"]
        while frame:
            lines.append(f'  File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_name}\n')
            frame = frame.f_back
        self._file.write("".join(lines).encode())


class Sessions:
    """pyinstrument, once per request, in the thread or task that handles it; all requests are added up.

    One profiler for the whole process would see one thread only, and one that is started outside
    the event loop would see nothing but the loop's wait.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self._path = folder / f"{stem}{SESSION_SUFFIX}"
        self._go = _Go(folder)
        self._lock = threading.Lock()
        self._times_s: dict[tuple[str, ...], float] = {}
        self._last: Any = None
        self._requests = 0
        self._duration_s = self._cpu_s = 0.0

    def attach(self) -> None:
        importlib.import_module("pyinstrument")  # not during the first request
        hook_requests(self.begin, self.end)
        atexit.register(self.write)

    def begin(self) -> Any:
        """Start profiling the work of this thread or task; returns what `end` needs."""
        if not self._go():
            return None
        with contextlib.suppress(RuntimeError):  # there is no event loop
            _Ticker(asyncio.get_running_loop()).keep_ticking()
        profiler = importlib.import_module("pyinstrument").Profiler(
            interval=_PYINSTRUMENT_INTERVAL_S, async_mode="enabled"
        )
        profiler.start(caller_frame=sys._getframe(1))
        return profiler

    def end(self, profiler: Any) -> None:
        """Stop, and add what was seen."""
        if profiler is None:
            return
        session = profiler.stop()
        with self._lock:
            self._last = session
            self._requests += 1
            self._duration_s += session.duration
            self._cpu_s += session.cpu_time
            for stack, seconds in session.frame_records:
                key = tuple(stack[1:])  # without the thread, so that all threads add up
                self._times_s[key] = self._times_s.get(key, 0.0) + seconds

    def write(self) -> None:
        """Write the sum of all requests as one session; nothing if there was none."""
        if not self._requests:
            return
        session = self._last
        session.frame_records = [(list(stack), seconds) for stack, seconds in sorted(self._times_s.items())]
        session.start_call_stack = session.start_call_stack[1:]
        session.sample_count = len(session.frame_records)
        session.duration, session.cpu_time = self._duration_s, self._cpu_s
        session.target_description = f"{self._path.name.partition('-')[0]}, sum of {self._requests} requests"
        self._path.write_text(json.dumps(session.to_json()))


class _Ticker:
    """Runs a line of Python once a millisecond, outside of any task, for the next 100 ms.

    pyinstrument notices that a task waits when Python code runs elsewhere. uvloop is not written in
    Python, so at low load none does, and the wait would count for the loop.
    """

    _until_s = 0.0

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self._outside = loop, contextvars.Context()

    def keep_ticking(self) -> None:
        """Tick on, or begin to."""
        now_s = self._loop.time()
        ticking, _Ticker._until_s = _Ticker._until_s > now_s, now_s + 0.1
        if not ticking:
            self._loop.call_soon(self._tick, context=self._outside)

    def _tick(self) -> None:
        if self._loop.time() < _Ticker._until_s:
            self._loop.call_later(0.001, self._tick, context=self._outside)


class Yappi:
    """yappi over all threads of the process, from the first request after the warm-up until its end."""

    def __init__(self, folder: Path, stem: str, clock: str) -> None:
        self._folder, self._stem, self._clock = folder, stem, clock
        self._go = _Go(folder)
        self._lock = threading.Lock()
        self._started = False

    def attach(self) -> None:
        importlib.import_module("yappi")
        hook_requests(self.begin, self.end)
        atexit.register(self.write)

    def begin(self) -> None:
        """Start, unless it has started or is not to start yet."""
        if self._started or not self._go():
            return
        with self._lock:
            if not self._started:
                self._started = True
                yappi = importlib.import_module("yappi")
                yappi.set_clock_type(self._clock)
                yappi.start(builtins=False, profile_threads=True)

    def end(self, begun: Any) -> None:
        """Go on: what lies between requests is the process's work, too."""

    def write(self) -> None:
        """Write the functions as a table and in callgrind's format; nothing if it never started."""
        if not self._started:
            return
        yappi = importlib.import_module("yappi")
        yappi.stop()
        stats = yappi.get_func_stats()
        stats.save(str(self._folder / f"{self._stem}.callgrind"), type="callgrind")
        with (self._folder / f"{self._stem}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(FUNCTION_COLUMNS)
            writer.writerows(_function_rows(stats))


def _function_rows(stats: Iterable[Any]) -> list[tuple[str, str, str, int, int, float, float]]:
    rows = [
        (
            counted_as(stat.module) or "standard library",
            stat.name,
            short_path(stat.module),
            stat.lineno,
            stat.ncall,
            round(stat.tsub * 1e3, 4),
            round(stat.ttot * 1e3, 4),
        )
        for stat in stats
    ]
    return sorted(rows, key=lambda row: -row[5])


def make_recorder(profiler: str, folder: Path, stem: str) -> Recorder:
    """Return the named profiler, writing to files of the folder whose names begin with `stem`."""
    if profiler == CPU_SAMPLER:
        return CpuSampler(folder, stem)
    if profiler == PYINSTRUMENT:
        return Sessions(folder, stem)
    return Yappi(folder, stem, YAPPI_CLOCKS[profiler])


def hook_requests(begin: Callable[[], Any], end: Callable[[Any], None]) -> None:
    """Have every POST of this process enclosed by two calls, at the documented entrance of its framework.

    `end` gets what `begin` returned. Raises SystemExit if the process has no framework that is known.
    """
    flask, fastapi = sys.modules.get("flask"), sys.modules.get("fastapi")
    if flask:
        flask.Flask.wsgi_app = _around_wsgi(flask.Flask.wsgi_app, begin, end)
    if fastapi:
        fastapi.FastAPI.__call__ = _around_asgi(fastapi.FastAPI.__call__, begin, end)
    if not flask and not fastapi:
        raise SystemExit("the profilers know Flask and FastAPI, and this service has imported neither")


def _around_wsgi(plain: Any, begin: Callable[[], Any], end: Callable[[Any], None]) -> Any:
    def wsgi_app(app: Any, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] != "POST":
            return plain(app, environ, start_response)
        begun = begin()
        try:
            return plain(app, environ, start_response)
        finally:
            end(begun)

    return wsgi_app


def _around_asgi(plain: Any, begin: Callable[[], Any], end: Callable[[Any], None]) -> Callable[..., Awaitable[None]]:
    async def call(app: Any, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await plain(app, scope, receive, send)
            return
        begun = begin()
        try:
            await plain(app, scope, receive, send)
        finally:
            end(begun)

    return call


class _Go:
    """Whether the profile may begin; asks the disk until it may."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / GO
        self._gone = False

    def __call__(self) -> bool:
        self._gone = self._gone or self._path.exists()
        return self._gone
