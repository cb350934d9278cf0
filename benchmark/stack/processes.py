"""Starts the processes of a contender, waits until they are ready, and stops them."""

import contextlib
import http.client
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from benchmark.contenders.discovery import ROOT, Contender, Process
from benchmark.errors import StackError
from benchmark.stack import ports as loopback
from benchmark.stack.cgroups import Counters
from benchmark.stack.environments import python_for
from benchmark.stack.parent_death import end_with_parent
from benchmark.stack.uninterrupted import uninterrupted
from benchmark.stack.watchdog import Guard, stop_groups

HOST = loopback.HOST
RECEIVER_ROLE = "receiver"
READY_TIMEOUT_S = 30.0
STOP_GRACE_S = 5.0
_LOG_TAIL_LINES = 15
# The shell is replaced by the program, and ends without it if the harness is gone before it says a line.
_WHEN_TOLD = 'read -r _ && exec "$@" </dev/null'
_FREE_PORTS = range(20_000, 32_000)


@dataclass(frozen=True)
class Running:
    """A started process, the leader of its own process group."""

    role: str
    popen: subprocess.Popen[bytes]  # for a container, the client that ends with it and with its exit status
    log: Path
    port: int
    counters: Counters | None = None  # of its CPU and memory, if its process tree does not show them
    container: str | None = None

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def usage_source(self) -> int | Counters:
        """What a Sampler reads: the counters if there are any, else the root of the process tree."""
        return self.counters or self.pid


@dataclass(frozen=True)
class Launch:
    """Everything that is needed to start a process, independent of the launcher."""

    contender: Contender
    process: Process
    ports: Mapping[str, int]  # by role, of all processes of the contender
    settings: dict[str, str]  # environment variables, in addition to the launcher's
    log: Path

    @property
    def port(self) -> int:
        return self.ports[self.process.role]

    @property
    def where(self) -> str:
        return f"{self.process.role} of {self.contender.name}"


class Launcher(Protocol):
    """Starts and stops processes of contenders."""

    def launch(self, launch: Launch, guard: Guard | None) -> Running:
        """Start a process. Raises StackError, or NotAvailable if its environment cannot be built."""
        ...

    def stop(self, started: Sequence[Running], guard: Guard) -> None:
        """Stop processes and their children; SIGTERM first."""
        ...


@dataclass(frozen=True)
class ProcessLauncher:
    """Starts plain processes, each in its own process group."""

    announce: Callable[[Launch, int], None] | None = None  # told the process id before the program begins

    def launch(self, launch: Launch, guard: Guard | None) -> Running:
        own = launch.process.requirements
        place = launch.contender.place
        python = python_for((place.folder if place else launch.contender.folder) / own) if own else sys.executable
        argv = command(launch.process, launch.ports, str(python))
        try:
            announce = partial(self.announce, launch) if self.announce else None
            cwd = _working_folder(launch.contender)
            popen = start_process(argv, launch.log, guard, _environment(launch), announce=announce, cwd=cwd)
        except OSError as error:
            raise StackError(f"{launch.where}: {argv[0]} cannot be started: {error.strerror}") from error
        return Running(launch.process.role, popen, launch.log, launch.port)

    def stop(self, started: Sequence[Running], guard: Guard) -> None:
        stop_processes([running.popen for running in started], guard)


@dataclass(frozen=True)
class Stack:
    """A running contender that is ready for requests."""

    contender: Contender
    processes: tuple[Running, ...]

    @property
    def base_url(self) -> str:
        """The URL of the scoring handler, or of a service that runs elsewhere, without the endpoint."""
        return self.contender.url or f"http://{HOST}:{self.port('scoring')}"

    @property
    def receiver_url(self) -> str:
        """The URL of the process that receives callbacks, without a path; empty if there is none."""
        ports = [running.port for running in self.processes if running.role == RECEIVER_ROLE]
        return f"http://{HOST}:{ports[0]}" if ports else ""

    def port(self, role: str) -> int:
        return next(running.port for running in self.processes if running.role == role)

    def check_alive(self) -> None:
        """Raise StackError, with the end of its log, if a process has died."""
        for running in self.processes:
            if running.popen.poll() is not None:
                raise StackError(_exit_message(self.contender, running, "during the run"))


