"""`make diff`: what sync and async mean in code. Needs nothing but Python.

python doc/diff.py           the two handlers side by side, and by how many lines every other file differs
python doc/diff.py --all     the handlers, and then the difference of every other file
python doc/diff.py --html    all files side by side, as the page results/diff.html
"""

import html
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from itertools import zip_longest
from pathlib import Path
from string import Template
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SYNC, ASYNC = ROOT / "sync" / "sync_api", ROOT / "async" / "async_api"
HANDLERS: Final = "scoring.py"
PAGE: Final = ROOT / "results" / "diff.html"
_TEMPLATE: Final = Path(__file__).with_name("diff.html")
_WORDS: Final = re.compile(r"\w+|\s+|.")

Row = tuple[str | None, str | None]  # a line of each side, None where a side has none


@dataclass(frozen=True)
class Pair:
    """A file of both twins, as lines; without any where only one of them has it."""

    name: str
    sync: list[str]
    asynchronous: list[str]

    @property
    def rows(self) -> Iterator[Row]:
        """The lines side by side: equal ones beside each other, changed ones in the order in which they stand."""
        for kind, a, b, c, d in SequenceMatcher(None, self.sync, self.asynchronous, autojunk=False).get_opcodes():
            left: Sequence[str | None] = self.sync[a:b]
            right: Sequence[str | None] = self.asynchronous[c:d]
            yield from zip(left, right, strict=True) if kind == "equal" else zip_longest(left, right)

    @property
    def changed(self) -> tuple[int, int]:
        """How many lines only the sync twin has, and only the async one."""
        differing = [(left, right) for left, right in self.rows if left != right]
        return sum(left is not None for left, _ in differing), sum(right is not None for _, right in differing)

    @property
    def where(self) -> str:
        """Which of the twins has the file."""
        return "both" if self.sync and self.asynchronous else "sync only" if self.sync else "async only"


def pairs() -> list[Pair]:
    """Return the files of the twins: the handlers first, then those of both, then those that one of them has."""
    names = {path.name for folder in (SYNC, ASYNC) for path in folder.glob("*.py")}
    found = [Pair(name, _lines(SYNC / name), _lines(ASYNC / name)) for name in names]
    found = [pair for pair in found if pair.sync or pair.asynchronous]
    return sorted(found, key=lambda pair: (pair.name != HANDLERS, pair.where != "both", pair.name))


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def side_by_side(pair: Pair) -> str:
    """Return both files beside each other; `|` stands between lines that differ, `<` or `>` beside a line alone."""
    width = max(map(len, pair.sync))
    lines = [f"{f'sync/sync_api/{pair.name}':<{width}}     async/async_api/{pair.name}", ""]
    for left, right in pair.rows:
        mark = " " if left == right else "<" if right is None else ">" if left is None else "|"
        lines.append(f"{left or '':<{width}}  {mark}  {right or ''}".rstrip())
    return "\n".join(lines)


def summary(others: Sequence[Pair]) -> str:
    """Return by how many lines each file differs."""
    rows = [(pair.name, *map(str, pair.changed), _note(pair)) for pair in others]
    lines = ["The other files: how many lines differ (`make diff ALL=1` shows them, HTML=1 as a page)", ""]
    lines += [f"{name:<20}{left:>6}{right:>7}  {note}".rstrip() for name, left, right, note in (_HEAD, *rows)]
    return "\n".join(lines)


_HEAD: Final = ("", "sync", "async", "")


def _note(pair: Pair) -> str:
    return "the same" if pair.changed == (0, 0) else "" if pair.where == "both" else pair.where


def unified(pair: Pair) -> str:
    """Return the difference of a file as `diff -u` shows it."""
    names = f"sync/sync_api/{pair.name}", f"async/async_api/{pair.name}"
    return "\n".join(unified_diff(pair.sync, pair.asynchronous, *names, lineterm=""))


def page(files: Sequence[Pair]) -> str:
    """Return all files side by side as a page, which needs no other file."""
    contents = "".join(
        f'<li><a href="#{pair.name}">{pair.name}</a> <span>{_count(pair)}</span></li>\n' for pair in files
    )
    sections = "".join(map(_section, files))
    return Template(_TEMPLATE.read_text()).substitute(contents=contents, sections=sections)


def _count(pair: Pair) -> str:
    left, right = pair.changed
    return _note(pair) or f"−{left} +{right} lines"


def _section(pair: Pair) -> str:
    rows = "".join(map(_table_row, pair.rows))
    return (
        f'<section id="{pair.name}">\n<h2>{pair.name} <small>{_count(pair)}</small></h2>\n'
        '<table><thead><tr><th scope="col">sync/sync_api</th><th scope="col">async/async_api</th></tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table>\n</section>\n"
    )


def _table_row(row: Row) -> str:
    left, right = row
    if left is not None and left == right:
        return f'<tr class="same"><td>{html.escape(left)}</td><td>{html.escape(right)}</td></tr>\n'
    texts = (
        _marked(left, right) if left is not None and right is not None else [html.escape(each or "") for each in row]
    )
    classes = ("none" if line is None else side for side, line in zip(("sync", "async"), row, strict=True))
    cells = (f'<td class="{name}">{text}</td>' for name, text in zip(classes, texts, strict=True))
    return f"<tr>{''.join(cells)}</tr>\n"


def _marked(left: str, right: str) -> list[str]:
    """Return two lines as HTML, the words that differ marked."""
    ours, theirs = _WORDS.findall(left), _WORDS.findall(right)
    said: tuple[list[str], list[str]] = [], []
    for kind, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        for parts, words in zip(said, (ours[a:b], theirs[c:d]), strict=True):
            text = html.escape("".join(words))
            parts.append(text if kind == "equal" or not text else f"<mark>{text}</mark>")
    return ["".join(parts) for parts in said]


def main(arguments: Sequence[str]) -> None:
    """Print what is asked for, or write the page."""
    handlers, *others = pairs()
    if "--html" in arguments:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page([handlers, *others]))
        print(f"wrote {PAGE.relative_to(ROOT)}")
        return
    print(side_by_side(handlers), end="\n\n")
    print("\n\n".join(filter(None, map(unified, others))) if "--all" in arguments else summary(others))


if __name__ == "__main__":
    main(sys.argv[1:])
