"""Runs doc/explore.ipynb without Jupyter: `.venv/bin/python doc/notebook.py` prints what its cells print.

`make docs` keeps that in the file, so that a reader sees it without running anything.
"""

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any, Final

EXPLORE: Final = Path(__file__).resolve().parent / "explore.ipynb"


def executed(path: Path = EXPLORE) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a notebook with what its cells print, and the names that they define. Runs in the notebook's folder."""
    notebook: dict[str, Any] = json.loads(path.read_text())
    names: dict[str, Any] = {"__name__": "__main__"}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with contextlib.chdir(path.parent):
        for number, cell in enumerate(code, 1):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec"), names)
            stream = {"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(keepends=True)}
            cell.update(execution_count=number, outputs=[stream] if stream["text"] else [])
    return notebook, names


def text_of(notebook: dict[str, Any]) -> str:
    """Return a notebook as Jupyter writes it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    notebook, _ = executed()
    for cell in notebook["cells"]:
        for stream in cell.get("outputs", ()):
            print("".join(stream["text"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
