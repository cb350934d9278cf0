"""The slides: fifteen, for Marp and as one file, with the figures of the records that lie under doc/recorded/."""

import base64
import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmark.contenders.discovery import ROOT
from doc.talk import render
from tests.integration.test_readme_commands import makefile_verbs, verbs

SOURCE = (ROOT / "doc" / "talk" / "slides.md").read_text()
SLIDES = 15
SUMMARY: dict[str, Any] = json.loads((render.RECORDED / "summary.json").read_text())


def sweep() -> dict[str, Any]:
    """Return a recorded sweep of two sizes of httpx's pool."""

    def contender(*rates: float) -> dict[str, Any]:
        return {"levels": [{"users": users, "rps": rps} for users, rps in zip((8, 64), rates, strict=False)]}

    head = {key: SUMMARY[key] for key in ("schema", "environment", "started_utc")}
    rows = {"async-model_pool_size-2048": contender(150.0, 620.0), "async-model_pool_size-28": contender(149.0)}
    return {**head, "command": "bench", "levels": [1, 8, 64], "contenders": rows}


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A copy of the recorded runs, which can be changed."""
    return Path(shutil.copytree(render.RECORDED, tmp_path / "recorded"))


Change = Callable[[dict[str, Any]], None]


def with_summary(recorded: Path, change: Change) -> str:
    summary = json.loads((recorded / "summary.json").read_text())
    change(summary)
    (recorded / "summary.json").write_text(json.dumps(summary))
    return render.markdown(render.values(recorded))


class Addresses(HTMLParser):
    """Whatever a page would load or link."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.texts: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        self.texts += [dict(attrs).get("alt")] if tag == "img" else []


@pytest.fixture(scope="module")
def text() -> str:
    return render.markdown(render.values())


@pytest.fixture(scope="module")
def page(text: str) -> str:
    return render.page(text)


def test_there_are_fifteen_slides_each_with_notes(text: str, page: str) -> None:
    slides = render.slides(text)
    assert len(slides) == page.count("<section") == SLIDES
    assert [slide.html for slide in slides if len(slide.notes) < 50] == []


def test_the_markdown_is_that_of_marp(text: str) -> None:
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["marp"] is True
    assert len(re.split(r"^---$", body, flags=re.MULTILINE)) == SLIDES
    assert not re.search(r"\{[{%#]|[%#}]\}", text)
    without_comments = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    assert not re.search(r"<[a-z/]", without_comments)  # Marp shows most HTML as text


def test_the_markdown_finds_its_pictures_from_results(text: str) -> None:
    links = re.findall(r"\]\((\S+)\)", text)
    assert len(links) >= 6
    assert [link for link in links if not (ROOT / "results" / link).resolve().exists()] == []


def test_nothing_is_loaded_from_elsewhere(page: str) -> None:
    found = Addresses(page)
    assert all(address.startswith("data:image/svg+xml;base64,") for address in found.found)
    assert len(found.found) >= 6
    assert "@import" not in page
    assert "url(" not in page
    for address in found.found:
        assert b"<svg" in base64.b64decode(address.partition(",")[2])


def test_every_picture_says_in_words_what_it_shows(page: str) -> None:
    texts = Addresses(page).texts
    assert all(text and 40 < len(text) <= 250 for text in texts)
    assert not any(text and re.match(r"[wh]:|bg ", text) for text in texts)


def test_a_table_or_list_is_none_that_shows_its_marks(page: str) -> None:
    shown = re.sub(r"<(pre|style|script).*?</\1>", "", page, flags=re.DOTALL)
    assert "|" not in shown
    assert "**" not in shown
    assert "`" not in shown


def test_no_number_is_written_by_hand_that_a_run_has_measured() -> None:
    """A latency or a rate in the source is an expression, or part of the question and its floors."""
    slides = re.sub(r"\{[{%].*?[%}]\}|<!--.*?-->", "", SOURCE, flags=re.DOTALL)
    assert set(re.findall(r"[\d.]+ ms\b", slides)) <= {"50 ms"}
    assert not re.search(r"\d+ (requests|times)\b", slides)


def test_new_records_change_the_slides(recorded: Path) -> None:
    def change(summary: dict[str, Any]) -> None:
        summary["contenders"]["async-aiohttp"]["peak"]["rps"] = 4321.0

    assert "4,320/s" not in render.markdown(render.values(recorded))
    assert "4,320/s" in with_summary(recorded, change)


def test_the_collapse_of_a_pool_is_told_from_the_recorded_sweep(recorded: Path) -> None:
    (recorded / "pool-size.json").unlink(missing_ok=True)
    assert "make record-pools" in render.markdown(render.values(recorded))
    (recorded / "pool-size.json").write_text(json.dumps(sweep()))
    text = render.markdown(render.values(recorded))
    table = (
        "| connections at most | 8 users | 64 users |\n|---|---|---|\n| 28 | 149/s | – |\n| 2048 | 150/s | 620/s |\n"
    )
    assert table in text
    assert "make record-pools" not in text


def test_every_make_verb_on_a_slide_exists() -> None:
    commands = [line.partition("#")[0] for line in SOURCE.splitlines() if line.startswith("make ")]
    inline = re.findall(r"`(make [^`]*)`", SOURCE)
    asked = {verb for command in (*commands, *inline) for verb in verbs(command)}
    assert {"up", "down", "bench", "explain", "talk"} <= asked
    assert asked - makefile_verbs() == set()


def test_both_forms_are_written_to_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "RESULTS", tmp_path / "results")
    shutil.copytree(ROOT / "doc", tmp_path / "doc", ignore=shutil.ignore_patterns("*.json", "__pycache__"))
    render.main()
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"talk.md", "talk.html"}
