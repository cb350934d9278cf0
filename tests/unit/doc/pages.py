"""The pages that are written for people, and the commands in them."""

import re
import shlex
from itertools import takewhile
from pathlib import Path

from benchmark.contenders.discovery import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "doc").glob("*.md")),
    *sorted((ROOT / "benchmark").rglob("README.md")),
    *sorted((ROOT / "strategies").glob("*/README.md")),
]
PYTHON = ".venv/bin/python"
_ENDS = {"&&", "||", "|", ";"}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks_of(page: Path, language: str) -> list[str]:
    """Return what stands between fences of a language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL)


def python_commands(page: Path) -> list[list[str]]:
    """Return the words after Python's name of each command, in blocks for a shell and within sentences."""
    lines = [line for block in blocks_of(page, "sh") for line in block.splitlines()]
    lines += re.findall(rf"`({re.escape(PYTHON)} [^`]*)`", page.read_text())
    typed = (shlex.split(line, comments=True) for line in lines)
    return [list(takewhile(lambda word: word not in _ENDS, words[1:])) for words in typed if words[:1] == [PYTHON]]
