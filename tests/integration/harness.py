"""`python -m benchmark bench` as its user runs it, as a process of which all is known that it starts."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmark.contenders.discovery import ROOT, Contender
from benchmark.record.run import Run
from benchmark.stack.watchdog import Guard

VALID, FAILED, INVALID, INTERRUPTED = 0, 1, 3, 130
REAL, NULL = "async-aiohttp", "null"
_MARK = "LC_BENCH_UNDER_TEST"  # services and generators get nothing else that is unknown


class Harness:
    """A `bench` that runs; all that it starts bears a mark in the environment."""

    def __init__(self, folder: Path, guard: Guard, *arguments: str, results: Path | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.results = results or folder / "results"
        self._mark, self._output, self._guard = uuid.uuid4().hex, folder / "output", guard
        argv = [sys.executable, "-m", "benchmark", "bench", "--free-ports", "--results", str(self.results), *arguments]
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**os.environ, _MARK: self._mark, "COLUMNS": "200"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        guard.watch(self._process.pid)

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def run(self) -> Run:
        (path,) = (path for path in self.results.iterdir() if not path.is_symlink())
        return Run.open(path)

    @property
    def order(self) -> list[str]:
        """The labels in the order of the first block."""
        order: list[str] = self.run.manifest["order"][0]
        return order

    def alive(self) -> list[psutil.Process]:
        """Return all that this bench has started and that still runs, itself included."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def await_samples(self, label: str) -> None:
        """Wait until the first requests of a contender are on disk."""
        until(lambda: self._rows(label) > 3 or self._process.poll() is not None, f"samples of {label}")
        assert self._process.poll() is None, self.output

    def await_running(self) -> None:
        """Wait until measuring has begun."""
        until(lambda: "raw data in" in self.output or self._process.poll() is not None, "the beginning")
        self.await_samples(self.order[0])

    def process_of(self, contender: Contender, role: str) -> psutil.Process:
        wanted = next(process for process in contender.process if process.role == role)
        words = {str(wanted.module), *(argument for argument in wanted.args if "{" not in argument)}
        children = psutil.Process(self._process.pid).children()
        return next(child for child in children if words <= set(child.cmdline()))

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for the end and return the exit status."""
        try:
            return self._process.wait(90)
        finally:
            self.stop()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self._process.kill()
            self._process.wait()
        self._guard.release(self._process.pid)

    def stop_all(self) -> None:
        """Stop this bench and whatever it may have left behind."""
        self.stop()
        for process in self.alive():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _rows(self, label: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            return len((self.run.path / "samples" / f"0-{label}.csv").read_text().splitlines())
        return 0


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "benchmark", *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, strict=True))
