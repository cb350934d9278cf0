"""`python -m tests`: everything that must hold before a change lands; `--static` for what needs no running."""

import subprocess
import sys
import time
from pathlib import Path

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
    failed = []
    for name, command in (STATIC if only_static else {**STATIC, **TESTS}).items():
        started_s = time.monotonic()
        print(f"== {name}: {' '.join(command)}", flush=True)
        argv = [str(Path(sys.executable).with_name(command[0])), *command[1:], *(rest if name == "tests" else [])]
        if subprocess.run(argv, cwd=ROOT, check=False).returncode:
            failed.append(name)
        print(f"   {time.monotonic() - started_s:.0f} s", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
