"""The page: complete for every kind of run, self-contained, answers first, and every link leads to what is there."""

import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest

from benchmark.experiments.gap.page import write_page
from benchmark.experiments.index import write_joined_report
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.gap.synthetic import Summary, make_manifest, make_summary, variants

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
def test_every_kind_of_run_has_a_page_that_loads_nothing_and_links_to_what_is_there(
    tmp_path: Path, variant: str
) -> None:
    run = record(tmp_path / "run", variants()[variant]())
    page = page_of(run)
    assert page.rstrip().endswith("</html>")
    assert "<script" not in page
    assert "<link" not in page
    targets = {target for target in RESOURCES.findall(page) if not target.startswith(("#", "data:text/csv"))}
    assert not [target for target in targets if "//" in target]
    assert [target for target in targets if not (run.path / unquote(target)).exists()] == []
    words = re.sub(r"<[^>]*>", " ", page).lower().split()
    assert not {"nan", "none", "undefined"} & set(words)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, str]:
    """A run and its page, with all its drawings."""
    run = record(tmp_path_factory.mktemp("drawn") / "run", make_summary())
    return run, page_of(run)


def test_ids_are_unique_and_what_is_referred_to_exists(drawn: tuple[Run, str]) -> None:
    _, page = drawn
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    referred = set(re.findall(r'(?:href="|url\()#([^")]+)', page))
    assert referred
    assert referred <= set(ids)


def test_the_raw_samples_of_each_cell_and_the_predictions_are_linked(tmp_path: Path) -> None:
    summary = make_summary()
    page = page_of(record(tmp_path / "run", summary))
    for cell in summary["cells"]:
        for block in (0, 1):
            assert f'href="samples/{block}-{cell["label"]}.csv"' in page
    assert 'href="summary.json"' in page
    assert 'href="prediction.json"' in page


def test_a_contender_that_is_no_cell_of_the_design_is_linked_by_its_own_samples(tmp_path: Path) -> None:
    summary = make_summary()
    for cell in summary["cells"]:
        cell["contender"] = None if cell["contender"] == "async" else cell["contender"]
    run = record(tmp_path / "run", summary)
    (run.path / "samples" / "0-main-async.csv").write_text("users\n")
    assert '<dt>async</dt><dd><a href="samples/0-main-async.csv">block 1</a></dd>' in page_of(run)


def test_the_answers_stand_before_everything_else_with_state_and_picture(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", make_summary()))
    top = page.partition('<nav class="contents"')[0]
    places = [
        top.index(text)
        for text in (
            "Where does the difference come from?",
            "Asking both models at once makes 43.4 of the 45.7\u00a0ms",
            "The peak rates of 4 contenders were predicted",
            ">VALID<",
            'id="waterfall-latency-ms"',
            '<table class="glance">',
        )
    ]
    assert places == sorted(places)


def test_measured_settings_are_shown_and_those_only_predicted_open_on_demand(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", make_summary()))
    shown, _, folded = page.partition("<summary>Settings that were predicted only")
    assert shown.count("threads doubled") == 1
    assert "four cores" not in shown
    assert "four cores" in folded


def test_every_figure_has_a_text_alternative_and_a_caption(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", make_summary()))
    assert page.count("<figure ") == page.count('role="img" aria-label="') == page.count("<figcaption>") == 10
    alts = re.findall(r'role="img" aria-label="([^"]*)"', page)
    assert [alt for alt in alts if not 0 < len(alt) <= 250] == []


@pytest.mark.parametrize(
    ("part", "missing"),
    [("anatomy", 1), ("prediction", 1), ("crossover", 1), ("attribution", 2), ("waiting", 0), ("clock_cost", 0),
     ("peaks", 0), ("what_if", 0), ("attribution_customary", 0), ("cells", 0), ("confounded", 0), ("factors", 0)],
)  # fmt: skip
@pytest.mark.parametrize("how", ["absent", "null", "empty"])
def test_a_missing_part_is_said(tmp_path: Path, part: str, missing: int, how: str) -> None:
    summary = make_summary()
    summary[part] = {"null": None, "empty": type(summary[part])()}.get(how)
    if how == "absent":
        del summary[part]
    page = page_of(record(tmp_path / "run", summary))
    assert page.count("This part was not measured in this run.") == missing


def test_what_is_invalid_is_struck_and_shown(tmp_path: Path) -> None:
    page = page_of(record(tmp_path / "run", variants()["invalid_cell"]()))
    assert '<span class="badge invalid">INVALID</span>' in page
    assert "a measurement that it rests on is INVALID" in page
    assert "makes 43.4" not in page
    assert '<tr class="invalid' in page
    assert "12 of 13,100 answers were wrong" in page


def test_of_many_reasons_three_are_shown_and_the_others_open_on_demand(tmp_path: Path) -> None:
    reasons = [f"cell-f-f-f-f: {count} of 13,100 answers were wrong" for count in range(1, 6)]
    page = page_of(record(tmp_path / "run", {**make_summary(), "valid": False, "reasons": reasons}))
    shown, _, folded = page.partition("<summary>2 more reasons</summary>")
    assert [f"{count} of 13,100" in shown for count in range(1, 6)] == [True] * 3 + [False] * 2
    assert all(f"{count} of 13,100" in folded for count in (4, 5))


def test_two_renders_are_the_same_bytes(drawn: tuple[Run, str]) -> None:
    run, _ = drawn
    assert page_of(run) == page_of(run)


def test_titles_are_only_text(tmp_path: Path) -> None:
    summary = make_summary()
    summary["factors"] = {**summary["factors"], "fan_out": {"title": "<script>a</script>", "from": "<b>", "to": "$x$"}}
    summary.update(anatomy={}, prediction={}, crossover=[], attribution_customary={})  # no factor is drawn there
    page = page_of(record(tmp_path / "run", summary))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_it_joins_the_report_of_all_experiments(tmp_path: Path) -> None:
    page_of(record(tmp_path / "20261121T050000Z-explain", make_summary()))
    page = write_joined_report(tmp_path).read_text(encoding="utf-8")
    assert "Where does the difference come from?" in page
    assert "Asking both models at once makes 43.4 of the 45.7" in page
    assert page.count("<figure>") == 1
    assert 'href="20261121T050000Z-explain/report.html"' in page
