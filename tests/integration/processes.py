"""Contenders that are made for tests of their processes, and who of them is left."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmark.contenders.discovery import Contender, Process
from benchmark.stack.processes import free_port, start_process, stop_processes
from benchmark.stack.watchdog import Guard
from tests.conftest import CONTENDERS

NULL = CONTENDERS["null"].process[0]
BUSY = "while True: pass"
IDLE = "import time\nwhile True: time.sleep(0.1)"


class Watching(Guard):
    """A guard that remembers what it was told to watch."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: set[int] = set()

    def watch(self, group: int) -> None:
        self.groups.add(group)
        super().watch(group)


def members(groups: set[int]) -> list[psutil.Process]:
    """Return the processes of groups that still run; one that has ended and waits to be collected does not."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, f"{what}: not within {seconds:g} s"
        time.sleep(0.02)


def pair(**changes: object) -> Contender:
    """Return a contender of two processes that start fast, on ports that are free now."""
    processes = (
        NULL.model_copy(update={"role": "model", "port": free_port()}),
        NULL.model_copy(update={"role": "scoring", "port": free_port()}),
    )
    return CONTENDERS["null"].model_copy(update={"name": "pair", "process": processes, **changes})


def running(argv: list[str], **changes: object) -> Contender:
    """Return a contender that is one process with this command line."""
    process = Process.model_validate({"role": "scoring", "command": argv, "port": free_port(), **changes})
    return pair(process=(process,))


@contextlib.contextmanager
def started(argv: list[str], log: Path, guard: Guard) -> Iterator[subprocess.Popen[bytes]]:
    process = start_process(argv, log, guard, os.environ)
    try:
        yield process
    finally:
        stop_processes([process], guard, grace_s=0.1)


def all_that_was_written(terminal: int) -> bytes:
    """Return what was written to a terminal whose other side is closed; one read may return only a part of it."""
    written = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side is closed
        while piece := os.read(terminal, 4096):
            written += piece
    return written
