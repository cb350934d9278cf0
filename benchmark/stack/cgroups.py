"""Reads the CPU time and memory of a container from its control group (cgroup), or from the engine's API.

The engine creates a cgroup for each container, and the kernel counts the use of all its processes in nanoseconds
(cgroup v1, cpuacct.usage) or microseconds (v2, cpu.stat): docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html
and docs.kernel.org/admin-guide/cgroup-v2.html. If those files are not visible here, as with an engine in a virtual
machine, the engine's API provides the same counters.

Memory is what `docker stats` shows: usage without the inactive file cache.
"""

import contextlib
import http.client
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_MOUNT = Path("/sys/fs/cgroup")
_SOCKET = "unix:///var/run/docker.sock"
_TIMEOUT_S = 5.0


class Counters(Protocol):
    """Counters of a whole group of processes, such as a container."""

    def read(self) -> tuple[int, int]:
        """Return CPU time in ns and memory in bytes. Raises OSError when the group is gone."""
        ...


@dataclass(frozen=True)
class ControlGroup:
    """The files of a container's control group."""

    cpu: Path
    memory: Path
    unified: bool  # cgroup v2

    def read(self) -> tuple[int, int]:
        """Return CPU time in ns and memory in bytes. Raises OSError when the container is gone."""
        if self.unified:
            cpu_ns = _field(self.cpu / "cpu.stat", "usage_usec") * 1000
            return cpu_ns, _number(self.memory / "memory.current") - _field(
                self.memory / "memory.stat", "inactive_file"
            )
        used = _number(self.memory / "memory.usage_in_bytes")
        return _number(self.cpu / "cpuacct.usage"), used - _field(self.memory / "memory.stat", "total_inactive_file")


@dataclass(frozen=True)
class EngineApi:
    """The engine's API for the statistics of a container, over its socket."""

    container: str
    host: str = _SOCKET

    def read(self) -> tuple[int, int]:
        """Return CPU time in ns and memory in bytes. Raises OSError when the container is gone."""
        with contextlib.closing(_UnixConnection(self.host.removeprefix("unix://"))) as connection:
            connection.request("GET", f"/containers/{self.container}/stats?stream=false&one-shot=true")
            answer = connection.getresponse()
            body = answer.read()
        if answer.status != 200:
            raise OSError(f"the engine answers {answer.status} for {self.container}")
        stats: dict[str, Any] = json.loads(body)
        memory = stats["memory_stats"]
        if "usage" not in memory:  # it has ended
            raise OSError(f"{self.container} has ended")
        details = memory.get("stats", {})
        inactive = details.get("total_inactive_file", details.get("inactive_file", 0))
        return int(stats["cpu_stats"]["cpu_usage"]["total_usage"]), int(memory["usage"] - inactive)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


def counters_of(container: str, pid: int) -> ControlGroup | EngineApi:
    """Return the counters of a container whose first process is `pid`. Raises OSError if there are none."""
    for found in (control_group(pid), EngineApi(container, os.environ.get("DOCKER_HOST") or _SOCKET)):
        if found:
            with contextlib.suppress(OSError, ValueError, KeyError):
                found.read()
                return found
    raise OSError("neither its control group nor the engine's API reports its CPU time and memory")


def control_group(pid: int, proc: Path = Path("/proc"), mount: Path = _MOUNT) -> ControlGroup | None:
    """Return the control group of a process, see proc_pid_cgroup(5); None if it is not visible here."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    folders: dict[str, str] = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        folders |= dict.fromkeys(controllers.split(","), path.lstrip("/"))
    if "cpuacct" in folders and "memory" in folders:
        return ControlGroup(mount / "cpuacct" / folders["cpuacct"], mount / "memory" / folders["memory"], unified=False)
    if folders.get(""):  # the root group is the whole system, not a container
        return ControlGroup(mount / folders[""], mount / folders[""], unified=True)
    return None


def _number(path: Path) -> int:
    return int(path.read_text())


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    raise OSError(f"{path} has no {name}")
