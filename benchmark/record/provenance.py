"""The provenance of a run: machine, versions, commit."""

import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

from benchmark.contenders.discovery import ROOT
from benchmark.record.allowance import allowance, own_cpus
from contract.limits import open_files

BUSY_PROBE_S = 1.0
T = TypeVar("T")


def environment() -> dict[str, Any]:
    """Return the machine, what of it this run may use, the Python version, all installed packages, and the commit.

    Contains neither host name nor user name.
    """
    return {
        "machine": {
            "os": _os_name(),
            "kernel": platform.release(),
            "cpu_model": _cpu_model(),
            "cores": os.cpu_count() or 0,
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "architecture": platform.machine(),
        },
        "allowance": allowance(),
        "python": platform.python_version(),
        "python_build": sys.version,
        "open_files": open_files()._asdict(),
        "packages": dict(_packages()),
        "git": _commit(),
    }


def busy_share(seconds: float = BUSY_PROBE_S) -> float:
    """Return the share of the cores that this process may run on that is in use now, including steal time."""
    cpus = of_own_cpus(psutil.cpu_times_percent(interval=seconds, percpu=True))
    idle = sum(cpu.idle + getattr(cpu, "iowait", 0.0) for cpu in cpus) / len(cpus)
    return round(1 - idle / 100, 4)


def of_own_cpus(times: Sequence[T]) -> Sequence[T]:
    """Return of the times of each CPU those of the CPUs that this process may run on."""
    own = own_cpus()
    return [times[cpu] for cpu in own] if max(own) < len(times) else times  # some are switched off


@functools.cache  # it takes most of a second
def _packages() -> dict[str, str]:
    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"]}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()


def _cpu_model() -> str:
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _commit() -> dict[str, Any]:
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()
