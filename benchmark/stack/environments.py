"""Environments of contenders that cannot share ours: built once from a lock of their own, and kept by its hash."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import ROOT
from benchmark.errors import NotAvailable

ENVIRONMENTS: Final = ROOT / ".venvs"
_COMPLETE: Final = "complete"  # a file, the last that is written
_TIMEOUT_S: Final = 900.0
_MESSAGE_LINES: Final = 8
_refused: Final[dict[Path, str]] = {}  # in this process, which asks for every block again: why it could not be built


def python_for(lock: Path, environments: Path = ENVIRONMENTS) -> Path:
    """Return the interpreter of the environment that a lock describes, after building it if there is none yet.

    Raises NotAvailable with the end of pip's message.
    """
    folder = environment_of(lock, environments)
    if not is_built(folder):
        with _alone(environments):
            if not is_built(folder):  # another process may have built it meanwhile
                _build(lock, folder)
    return _python(folder)


def environment_of(lock: Path, environments: Path = ENVIRONMENTS) -> Path:
    """Return the folder of the environment that a lock describes, built or not. Raises NotAvailable without a lock."""
    if not lock.is_file():
        raise NotAvailable(f"there is no file {lock}, expected a lock with hashes")
    version = ".".join(map(str, sys.version_info[:3]))
    digest = hashlib.sha256(lock.read_bytes() + version.encode()).hexdigest()[:16]
    return environments / f"{lock.parent.name}-{lock.stem}-{digest}"


def is_built(folder: Path) -> bool:
    """Whether an environment is complete, and the Python that it was made with is still there."""
    return (folder / _COMPLETE).exists() and _python(folder).exists()


@contextmanager
def _alone(environments: Path) -> Iterator[None]:
    """Let one process at a time build. The system forgets the lock when its process ends, however it does."""
    environments.mkdir(parents=True, exist_ok=True)
    handle = os.open(environments, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _build(lock: Path, folder: Path) -> None:
    """Build an environment in its place: its scripts hold its path. What is not complete is removed."""
    if folder in _refused:
        raise NotAvailable(_refused[folder])
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    try:
        _run([sys.executable, "-m", "venv", str(folder)], lock)
        pip = [str(_python(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
        _run([*pip, "--require-hashes", "-r", str(lock)], lock)
        (folder / _COMPLETE).touch()
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, NotAvailable):
            _refused[folder] = str(error)
        raise


def _run(argv: list[str], lock: Path) -> None:
    """Run a step. Raises NotAvailable: pip's last line, since some show only one, and then the lines before it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    failed = f"the environment of {lock.parent.name}/{lock.name} cannot be built"
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailable(f"{failed}: {error}") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()[-_MESSAGE_LINES:] or [f"status {done.returncode}"]
        before = "".join(f"\n    {line}" for line in lines)
        raise NotAvailable(f"{failed}, which needs a network once; pip says: {lines[-1]}{before}")


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"
