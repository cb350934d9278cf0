"""One trial: a command gets a signal at a moment, and then all is looked at that it must not leave behind."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import psutil

from benchmark.contenders.discovery import ROOT
from benchmark.stack.ports import is_free
from benchmark.stack.processes import free_port
from tests.signals.commands import BENCHMARK, INTERRUPTED, Command

_MARK: Final = "LC_SIGNAL_TRIAL"  # what the harness starts inherits locales, and nothing else that is unknown
_END_S: Final = 240.0  # on a machine that does much else, too
_LEFT_S: Final = 20.0  # the guard stops services within seconds
_POLL_S: Final = 0.02
_ALL_ARE_UP, _INTERRUPTED = "scoring  http://", "Interrupted"
_TRACEBACK: Final = "Traceback (most recent call last)"


@dataclass
class Place:
    """Where the trials of a command with a signal take place in turn: each meets what the last one has left."""

    folder: Path
    number: int = 0  # of the trial
    port: int = field(default_factory=free_port)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    logs: Iterator[int] = field(default_factory=count)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    def argv(self, command: Command, argv: tuple[str, ...]) -> list[str]:
        values = {"results": str(self.results), "run": str(self.folder / "run")}
        return command.fill_in(argv, **values, port=str(self.port), number=str(self.number))

    def start(self, command: Command, argv: tuple[str, ...]) -> "Started":
        self.folder.mkdir(parents=True, exist_ok=True)
        self.temporary.mkdir(exist_ok=True)
        log = self.folder / f"{next(self.logs):03}.log"
        env = {**os.environ, _MARK: self.mark, "COLUMNS": "200", "PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary)}
        with log.open("w") as output:
            popen = subprocess.Popen(
                self.argv(command, argv),
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Started(popen, log)

    def carry_out(self, command: Command, argv: tuple[str, ...], ends: tuple[int, ...] = (0,)) -> list[str]:
        """Run a command to its end, and return what is wrong with it."""
        return self.start(command, argv).end(ends)

    def alive(self) -> list[psutil.Process]:
        """Return all that was started here and still runs."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def ports(self) -> set[int]:
        """Return the ports on which something listens that was started here."""
        found = set()
        for process in self.alive():
            with contextlib.suppress(psutil.Error, OSError):
                listening = (each for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN)
                found |= {each.laddr.port for each in listening}
        return found

    def runs(self) -> set[Path]:
        return {path for path in self.results.glob("*T*Z-*") if path.is_dir() and not path.is_symlink()}


@dataclass
class Started:
    """A process of its own session, with its output."""

    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def send(self, number: signal.Signals, to_group: bool) -> None:
        with contextlib.suppress(ProcessLookupError):
            if to_group:
                os.killpg(self.popen.pid, number)
            else:
                self.popen.send_signal(number)

    def end(self, ends: tuple[int, ...]) -> list[str]:
        """Wait for the end, and return what is wrong with it."""
        try:
            status = self.popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.popen.pid, signal.SIGKILL)
            self.popen.wait()
            return [f"it has not ended after {_END_S:g} s"]
        faults = [] if status in ends else [f"exit status {status}, expected one of {ends}"]
        if _TRACEBACK in self.output and not self._ended_before_it_began(status):
            faults.append(f"a traceback in {self.log}")
        return faults

    def _ended_before_it_began(self, status: int) -> bool:
        """Whether Python itself was interrupted, at a time when it had read nothing of ours."""
        files = re.findall(r'File "([^"]*)"', self.output)
        interrupted = status in (1, -signal.SIGINT) and "KeyboardInterrupt" in self.output
        return interrupted and not any(file.startswith(str(ROOT)) for file in files)


def undisturbed(command: Command, place: Place) -> tuple[float, list[str]]:
    """Run a command once without a signal; return how long it takes, and what is wrong with it."""
    faults = [fault for argv in command.before for fault in place.carry_out(command, argv)]
    if command.runs_s is not None:
        return command.runs_s, faults
    started_s = time.monotonic()
    faults += place.carry_out(command, command.argv, command.ends)
    took_s = time.monotonic() - started_s
    faults += [fault for argv in command.after for fault in place.carry_out(command, argv)]
    return took_s, faults + _left(place, set(), beside=bool(command.beside))


