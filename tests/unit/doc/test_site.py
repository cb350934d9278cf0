"""`make site`: builds without a warning, has no dead link, and asks nothing of the internet."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from benchmark.contenders.discovery import ROOT
from tests.unit.doc.pages import PAGES

Links = Iterator[tuple[Path, str]]


def documents(site: Path) -> dict[Path, BeautifulSoup]:
    return {path.resolve(): BeautifulSoup(path.read_text(), "html.parser") for path in sorted(site.rglob("*.html"))}


def links(pages: dict[Path, BeautifulSoup]) -> Links:
    for path, page in pages.items():
        for tag in page.select("[href], [src]"):
            yield path, str(tag.get("href") or tag.get("src") or "")


def dead(site: Path) -> list[str]:
    """Return the links within a site that lead nowhere."""
    pages = documents(site)
    anchors = {path: {str(tag["id"]) for tag in page.select("[id]")} for path, page in pages.items()}
    found = []
    for path, link in links(pages):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        fragment = unquote(parts.fragment)
        if not target.is_file() or (target in anchors and fragment and fragment not in anchors[target]):
            found.append(f"{path.relative_to(site.resolve())}: {link}")
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make site` builds it with this Python's programs; a warning fails it."""
    target = tmp_path_factory.mktemp("site")
    programs = f"BIN={Path(sys.executable).parent}"
    made = ["make", "--no-print-directory", "--old-file=.venv/installed-docs", programs, f"SITE={target}", "site"]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == f"{target}/index.html\n"
    return target


def test_every_page_is_in_it(site: Path) -> None:
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    without = {ROOT / "README.md"}  # doc/index.md takes its place
    assert {page.relative_to(ROOT).with_suffix("") for page in {*PAGES} - without} - built == set()


def test_no_link_within_it_is_dead(site: Path) -> None:
    assert len(list(links(documents(site)))) > 500
    assert dead(site) == []


def test_a_dead_link_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<a href="b.html#there"></a><a href="b.html#gone"></a><img src="c.svg">')
    (tmp_path / "b.html").write_text('<p id="there"></p><a href="https://example.org/gone"></a>')
    assert dead(tmp_path) == ["a.html: b.html#gone", "a.html: c.svg"]


def test_nothing_of_it_comes_from_the_internet(site: Path) -> None:
    for path, page in documents(site).items():
        loaded = [str(tag.get("src") or tag.get("href")) for tag in page.select("[src], link[href]")]
        assert [url for url in loaded if urlsplit(url).netloc] == [], path
    assert "@import" not in "".join(path.read_text() for path in site.rglob("*.css"))


def test_it_can_be_searched(site: Path) -> None:
    assert (site / "search.html").is_file()
    index = (site / "searchindex.js").read_text()
    assert [word for word in ("Shapley share", "The collapse of", "coordin") if word not in index] == []
