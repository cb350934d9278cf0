"""run/services.json: which processes `up` has started, and whether they still run.

A process is known by its number and by its start in ticks since the system's start, so neither a reused number nor a
change of the clock makes it another.
"""

import fcntl
import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import psutil
from pydantic import Field, TypeAdapter, ValidationError

from benchmark.contenders.discovery import discover
from benchmark.errors import ServicesError

_SAME_START_S: Final = 0.05  # the system counts starts in ticks of 10 ms
_SAME_BOOT_S: Final = 2.0
_START_FIELD: Final = 22 - 3  # of /proc/PID/stat (proc(5)), counted after the command, which may contain blanks


def boot_id() -> str:
    """Return which start of the system this is; empty where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in ticks since the system's start, or None if the system does not show it."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[_START_FIELD])
    except (OSError, ValueError, IndexError):
        return None


def living(groups: Collection[int]) -> set[int]:
    """Return which of these process groups have a process that runs."""
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE:
                found.add(os.getpgid(process.pid))
    return found


@dataclass(frozen=True)
class Service:
    """A process that `up` has started, the leader of its own process group."""

    pid: Annotated[int, Field(gt=1, strict=True)]
    role: str
    born: float  # start time of the process, in seconds since the epoch
    boot: float | None = None  # start time of the system, by its clock at that time
    port: int = 0
    ticks: int | None = None  # start time of the process by the kernel's own count, which no change of the clock moves
    boot_id: str = ""  # which start of the system these ticks count from
    settings: dict[str, str] | None = None  # its environment in the contender's row

    @classmethod
    def of(cls, pid: int, role: str, port: int, settings: dict[str, str] | None = None) -> "Service":
        """Return the service that a process of this user is, as it runs now. Raises psutil.Error if it is gone."""
        born = psutil.Process(pid).create_time()
        return cls(pid, role, born, psutil.boot_time(), port, start_ticks(pid), boot_id(), settings)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs. A process id that now belongs to another process does not count."""
        if not self._is_there:
            return False
        try:
            return psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, OverflowError):
            return False
        except psutil.Error:
            return True

    @property
    def has_a_group(self) -> bool:
        """Whether the process group with its id, if there is one, is still its own, whether it is alive or not."""
        # The system does not reuse an id while a process group has it, except after a reboot.
        if self.ticks is None:
            same_boot = self.boot is not None and abs(self.boot - psutil.boot_time()) < _SAME_BOOT_S
        else:
            same_boot = self.boot_id == boot_id()
        return self._is_there or (same_boot and not psutil.pid_exists(self.pid))

    @property
    def _is_there(self) -> bool:
        if self.ticks is None:
            return self._process() is not None
        if self.boot_id != boot_id():
            return False
        ticks = start_ticks(self.pid)
        # A process whose start the system does not show, as that of another user may be, is not taken for ended.
        return psutil.pid_exists(self.pid) if ticks is None else ticks == self.ticks

    def _process(self) -> psutil.Process | None:
        """Return the process by its start on the clock: all that is known on a system without /proc."""
        try:
            process = psutil.Process(self.pid)
            boot = psutil.boot_time()
            # Relative to the system's start, since the clock may have been changed in between.
            since_boot_s = self.born - (boot if self.boot is None else self.boot)
            return process if abs(process.create_time() - boot - since_boot_s) < _SAME_START_S else None
        except (psutil.Error, ValueError, OverflowError):
            return None


_SERVICES: Final = TypeAdapter(list[Service])


class State:
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
            usual = {process.port for c in discover().values() if c.follows_contract for process in c.process}
            ports = ", ".join(map(str, sorted(usual)))
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


@contextmanager
def locked(folder: Path) -> Iterator[State]:
    """Hold the lock that lets only one `up` or `down` run at a time. Raises ServicesError."""
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o644)
    except OSError as error:
        raise ServicesError(f"cannot write to {folder}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield State(folder)
    finally:
        os.close(lock)