@contextlib.contextmanager
def running_stack(
    contender: Contender,
    logs: Path,
    guard: Guard,
    env: Mapping[str, str] | None = None,
    free_ports: bool = False,
    launcher: Launcher | None = None,
) -> Iterator[Stack]:
    """Start a contender's processes, wait until all are ready, and stop them at the end.

    Their output goes to `<label>-<role>.log` in `logs`. With `free_ports` each gets a free port instead of the one in
    its contender.toml. Without a `launcher` they are plain processes. Raises StackError.
    """
    launcher = launcher or ProcessLauncher()
    ports = {process.role: free_port() if free_ports else process.port for process in contender.process}
    started: list[Running] = []
    try:
        for process in contender.process:
            # Appended one by one, so that the started ones are stopped if the next one fails to start.
            started.append(start_role(contender, process, ports, logs, guard, env, launcher))  # noqa: PERF401
        stack = Stack(contender, tuple(started))
        await_ready(stack)
        yield stack
    finally:
        launcher.stop(started, guard)


def start_role(
    contender: Contender,
    process: Process,
    ports: Mapping[str, int],
    logs: Path,
    guard: Guard | None,
    env: Mapping[str, str] | None = None,
    launcher: Launcher | None = None,
) -> Running:
    """Start one process of a contender. Raises StackError if its port is in use."""
    loopback.refuse_taken([(ports[process.role], f"{process.role} of {contender.name}")])
    settings = {**(env or {}), **{name: _fill_in(value, process, ports) for name, value in process.env.items()}}
    log = logs / f"{contender.label or contender.name}-{process.role}.log"
    return (launcher or ProcessLauncher()).launch(Launch(contender, process, ports, settings, log), guard)


def start_process(
    argv: list[str],
    log: Path,
    guard: Guard | None,
    env: Mapping[str, str],
    talking: bool = False,
    announce: Callable[[int], None] | None = None,
    cwd: Path = ROOT,
) -> subprocess.Popen[bytes]:
    """Start a process in its own group, with its output in a file, monitored by the guard if there is one.

    A `talking` process has pipes to the harness as its standard input and output. One that is announced outlives the
    harness: its program begins only when `announce` has returned. All others end with it. Raises StackError.
    """
    if announce:
        argv = ["/bin/sh", "-c", _WHEN_TOLD, "sh", *argv]
    popen = None
    try:
        with uninterrupted(), log.open("ab") as output:
            popen = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE if talking or announce else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talking else output,
                stderr=output,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=None if announce else end_with_parent(),  # noqa: PLW1509 - takes no lock
            )
            if guard:
                guard.watch(popen.pid)
            if announce:
                announce(popen.pid)
                assert popen.stdin is not None
                with popen.stdin as told:
                    told.write(b"\n")
    except BaseException as error:
        if popen:
            popen.kill()
            popen.wait()
        if isinstance(error, BrokenPipeError):
            raise StackError(f"{argv[0]} is not started: the process that would stop it has ended") from error
        raise
    return popen


def stop_processes(processes: list[subprocess.Popen[bytes]], guard: Guard, grace_s: float = STOP_GRACE_S) -> None:
    """Stop processes and their groups: SIGTERM first, SIGKILL after the grace time."""
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    until_s = time.monotonic() + grace_s
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(until_s - time.monotonic(), 0.01))
    stop_groups({process.pid for process in processes}, grace_s=0.5)
    for process in processes:
        process.wait()
        guard.release(process.pid)


