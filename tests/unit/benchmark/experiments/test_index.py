"""All runs on one page."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import RecordError
from benchmark.experiments.index import write_joined_report
from tests.unit.benchmark.conftest import KINDS, make_summary

SVG = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 10 10">
<defs><path id="{name}-shape" d="M0 0"/></defs><use xlink:href="#{name}-shape"/></svg>
"""


def add(results: Path, folder: str, command: str, *, manifest: dict[str, Any] | None = None, **summary: Any) -> Path:
    """Add a run; without a word about its summary it has one that is complete and VALID."""
    path = results / folder
    path.mkdir(parents=True)
    started = f"2026-11-{folder[6:8]}T05:00:00Z"
    facts = {"schema": 1, "command": command, "started_utc": started, "environment": {"machine": {"cores": 2}}}
    (path / "manifest.json").write_text(json.dumps({**facts, **(manifest or {})}))
    if summary.get("absent"):
        return path
    whole = {"schema": 1, "command": command, "started_utc": started, "complete": True, "valid": True, "reasons": []}
    (path / "summary.json").write_text(json.dumps({**whole, "contenders": {}, **summary}))
    (path / "report.html").write_text("a page")
    return path


def page_of(results: Path) -> str:
    path = write_joined_report(results)
    assert path == results / "report.html"
    return path.read_text(encoding="utf-8")


def test_the_newest_complete_run_of_each_command_comes_first(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-timeit", "timeit", verdict="the old one")
    add(tmp_path, "20261102T050000Z-timeit", "timeit", verdict="the newest complete one")
    add(tmp_path, "20261103T050000Z-timeit", "timeit", verdict="the interrupted one", complete=False, valid=False)
    add(tmp_path, "20261101T060000Z-bench", "bench")
    page = page_of(tmp_path)
    expected = ("No contender was measured", "the newest complete one", "the interrupted one", "the old one")
    places = [page.index(text) for text in expected]
    assert places == sorted(places)
    assert "Other runs (2)" in page
    assert 'href="20261102T050000Z-timeit/report.html"' in page
    assert page.count("interrupted") >= 2


def test_the_latest_link_is_not_a_run_of_its_own(tmp_path: Path) -> None:
    path = add(tmp_path, "20261101T050000Z-timeit", "timeit")
    (tmp_path / "latest").symlink_to(path.name)
    assert "Other runs" not in page_of(tmp_path)


def test_the_state_and_the_scale_are_said(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-timeit", "timeit", valid=False, scale=0.1)
    page = page_of(tmp_path)
    assert "INVALID" in page
    assert "shortened: scale 0.1" in page


def test_an_unknown_command_is_listed_after_the_known_ones(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-another", "another", verdict="something else")
    add(tmp_path, "20261101T050000Z-locust", "locust")
    page = page_of(tmp_path)
    assert page.index('id="locust"') < page.index('id="another"')


def test_headline_figures_stand_in_the_page_with_ids_of_their_own(tmp_path: Path) -> None:
    one = add(tmp_path, "20261101T050000Z-timeit", "timeit")
    (one / "headline.svg").write_text(SVG.format(name="one"))
    two = add(tmp_path, "20261101T050000Z-profile", "profile")
    (two / "headline.svg").write_text(SVG.format(name="two"))
    (two / "headline-narrow.svg").write_text(SVG.format(name="two-narrow"))
    broken = add(tmp_path, "20261101T050000Z-locust", "locust")
    (broken / "headline.svg").write_text("no drawing")
    page = page_of(tmp_path)
    assert page.count("<figure>") == 2
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


def test_a_complete_valid_run_of_several_contenders_stands_before_newer_ones_that_are_not(tmp_path: Path) -> None:
    two: dict[str, Any] = {"contenders": {"one": {}, "two": {}}}
    add(tmp_path, "20261101T050000Z-timeit", "timeit", verdict="the fullest one", **two)
    add(tmp_path, "20261102T050000Z-timeit", "timeit", verdict="an older full one", **two, complete=False)
    add(tmp_path, "20261103T050000Z-timeit", "timeit", verdict="the one of one", contenders={"one": {}})
    floor: dict[str, Any] = {"contenders": {"one": {}, "null": {"harness_floor": True}}}
    add(tmp_path, "20261104T050000Z-timeit", "timeit", verdict="the one and the harness", **floor)
    add(tmp_path, "20261105T050000Z-timeit", "timeit", verdict="the INVALID one", **two, valid=False)
    page = page_of(tmp_path)
    first, _, others = page.partition("<details>")
    assert "the fullest one" in first
    assert "No complete run" not in first
    assert "the fullest one" not in others
    assert "Other runs (4)" in others


def test_where_no_run_is_full_the_newest_complete_one_is_shown_and_says_so(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-timeit", "timeit", verdict="the old one", contenders={"one": {}})
    add(tmp_path, "20261102T050000Z-timeit", "timeit", verdict="the new one", contenders={"one": {}}, valid=False)
    first, _, _ = page_of(tmp_path).partition("<details>")
    assert "the new one" in first
    assert (
        "No complete run of this command is VALID and of several contenders: this is the newest complete one." in first
    )


def test_where_no_run_is_complete_the_newest_is_shown_and_says_so(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-timeit", "timeit", verdict="interrupted", complete=False, valid=False)
    assert "No run of this command is complete: this is the newest." in page_of(tmp_path)


def test_the_drawing_of_a_run_brings_nothing_that_acts(tmp_path: Path) -> None:
    path = add(tmp_path, "20261101T050000Z-timeit", "timeit")
    evil = SVG.format(name="one").replace("<defs>", '<script>alert(1)</script><defs onload="alert(2)">')
    (path / "headline-narrow.svg").write_text(evil)
    page = page_of(tmp_path)
    assert "timeit-one-shape" in page
    assert "alert" not in page


def test_a_bench_shows_its_first_claim(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-bench", **make_summary(KINDS))
    assert "async-aiohttp" in page_of(tmp_path).split('class="answers"')[1].split("</ul>")[0]


def test_a_run_without_a_summary_says_how_to_get_one(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-timeit", "timeit", absent=True)
    assert "python -m benchmark report 20261101T050000Z-timeit" in page_of(tmp_path)


def test_another_schema_is_refused_with_its_version(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-timeit", "timeit", verdict="readable")
    add(tmp_path, "20261102T050000Z-timeit", "timeit", manifest={"schema": 7})
    broken = add(tmp_path, "20261103T050000Z-timeit", "timeit")
    (broken / "summary.json").write_text("{")
    page = page_of(tmp_path)
    assert "20261102T050000Z-timeit has schema 7, but this version reads schemas 1 to 2" in page
    assert "20261103T050000Z-timeit" in page
    assert "readable" in page
    assert str(tmp_path) not in page


def test_no_run_at_all_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="holds no run"):
        write_joined_report(tmp_path)


def test_what_a_record_says_is_escaped(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-timeit", "timeit", verdict="<script>alert(1)</script>")
    assert "<script" not in page_of(tmp_path)


def test_it_loads_nothing(tmp_path: Path) -> None:
    add(tmp_path, "20261101T050000Z-timeit", "timeit")
    page = page_of(tmp_path)
    targets = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert targets == ["20261101T050000Z-timeit/report.html"]
