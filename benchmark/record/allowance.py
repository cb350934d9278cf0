"""What a run may use of its machine: cores, memory, open files. Recorded, since the machine may have more.

A container, a systemd unit or `taskset` leaves a run with fewer cores and less memory than the machine has. The
kernel's documentation: sched_setaffinity(2), docs.kernel.org/scheduler/sched-bwc.html (cgroup v1),
docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max, memory.max), docs.kernel.org/admin-guide/pm/cpufreq.html.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

MISSING_CORES: Final = "an unknown number of cores"
_PROC, _MOUNT, _CPUS = Path("/proc"), Path("/sys/fs/cgroup"), Path("/sys/devices/system/cpu")


def allowance() -> dict[str, Any]:
    """Return what this process and its children may use; None for a limit that is not set."""
    limit = memory_limit_bytes()
    return {
        "cores": usable_cores(),
        "affinity_cores": len(own_cpus()),
        "cpu_quota_cores": cpu_quota_cores(),
        "memory_limit_gb": limit and round(limit / 1e9, 1),
        "frequency_governor": frequency_governor(),
    }


def own_cpus() -> list[int]:
    """Return the numbers of the CPUs that this process may run on."""
    try:
        return sorted(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # a system without affinity, such as macOS
        return list(range(os.cpu_count() or 1))


def usable_cores() -> float:
    """Return how many cores this process may use: those of its affinity, or fewer if a quota allows fewer."""
    cores, quota = len(own_cpus()), cpu_quota_cores()
    return cores if quota is None or quota >= cores else quota


def whole_cores() -> int:
    """Return the same as a whole number, at least 1: how many processes can compute at once."""
    return max(int(usable_cores()), 1)


def cpu_quota_cores(proc: Path = _PROC, mount: Path = _MOUNT) -> float | None:
    """Return the CPU time per second that the control groups of this process allow; None without a quota."""
    return _least(_quotas(proc, mount))


def memory_limit_bytes(
    proc: Path = _PROC, mount: Path = _MOUNT, total_bytes: Callable[[], int] = lambda: psutil.virtual_memory().total
) -> int | None:
    """Return the limit of memory of this process's control groups; None if it may use all that the machine has."""
    limits = (
        limit
        for folder in _groups("memory", proc, mount)
        for name in ("memory.max", "memory.limit_in_bytes")
        if (limit := _number(folder / name)) is not None
    )
    found = _least(limits)
    # Without a limit, version 1 has a number that is larger than any memory.
    return int(found) if found is not None and found < total_bytes() else None


def frequency_governor(folder: Path = _CPUS, cpus: Iterable[int] | None = None) -> str | None:
    """Return what decides the frequency of the CPUs, such as `powersave`; None where nothing does."""
    found = set()
    for cpu in own_cpus() if cpus is None else cpus:
        with contextlib.suppress(OSError):
            found.add((folder / f"cpu{cpu}" / "cpufreq" / "scaling_governor").read_text().strip())
    return ", ".join(sorted(found)) or None


def recorded_cores(environment: Mapping[str, Any]) -> float | None:
    """Return how many cores a recorded run could use; older records hold only how many its machine has."""
    allowed = environment.get("allowance") or {}
    machine = environment.get("machine") or {}
    return allowed.get("cores") or machine.get("cores") or None


def cores_text(environment: Mapping[str, Any]) -> str | None:
    """Return the cores of a recorded run in words: `2 cores`, or `2 of 8 cores`; None if they were not recorded."""
    cores = recorded_cores(environment)
    of_machine = (environment.get("machine") or {}).get("cores")
    if cores is None:
        return None
    if of_machine and cores != of_machine:
        return f"{cores:g} of {of_machine:g} cores"
    return f"{cores:g} core{'' if cores == 1 else 's'}"


def limits_text(environment: Mapping[str, Any]) -> list[str]:
    """Return the other limits of a recorded run, one in words each; none if they were not recorded."""
    allowed = environment.get("allowance") or {}
    open_files = (environment.get("open_files") or {}).get("soft")
    found = (
        ("at most {:g} GB of them", allowed.get("memory_limit_gb")),
        ("frequency governor {}", allowed.get("frequency_governor")),
        ("at most {:,} open files", open_files if allowed else None),
    )
    return [text.format(value) for text, value in found if value]


def _quotas(proc: Path, mount: Path) -> Iterator[float]:
    for folder in _groups("cpu", proc, mount):
        with contextlib.suppress(OSError, ValueError):  # version 2; `max` is no quota
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota) / int(period)
        quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota_us and period_us and quota_us > 0:  # version 1; -1 is no quota
            yield quota_us / period_us


def _groups(controller: str, proc: Path, mount: Path) -> Iterator[Path]:
    """Yield the folders of the control groups that this process is in, each with all above it, which limit it too.

    Inside a container its own group is mounted at the top, whatever path proc_pid_cgroup(5) shows.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in (proc / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            for top in (mount / controllers, mount / controller) if controllers else (mount, mount / "unified"):
                group = top / path.lstrip("/")
                yield group
                yield from (above for above in group.parents if above.is_relative_to(top))


def _least(values: Iterable[float]) -> float | None:
    return min(values, default=None)


def _number(path: Path) -> int | None:
    """Return the number that a file holds; None if there is none, such as `max`."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
