"""The provenance of a run: machine, versions, commit."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from benchmark.contenders.discovery import ROOT
from contract.limits import open_files

BUSY_PROBE_S = 1.0


def environment() -> dict[str, Any]:
    """Return the machine, the Python version, all installed packages, the commit and the limits of open files.

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
        "python": platform.python_version(),
        "python_build": sys.version,
        "open_files": open_files()._asdict(),
        "packages": _packages(),
        "git": _commit(),
    }


def busy_share(seconds: float = BUSY_PROBE_S) -> float:
    """Return the share of all cores that is in use now, including steal time."""
    times = psutil.cpu_times_percent(interval=seconds)
    return round(1 - (times.idle + getattr(times, "iowait", 0.0)) / 100, 4)


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
