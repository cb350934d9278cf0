"""Environments of contenders that cannot share ours: built once from a lock of their own, and kept by its hash."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmark.contenders.discovery import ROOT
from benchmark.errors import NotAvailable

ENVIRONMENTS: Final = ROOT / ".venvs"
_TIMEOUT_S: Final = 900.0
_MESSAGE_LINES: Final = 8


def python_for(lock: Path, environments: Path = ENVIRONMENTS) -> Path:
    """Return the interpreter of the environment that a lock describes, after building it if there is none yet.

    Raises NotAvailable with the end of pip's message.
    """
    if not lock.is_file():
        raise NotAvailable(f"there is no file {lock}, expected a lock with hashes")
    version = ".".join(map(str, sys.version_info[:3]))
    digest = hashlib.sha256(lock.read_bytes() + version.encode()).hexdigest()[:16]
    folder = environments / f"{lock.parent.name}-{digest}"
    python = folder / "bin" / "python"
    if not python.exists():
        _build(lock, folder)
    return python


def _build(lock: Path, folder: Path) -> None:
    """Build an environment beside its place, and move it there when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        _run([sys.executable, "-m", "venv", str(draft)], lock)
        pip = [str(draft / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--require-hashes", "-r", str(lock)], lock)
        with contextlib.suppress(FileExistsError):
            # A virtual environment is not relocatable, but `python -m` works through a link to it.
            folder.symlink_to(draft.name, target_is_directory=True)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _run(argv: list[str], lock: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=_TIMEOUT_S, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailable(f"the environment of {lock} cannot be built: {error}") from error
    if done.returncode:
        said = "\n".join(f"    {line}" for line in (done.stdout + done.stderr).splitlines()[-_MESSAGE_LINES:])
        raise NotAvailable(f"the environment of {lock} cannot be built, it needs a network once; pip says:\n{said}")
