"""The page: complete for every kind of run, self-contained, and every claim leads to a file that is there."""

import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from benchmark.experiments.gap.page import write_page
from benchmark.experiments.index import write_joined_report
from benchmark.record.run import Run
from tests.unit.experiments.gap.synthetic import Summary, make_manifest, make_summary, variants

RESOURCES = re.compile(r"""(?:\b(?:src|href|srcset|data|action)\s*=\s*["']?|url\(["']?|@import\s+["']?)([^"'\s)>]+)""")
FOLDERS = ("samples", "resources", "locust", "logs")


def record(path: Path, summary: Summary, blocks: int = 2) -> Run:
    """Write a run's directory around a summary."""
    for folder in FOLDERS:
        (path / folder).mkdir(parents=True)
    (path / "summary.json").write_text(json.dumps(summary))
    (path / "manifest.json").write_text(json.dumps(make_manifest()))
    for card in ("share.svg", "share.png"):
        (path / card).write_text("")
    if summary.get("prediction"):
        (path / "prediction.json").write_text("{}")
    for cell in summary.get("cells") or []:
        for block in range(blocks):
            (path / "samples" / f"{block}-{cell['label']}.csv").write_text("users\n")
    return Run.open(path)


def page_of(run: Run) -> str:
    return write_page(run).read_text(encoding="utf-8")


@pytest.mark.parametrize("variant", list(variants()))
@pytest.mark.usefixtures("undrawn")
def test_every_kind_of_run_has_a_page_that_loads_nothing_and_links_to_what_is_there(
    tmp_path: Path, variant: str
) -> None:
    run = record(tmp_path / "run", variants()[variant]())
    page = page_of(run)
    assert page.rstrip().endswith("</html>")
    assert "<script" not in page
    assert "<link" not in page
    targets = {target for target in RESOURCES.findall(page) if not target.startswith("#")}
    assert not [target for target in targets if "//" in target]
    assert [target for target in targets if not (run.path / unquote(target)).exists()] == []
    words = re.sub(r"<[^>]*>", " ", page).lower().split()
    assert not {"nan", "none", "undefined"} & set(words)


@pytest.mark.parametrize("variant", ["complete", "quick", "invalid_cell"])
def test_ids_are_unique_and_what_is_referred_to_exists(tmp_path: Path, variant: str) -> None:
    page = page_of(record(tmp_path / "run", variants()[variant]()))
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    referred = set(re.findall(r'(?:href="|url\()#([^")]+)', page))
    assert referred
    assert referred <= set(ids)


@pytest.mark.usefixtures("undrawn")
def test_each_claim_of_the_answer_links_to_its_raw_data(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", make_summary()))
    answer = page.split('<div class="verdict">')[1].split("</div>")[0]
    claims = answer.split("<li>")[1:]
    assert len(claims) == 5
    assert all('href="summary.json"' in claim for claim in claims)
    for block in (0, 1):
        assert f'href="samples/{block}-cell-f-f-f-f.csv"' in claims[0]
        assert f'href="samples/{block}-cell-t-t-t-t.csv"' in claims[0]
    assert 'href="prediction.json"' in claims[3]


@pytest.mark.usefixtures("undrawn")
def test_a_contender_that_is_no_cell_of_the_design_is_linked_by_its_own_samples(tmp_path: Path) -> None:
    summary = make_summary()
    for cell in summary["cells"]:
        cell["contender"] = None if cell["contender"] == "async" else cell["contender"]
    run = record(tmp_path / "run", summary)
    (run.path / "samples" / "0-main-async.csv").write_text("users\n")
    page = page_of(run)
    claim = next(item for item in page.split("<li>") if "median request of async takes" in item)
    assert 'href="samples/0-main-async.csv"' in claim


@pytest.mark.usefixtures("undrawn")
def test_every_figure_has_a_text_alternative_and_a_caption(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", make_summary()))
    assert page.count("<figure ") == page.count('role="img" aria-label="') == page.count("<figcaption>") == 10


@pytest.mark.parametrize(
    ("part", "missing"),
    [("anatomy", 1), ("prediction", 1), ("crossover", 1), ("attribution", 2), ("waiting", 0), ("clock_cost", 0),
     ("peaks", 0), ("what_if", 0), ("attribution_customary", 0), ("cells", 0), ("confounded", 0), ("factors", 0)],
)  # fmt: skip
@pytest.mark.parametrize("how", ["absent", "null", "empty"])
@pytest.mark.usefixtures("undrawn")
def test_a_missing_part_is_said(tmp_path: Path, part: str, missing: int, how: str) -> None:
    summary = make_summary()
    summary[part] = {"null": None, "empty": type(summary[part])()}.get(how)
    if how == "absent":
        del summary[part]
    page = page_of(record(tmp_path / "run", summary))
    assert page.count("This part was not measured in this run.") == missing


@pytest.mark.usefixtures("undrawn")
def test_what_is_invalid_is_struck_and_shown(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", variants()["invalid_cell"]()))
    assert '<span class="badge invalid">INVALID</span>' in page
    assert "<s>Of the 45.7" in page
    assert '<tr class="invalid' in page
    assert "12 of 13,100 answers were wrong" in page


def test_two_renders_are_the_same_bytes(tmp_path: Path) -> None:
    run = record(tmp_path / "run", make_summary())
    assert page_of(run) == page_of(run)


def test_titles_are_only_text(tmp_path: Path) -> None:
    summary = make_summary()
    summary["factors"] = {**summary["factors"], "fan_out": {"title": "<script>a</script>", "from": "<b>", "to": "$x$"}}
    page = page_of(record(tmp_path / "run", summary))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.usefixtures("undrawn")
def test_it_joins_the_report_of_all_experiments(tmp_path: Path) -> None:
    summary = {**make_summary(), "verdict": "the one sentence"}
    page_of(record(tmp_path / "20261121T050000Z-explain", summary))
    page = write_joined_report(tmp_path).read_text(encoding="utf-8")
    assert "explain: Where does the difference come from?" in page
    assert "the one sentence" in page
    assert page.count("<figure>") == 1
    assert 'href="20261121T050000Z-explain/report.html"' in page
