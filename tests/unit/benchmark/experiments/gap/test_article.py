"""The article agrees with the run that it was generated from."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.experiments.gap import article
from tests.unit.benchmark.experiments.gap.synthetic import make_manifest, variants

GENERATE = runpy.run_path(str(ROOT / "doc" / "generate.py"))
ARTICLE: Path = GENERATE["ARTICLE"]
EXPLAINED: Path = GENERATE["EXPLAINED"]
FOLDER = EXPLAINED.relative_to(ARTICLE.parent)
needs_a_recorded_run = pytest.mark.skipif(not (EXPLAINED / "summary.json").exists(), reason="no run is recorded yet")


def blocks_of(text: str) -> dict[str, str]:
    return dict(re.findall(r"<!-- generated: ([\w-]+) -->\n(.*?)<!-- end -->", text, re.DOTALL))


def prose_of(text: str) -> str:
    return re.sub(r"<!-- generated: .*?<!-- end -->", "", text, flags=re.DOTALL)


@needs_a_recorded_run
@pytest.mark.usefixtures("drawings")
def test_the_article_agrees_with_the_recorded_run() -> None:
    stale = [path for path, text in GENERATE["explained"]().items() if path.read_text() != text]
    assert stale == []


@needs_a_recorded_run
def test_the_recorded_run_is_complete_and_names_no_folder_of_a_machine() -> None:
    summary = json.loads((EXPLAINED / "summary.json").read_text())
    assert (summary["command"], summary["complete"]) == ("explain", True)
    for name in ("summary.json", "manifest.json", "prediction.json"):
        assert not re.search(r"/(home|root|tmp|work|Users)/", (EXPLAINED / name).read_text())


@pytest.mark.parametrize("variant", list(variants()))
def test_every_block_of_the_article_is_generated_and_no_other(variant: str) -> None:
    made = article.blocks(variants()[variant](), make_manifest(), FOLDER)
    text = ARTICLE.read_text()
    assert set(blocks_of(text)) == set(made)
    filled: str = GENERATE["filled"](ARTICLE.name, text, made)
    assert blocks_of(filled) == made
    assert prose_of(filled) == prose_of(text)


def test_a_changed_record_changes_the_text() -> None:
    summary = variants()["complete"]()
    before = article.blocks(summary, make_manifest(), FOLDER)
    summary["attribution"]["latency_ms"]["shares"]["fan_out"]["value"] = -41.7
    after = article.blocks(summary, make_manifest(), FOLDER)
    assert "makes 43.4 of the 45.7 ms" in before["answer"]
    assert before["answer"] != after["answer"]
    assert before["shares"] != after["shares"]


@pytest.mark.parametrize("variant", list(variants()))
def test_every_image_of_the_article_is_drawn(variant: str) -> None:
    summary: dict[str, Any] = variants()[variant]()
    text = "".join(article.blocks(summary, make_manifest(), FOLDER).values())
    linked = re.findall(r"\]\(([^)]+\.svg)\)", text)
    assert {Path(link).name for link in linked} == set(article.figures(summary, make_manifest()))
    assert all(Path(link).parent == FOLDER for link in linked)


@pytest.mark.parametrize("variant", list(variants()))
def test_every_alternative_text_is_short(variant: str) -> None:
    summary: dict[str, Any] = variants()[variant]()
    text = "".join(article.blocks(summary, make_manifest(), FOLDER).values())
    text += article.headline(summary, make_manifest(), FOLDER)
    assert [alt for alt in re.findall(r"!\[([^\]]*)\]", text) if not 0 < len(alt) <= 250] == []


def test_the_front_page_shows_gap_and_shares_without_the_cpu_of_another_number_of_users() -> None:
    text = article.headline(variants()["complete"](), make_manifest(), FOLDER)
    assert "makes 43.4 of the 45.7 ms" in text
    assert "carries 3.70 times the rate of sync" in text
    assert "async carries 1.95 times" in text
    assert "| factor | latency at one user | peak rate |\n" in text
    assert "| HTTP client | −0.80 ms | × 1.90 |\n" in text
    assert "CPU" not in text.partition("Recorded with")[0] + text.partition("| factor")[2]


def test_the_prose_holds_no_measured_number() -> None:
    """Only what can be derived stands outside of the blocks: 90.00 - 46.67 = 43.33 ms, and what it is derived from."""
    numbers = set(re.findall(r"\d+(?:\.\d+)?(?= ?ms\b)", prose_of(ARTICLE.read_text())))
    assert numbers <= {"50", "45", "90.00", "46.67", "43.33"}
    assert not re.search(r"\d ?(%|requests/s|rps|times\b)", prose_of(ARTICLE.read_text()))


def test_without_a_recorded_run_nothing_is_generated(tmp_path: Path) -> None:
    generate = runpy.run_path(str(ROOT / "doc" / "generate.py"))
    generate["explained"].__globals__["EXPLAINED"] = tmp_path
    assert generate["explained"]() == {}


def test_a_recorded_run_fills_the_article(tmp_path: Path) -> None:
    generate = runpy.run_path(str(ROOT / "doc" / "generate.py"))
    page, folder = tmp_path / ARTICLE.name, tmp_path / "recorded" / "explain"
    folder.mkdir(parents=True)
    page.write_text(ARTICLE.read_text())
    (folder / "summary.json").write_text(json.dumps(variants()["complete"]()))
    (folder / "manifest.json").write_text(json.dumps(make_manifest()))
    generate["explained"].__globals__.update(ARTICLE=page, EXPLAINED=folder)
    made = generate["explained"]()
    assert "Asking both models at once makes 43.4 of the 45.7 ms" in made[page]
    assert {path.suffix for path in made} == {".md", ".svg"}
    assert "](recorded/explain/waterfall-latency-ms.svg)" in made[page]
