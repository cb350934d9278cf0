"""`python -m tests`: everything that must hold before a change lands; `--static` for what needs no running."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE, STDOUT

ROOT = Path(__file__).resolve().parent.parent
STATIC = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    "architecture": ["lint-imports"],
}
TESTS = {"tests": ["pytest"]}


def main(arguments: list[str]) -> int:
    """Run every check, also after one has failed; returns 0 if all passed."""
    only_static = "--static" in arguments
    rest = [argument for argument in arguments if argument != "--static"]
    with ThreadPoolExecutor() as pool:  # types take longer than all the others together
        running = {name: pool.submit(check, command) for name, command in STATIC.items()}
        failed = [name for name, each in running.items() if not told(name, STATIC[name], each.result())]
    if not only_static:
        failed += [name for name, command in TESTS.items() if not run(name, [*command, *rest])]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def check(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv(command), cwd=ROOT, check=False, text=True, stdout=PIPE, stderr=STDOUT)


def told(name: str, command: list[str], ended: "subprocess.CompletedProcess[str]") -> bool:
    """Print what a check has said; return whether it has passed."""
    print(f"== {name}: {' '.join(command)}\n{ended.stdout}", end="", flush=True)
    return not ended.returncode


def run(name: str, command: list[str]) -> bool:
    """Run a check that takes long, and so says what it does meanwhile; return whether it has passed."""
    started_s = time.monotonic()
    print(f"== {name}: {' '.join(command)}", flush=True)
    status = subprocess.run(argv(command), cwd=ROOT, check=False).returncode
    print(f"   {time.monotonic() - started_s:.0f} s", flush=True)
    return not status


def argv(command: list[str]) -> list[str]:
    return [str(Path(sys.executable).with_name(command[0])), *command[1:]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