def signalled(command: Command, place: Place, number: signal.Signals, moment_s: float) -> list[str]:
    """Send a signal to a command so long after its start, and return what is wrong afterwards."""
    place.number += 1
    faults = [fault for argv in command.before for fault in place.carry_out(command, argv)]
    before = place.runs()
    started = place.start(command, command.argv)
    with contextlib.suppress(subprocess.TimeoutExpired):
        started.popen.wait(moment_s)
    ports = place.ports()
    started.send(number, to_group=command.through_make)
    faults += started.end(_expected(command, number))
    status = started.popen.returncode
    by_itself = status in command.ends and not (command.through_make and status)
    if command.through_make and command.starts_services:
        # Only make may have got the signal, when all services were up and `up` was done.
        by_itself |= _ALL_ARE_UP in started.output and _INTERRUPTED not in started.output
    # A service that stays must be known to `down`.
    stays = (by_itself or number == signal.SIGKILL) if command.starts_services else command.stops_services
    if not stays:
        faults += _left(place, ports, beside=bool(command.beside))
    faults += [f"afterwards: {fault}" for argv in command.after for fault in place.carry_out(command, argv)]
    faults += _left(place, ports, beside=bool(command.beside))
    if number != signal.SIGKILL and not command.beside:
        faults += [f"a temporary file is left: {path.name}" for path in place.temporary.iterdir()]
    for path in () if command.beside else place.temporary.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    faults += _unreadable(command, place, place.runs() - before, whole=by_itself and command.runs_s is None)
    return faults


def _expected(command: Command, number: signal.Signals) -> tuple[int, ...]:
    """Return the exit statuses that a command may have that gets a signal, perhaps when it has just ended.

    A signal that comes before Python has read the program ends it as the system does.
    """
    if number == signal.SIGKILL:
        return (*command.ends, -number)
    return (*command.ends, INTERRUPTED, -number, *((2,) if command.through_make else ()))


def _left(place: Place, ports: set[int], beside: bool) -> list[str]:
    """Return what is left of all that was started; what is meant to go on beside it is not. Stop it."""

    def alive() -> list[psutil.Process]:
        return [each for each in place.alive() if not (beside and _belongs_to_store(each))]

    taken_by_store = {place.port} if beside else set()
    faults = []
    if not _within(lambda: not alive(), _LEFT_S):
        left = alive()
        faults = [f"left: {each.pid} {' '.join(each.cmdline())[:80]}" for each in left if each.is_running()]
        for each in left:
            with contextlib.suppress(psutil.Error):
                each.kill()
    if not _within(lambda: all(is_free(port) for port in ports - taken_by_store), _LEFT_S):
        faults.append(f"taken: {[port for port in ports if not is_free(port)]}")
    return faults


def _belongs_to_store(process: psutil.Process) -> bool:
    """Whether it is the Redis that a command needs, or what runs it."""
    with contextlib.suppress(psutil.Error):
        words = process.cmdline()
        return "serve" in words or any("redis" in word or "valkey" in word for word in words[:1])
    return False


def _unreadable(command: Command, place: Place, runs: set[Path], whole: bool) -> list[str]:
    """Return what `report` cannot say about what is there; a run of a command that has ended must be complete."""
    faults = []
    for run in sorted(runs):
        said = place.start(command, (*BENCHMARK, "report", str(run)))
        # A run that was killed before it began has nothing to report, and that is said in a sentence.
        faults += [f"report of {run.name}: {fault}" for fault in said.end((0, 1))]
        if said.popen.returncode and "error:" not in said.output:
            faults.append(f"report of {run.name} ends with {said.popen.returncode} and no sentence")
        if whole and not json.loads((run / "summary.json").read_text())["complete"]:
            faults.append(f"{run.name} is not complete, though the command has ended")
    if runs:
        index = (*BENCHMARK, "report", "--results", "{results}")
        faults += [f"report: {fault}" for fault in place.carry_out(command, index)]
    latest = place.results / "latest"
    if latest.is_symlink() and not latest.exists():
        faults.append("results/latest leads nowhere")
    return faults


def _within(condition: Callable[[], bool], seconds: float) -> bool:
    until_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until_s:
            return False
        time.sleep(_POLL_S)
    return True
