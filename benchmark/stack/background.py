"""`up` and `down`: start and stop the services of all contenders in the background, for curl and the browser.

run/services.json lists the processes that `up` has started. Each is added as it starts, so that `down` finds it even
if `up` crashes. Until all are ready, a guard stops them if `up` ends early.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import psutil
from pydantic import Field, TypeAdapter, ValidationError

from benchmark.contenders.discovery import ROOT, Contender, Process, discover
from benchmark.errors import ServicesError
from benchmark.stack.ports import refuse_taken
from benchmark.stack.processes import (
    HOST,
    READY_TIMEOUT_S,
    Running,
    Stack,
    await_ready,
    is_ready,
    start_role,
    stop_processes,
)
from benchmark.stack.watchdog import Guard, stop_groups

RUN = ROOT / "run"
# By default the feature store ends with its parent process.
_STAY: Final = {"FEATURE_STORE_STAY": "1"}
_POLL_S: Final = 0.05
_SAME_START_S: Final = 0.05  # the system counts starts in ticks of 10 ms
_SAME_BOOT_S: Final = 2.0


@dataclass(frozen=True)
class Service:
    """A process that `up` has started, the leader of its own process group."""

    pid: Annotated[int, Field(gt=1, strict=True)]
    role: str
    born: float  # start time of the process, in seconds since the epoch
    boot: float | None = None  # start time of the system, by its clock at that time
    port: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether it still runs. A process id that now belongs to another process does not count."""
        process = self._process()
        try:
            return process is not None and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @property
    def has_a_group(self) -> bool:
        """Whether the process group with its id, if there is one, is still its own, whether it is alive or not."""
        # The system does not reuse an id while a process group has it, except after a reboot.
        since_boot = self.boot is not None and abs(self.boot - psutil.boot_time()) < _SAME_BOOT_S
        return self._process() is not None or (since_boot and not psutil.pid_exists(self.pid))

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            boot = psutil.boot_time()
            # Relative to the system's start, since the clock may have been changed in between.
            since_boot_s = self.born - (boot if self.boot is None else self.boot)
            return process if abs(process.create_time() - boot - since_boot_s) < _SAME_START_S else None
        except (psutil.Error, ValueError, OverflowError):
            return None


_SERVICES: Final = TypeAdapter(list[Service])


