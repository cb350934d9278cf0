"""`make lock`: resolve every list of pyproject.toml into a lock with hashes, and without an index address."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The largest first; the others are held to the same versions.
LOCKS = ("dev", "benchmark", "docs", "sync", "async", "store", "test")
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--no-annotate",
    "--quiet",
)


def main() -> None:
    """Write requirements/*.txt."""
    for name in LOCKS:
        target = f"requirements/{name}.txt"
        held = [] if name == LOCKS[0] else ["--constraint", f"requirements/{LOCKS[0]}.txt"]
        command = ["uv", "pip", "compile", "pyproject.toml", "--extra", name, "--output-file", target]
        subprocess.run([sys.executable, "-m", *command, *OPTIONS, *held, *sys.argv[1:]], cwd=ROOT, check=True)
        print(target)


if __name__ == "__main__":
    main()