def free_port() -> int:
    """Return a free TCP port of loopback that no outgoing connection can take.

    Outgoing connections use the system's own range, which begins at 32,768 or above (ip(7), ip_local_port_range).
    """
    for port in random.SystemRandom().sample(_FREE_PORTS, len(_FREE_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise StackError(f"no port from {_FREE_PORTS[0]} to {_FREE_PORTS[-1]} is free")


def command(process: Process, ports: Mapping[str, int], python: str = sys.executable) -> list[str]:
    """Return the command line of a process."""
    start = [python, "-m", process.module] if process.module else list(process.command)
    return start + [_fill_in(argument, process, ports) for argument in process.args]


# The variables of the user's shell that a process needs to start. All others could change the measurement:
# LOCUST_HOST redirects the load, WEB_CONCURRENCY and GUNICORN_CMD_ARGS change the servers, LD_PRELOAD and
# MALLOC_ARENA_MAX the memory allocator, AIOHTTP_NO_EXTENSIONS the client, PYTHONPATH the packages.
_PASSED_ON = {
    *("PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TMP", "TEMP", "TZ", "LANG", "LANGUAGE", "VIRTUAL_ENV"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "XDG_RUNTIME_DIR", "SYSTEMROOT"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),
}


def own_environment(*folders: Path) -> dict[str, str]:
    """Return the environment of a started process: few variables of this one, and modules from `folders` and ROOT."""
    passed = {name: v for name, v in os.environ.items() if name in _PASSED_ON or name.startswith("LC_")}
    return {**passed, "PYTHONPATH": os.pathsep.join(dict.fromkeys(map(str, [*folders, ROOT])))}


def _working_folder(contender: Contender) -> Path:
    """Return where the processes of a contender run: those of another repository in its own folder."""
    if contender.place:
        return contender.place.folder
    return ROOT if contender.folder.is_relative_to(ROOT) else contender.folder


def _environment(launch: Launch) -> dict[str, str]:
    place = launch.contender.place
    folders = (place.folder, place.root) if place else (launch.contender.folder,)
    return {**own_environment(*folders), **launch.settings}


def _fill_in(text: str, process: Process, ports: Mapping[str, int]) -> str:
    addresses = {role: f"{HOST}:{port}" for role, port in ports.items()}
    try:
        return text.format(port=ports[process.role], **addresses)
    except (KeyError, IndexError, ValueError) as error:
        raise StackError(
            f"process {process.role}: {text!r} names {error}, expected one of port, {', '.join(ports)}"
        ) from error


def await_ready(stack: Stack) -> None:
    """Wait until every process of a stack is ready. Raises StackError if one dies or takes too long."""
    until_s = time.monotonic() + READY_TIMEOUT_S
    processes = {process.role: process for process in stack.contender.process}
    for running in stack.processes:
        process = processes[running.role]
        while not is_ready(process, running.port):
            if running.popen.poll() is not None:
                raise StackError(_exit_message(stack.contender, running, "at start"))
            if time.monotonic() > until_s:
                raise StackError(
                    f"{running.role} of {stack.contender.name} was not ready after {READY_TIMEOUT_S:g} s; "
                    f"its log ends:\n{log_tail(running.log)}"
                )
            time.sleep(0.05)


def is_ready(process: Process, port: int) -> bool:
    """Whether a process answers its readiness check on a port."""
    try:
        if process.ready == "tcp":
            socket.create_connection((HOST, port), timeout=1).close()
            return True
        connection = http.client.HTTPConnection(HOST, port, timeout=2)
        with contextlib.closing(connection):
            connection.request("GET", process.ready)
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def _exit_message(contender: Contender, running: Running, when: str) -> str:
    return (
        f"{running.role} of {contender.name} died {when} with exit status {running.popen.returncode}; "
        f"its log ends:\n{log_tail(running.log)}"
    )


def log_tail(log: Path) -> str:
    """Return the last lines of a process's log, indented."""
    lines = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return "\n".join(f"    {line}" for line in lines)
