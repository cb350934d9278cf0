"""`make diff`: the handlers are shown whole and side by side, and nothing of the other files is hidden."""

import re
import subprocess
from collections.abc import Sequence
from difflib import unified_diff
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmark.contenders.discovery import ROOT
from doc import diff

SYNC, ASYNC = ROOT / "sync" / "sync_api", ROOT / "async" / "async_api"
HANDLERS, *OTHERS = diff.pairs()


def made(*words: str) -> str:
    command = ["make", "--no-print-directory", "diff", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_make_diff_shows_the_two_handlers_whole_and_side_by_side() -> None:
    shown = made()
    left, right = (
        [line for line in (folder / "scoring.py").read_text().splitlines() if line] for folder in (SYNC, ASYNC)
    )
    assert [line for line in left if line not in shown] == []
    assert [line for line in right if line not in shown] == []
    (row,) = (row for row in shown.splitlines() if "async def predict" in row)
    assert row.split("  |  ")[0].strip() == "def predict() -> Response:"


def test_make_diff_says_of_every_other_file_by_how_many_lines_it_differs() -> None:
    shown = made()
    files = {path.name for folder in (SYNC, ASYNC) for path in folder.glob("*.py") if path.read_text()}
    for name in files - {"scoring.py"}:
        assert re.search(rf"^{re.escape(name)} +\d+ +\d+", shown, re.MULTILINE), name
    assert re.search(r"^gevent_server.py .* sync only$", shown, re.MULTILINE)
    assert len(shown.splitlines()) < 80


@pytest.mark.parametrize("pair", OTHERS, ids=lambda pair: pair.name)
def test_the_lines_that_differ_are_counted_as_diff_counts_them(pair: diff.Pair) -> None:
    lines = list(unified_diff(pair.sync, pair.asynchronous, lineterm="", n=0))[2:]
    assert pair.changed == (sum(line[0] == "-" for line in lines), sum(line[0] == "+" for line in lines))


def test_make_diff_of_all_shows_the_difference_of_every_file() -> None:
    shown = made("ALL=1")
    differing = {pair.name for pair in OTHERS if pair.changed != (0, 0)}
    assert {line.rpartition("/")[2] for line in shown.splitlines() if line.startswith("+++ ")} == differing


class Cells(HTMLParser):
    """The text of the cells of a page, row by row, and every address in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[str, str]]] = []
        self.addresses: list[str] = []
        self._in_cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: Sequence[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        self.addresses += [value or "" for name, value in attributes if name in ("href", "src")]
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self._in_cell = True
            self.rows[-1].append((named.get("class") or "", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag != "td"

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            kind, text = self.rows[-1][-1]
            self.rows[-1][-1] = (kind, text + data)


@pytest.fixture(scope="module")
def page() -> str:
    return diff.page([HANDLERS, *OTHERS])


def test_the_page_begins_with_the_handlers_and_holds_every_line_of_every_file(page: str) -> None:
    rows = [row for row in Cells(page).rows if row]
    for side, name in enumerate(("sync", "async")):
        shown = [row[side][1] for row in rows if row[side][0] != "none"]
        files = [pair.sync if name == "sync" else pair.asynchronous for pair in [HANDLERS, *OTHERS]]
        assert shown == [line for lines in files for line in lines]


def test_the_page_marks_the_words_that_differ(page: str) -> None:
    assert "numbers = parse_scoring_numbers(body)</td>" in page
    assert "<mark>await </mark>read_body" in page


def test_the_page_needs_no_other_file(page: str) -> None:
    assert [address for address in Cells(page).addresses if not address.startswith("#")] == []
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"@import|url\(", style)


def test_the_page_is_written_to_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "ROOT", tmp_path)
    monkeypatch.setattr(diff, "PAGE", tmp_path / "results" / "diff.html")
    diff.main(["--html"])
    assert "<h2>scoring.py" in (tmp_path / "results" / "diff.html").read_text()
