"""`make lock`: resolve every list into a lock with hashes, and without an index address.

The lists of pyproject.toml, that of the audit, and those of strategies that need an environment of their own.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The largest first; the others are held to the same versions.
LOCKS = ("dev", "benchmark", "docs", "sync", "async", "store", "jobs", "test")
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
    """Write requirements/*.txt and strategies/*/*.txt."""
    for target, source in lists():
        command = ["uv", "pip", "compile", *source, "--output-file", target]
        subprocess.run([sys.executable, "-m", *command, *OPTIONS, *sys.argv[1:]], cwd=ROOT, check=True)
        print(target)


def lists(root: Path = ROOT) -> Iterator[tuple[str, list[str]]]:
    """Yield each lock, and where it comes from. Both are named from the project's root."""
    for name in LOCKS:
        held = [] if name == LOCKS[0] else ["--constraint", f"requirements/{LOCKS[0]}.txt"]
        yield f"requirements/{name}.txt", ["pyproject.toml", "--extra", name, *held]
    # Held to none of our versions, which may not do for them: what audits the others, and strategies of their own.
    for path in (*sorted(root.glob("requirements/*.in")), *sorted(root.glob("strategies/*/*.in"))):
        source = path.relative_to(root)
        yield str(source.with_suffix(".txt")), [str(source)]


if __name__ == "__main__":
    main()
