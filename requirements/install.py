"""`python3 requirements/install.py benchmark|docs|dev`: make .venv from a hash-locked list. Standard library only."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MINIMUM = (3, 11)


def main(name: str) -> int:
    """Install a lock and the project itself; returns the exit status."""
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"Python {found} is too old, 3.11 or newer is needed: make PYTHON=python3.12", file=sys.stderr)
        return 1
    if not (VENV / "bin" / "pip").exists() and not make_venv():
        return 1
    print(f"installing requirements/{name}.txt into .venv ...", flush=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for arguments in (
        ["--require-hashes", "-r", str(ROOT / "requirements" / f"{name}.txt")],
        ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    ):
        status = subprocess.run([*pip, *arguments], check=False).returncode
        if status:
            print(f"pip could not install requirements/{name}.txt; its message above says why", file=sys.stderr)
            return status
    (VENV / f"installed-{name}").touch()
    for contained in ("benchmark", "docs") if name == "dev" else ():
        (VENV / f"installed-{contained}").touch()
    return 0


def make_venv() -> bool:
    """Make the virtual environment; name the missing package where that fails."""
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        print(f"{made.stdout}{made.stderr}", file=sys.stderr)
        print(
            "A virtual environment cannot be made. On Debian or Ubuntu: apt-get install python3-venv", file=sys.stderr
        )
    return made.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