class _State:
    """services.json: the processes that `up` started and `down` has not stopped yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "services.json"

    def read(self) -> list[Service]:
        """Return the started processes. Raises ServicesError if the file cannot be read."""
        try:
            return _SERVICES.validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, ValidationError) as error:
            ports = ", ".join(sorted({str(process.port) for _, process in _distinct(discover().values())}))
            why = error.strerror if isinstance(error, OSError) else "it is not a list of services"
            raise ServicesError(
                f"{self._path} cannot be read ({why}), so the running services are unknown: delete the file, and "
                f"stop the processes that listen on the ports {ports} yourself"
            ) from error

    def write(self, services: Sequence[Service]) -> None:
        """Write the list of services atomically. Raises ServicesError."""
        part = self._path.with_suffix(".part")
        try:
            if services:
                part.write_text(json.dumps([asdict(service) for service in services], indent=1) + "\n")
                part.replace(self._path)
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            raise ServicesError(f"cannot write {self._path}: {error.strerror}") from error


def up(folder: Path | None = None, known: Mapping[str, Contender] | None = None) -> Generator[str, None, None]:
    """Start every process that is not up yet of every contender of the service contract, once per port.

    Yields a line per service. If it ends before the last line, the processes that it started are stopped again.
    Raises BenchmarkError.
    """
    wanted = list(_distinct((discover() if known is None else known).values()))
    with _locked(folder or RUN) as state, closing(Guard()) as guard:
        kept = _clear_away(state)
        missing = [(c, p) for c, p in wanted if not any(service.port == p.port for service in kept)]
        refuse_taken((process.port, f"{process.role} of {contender.name}") for contender, process in missing)
        started: dict[int, Running] = {}  # by port
        try:
            for contender, process in missing:
                _start(contender, process, state, started, guard)
            for contender, process in wanted:
                yield _await(contender, process, started, kept)
        except BaseException:
            stop_processes([running.popen for running in started.values()], guard)
            state.write(kept)
            raise
        with _uninterrupted():
            for running in started.values():
                guard.release(running.pid)


def down(folder: Path | None = None) -> Iterator[str]:
    """Stop what `up` started, and nothing else. Yields a line about it. Raises ServicesError."""
    folder = folder or RUN
    if not folder.exists():
        yield "nothing to stop"
        return
    with _locked(folder) as state:
        services = state.read()
        alive = [service for service in services if service.is_alive]
        stop_groups({service.pid for service in services if service.has_a_group})
        left = [str(service.pid) for service in alive if service.is_alive]
        if left:
            raise ServicesError(f"the processes {', '.join(left)} cannot be stopped; did another user start them?")
        state.write([])
    yield f"stopped {len(alive)} services" if alive else "nothing to stop"


def served(contenders: Iterable[Contender]) -> list[Contender]:
    """Return the contenders that `up` starts: the first of those that share a scoring port."""
    found = {(contender.name): contender for contender, process in _distinct(contenders) if process.role == "scoring"}
    return list(found.values())


def _distinct(contenders: Iterable[Contender]) -> Iterator[tuple[Contender, Process]]:
    """Yield each process once: variants share the ports of the contender that they are based on."""
    seen: set[int] = set()
    for contender in contenders:
        for process in contender.process:
            if process.port not in seen and contender.follows_contract and not contender.harness_floor:
                seen.add(process.port)
                yield contender, process


def _clear_away(state: _State) -> list[Service]:
    """Return the running services. Of those that have ended, stop remaining processes such as workers."""
    services = state.read()
    alive = [service for service in services if service.is_alive]
    stop_groups({service.pid for service in services if service not in alive and service.has_a_group})
    state.write(alive)
    return alive


def _start(contender: Contender, process: Process, state: _State, started: dict[int, Running], guard: Guard) -> None:
    """Start one process and add it to services.json. Raises StackError or ServicesError."""
    ports = {other.role: other.port for other in contender.process}
    with _uninterrupted():
        running = start_role(contender, process, ports, state.folder / "logs", guard, _STAY)
        started[process.port] = running
        born = psutil.Process(running.pid).create_time()
        state.write([*state.read(), Service(running.pid, process.role, born, psutil.boot_time(), process.port)])


def _await(contender: Contender, process: Process, started: Mapping[int, Running], kept: Sequence[Service]) -> str:
    """Wait until a service is ready, and return its line of output. Raises StackError or ServicesError."""
    line = f"{contender.name:<6} {process.role:<8} http://{HOST}:{process.port}"
    running = started.get(process.port)
    if running:
        await_ready(Stack(contender, (running,)))
        return f"{line}  log {running.log}"
    service = next(service for service in kept if service.port == process.port)
    until_s = time.monotonic() + READY_TIMEOUT_S
    while not is_ready(process, process.port):
        if not service.is_alive or time.monotonic() > until_s:
            raise ServicesError(
                f"{process.role} of {contender.name} is running but does not answer on port {process.port}: "
                "run `make down`, then `make up`"
            )
        time.sleep(_POLL_S)
    return f"{line}  already up"


@contextmanager
def _locked(folder: Path) -> Iterator[_State]:
    """Hold the lock that lets only one `up` or `down` run at a time. Raises ServicesError."""
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise ServicesError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield _State(folder)
    finally:
        os.close(lock)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay signals that end `up` until the block has ended, so that no process is started without being listed."""
    held: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {n: signal.getsignal(n) for n in numbers if callable(signal.getsignal(n))}
    for number in before:
        signal.signal(number, lambda n, _: held.append(n))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        raise KeyboardInterrupt
