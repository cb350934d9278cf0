"""From what the profilers wrote to what people open: HTML and text, speedscope, and tidy names."""

from pathlib import Path
from typing import Final

from pyinstrument.renderers import ConsoleRenderer, HTMLRenderer, SpeedscopeRenderer
from pyinstrument.session import Session

from benchmark.experiments.profiling.recorders import SESSION_SUFFIX

# What is offered to the reader of a report, and what it opens with.
OPENED_WITH: Final = {
    ".html": "interactive page",
    ".txt": "text",
    ".speedscope.json": "speedscope",
    ".csv": "table of functions",
    ".callgrind": "KCachegrind",
    ".folded": "stacks, folded",
}


def export_sessions(folder: Path) -> None:
    """Turn each pyinstrument session of a folder into an interactive page, a text and a speedscope file."""
    for path in folder.glob(f"*{SESSION_SUFFIX}"):
        session = Session.load(path)
        stem = path.name.removesuffix(SESSION_SUFFIX)
        (folder / f"{stem}.html").write_text(HTMLRenderer().render(session), encoding="utf-8")
        (folder / f"{stem}.txt").write_text(ConsoleRenderer(unicode=True).render(session), encoding="utf-8")
        (folder / f"{stem}.speedscope.json").write_text(SpeedscopeRenderer().render(session), encoding="utf-8")
        path.unlink()


def list_profiles(folder: Path) -> list[str]:
    """Return the names of a contender's profiles that people can open, in order."""
    return sorted(path.name for path in folder.glob("*") if path.name.endswith(tuple(OPENED_WITH)))
