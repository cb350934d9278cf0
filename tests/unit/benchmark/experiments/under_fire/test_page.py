"""The page of a run under fire: complete for every kind of run, self-contained, readable, and the same each time."""

import re
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from benchmark.errors import LoadError
from benchmark.experiments.under_fire.comparable import comparable
from benchmark.experiments.under_fire.experiment import EXPERIMENT
from benchmark.experiments.under_fire.figures import headline, overload_picture, trouble_picture
from benchmark.experiments.under_fire.page import write_report
from benchmark.experiments.under_fire.plan import OVERLOAD
from benchmark.experiments.under_fire.schema import UnderFireSummary
from benchmark.record.run import Run
from benchmark.report.alt_text import LONGEST
from benchmark.report.charts.picture import Picture
from tests.unit.benchmark.conftest import SheetsOf
from tests.unit.benchmark.experiments.under_fire.synthetic import (
    ONE,
    OTHER,
    PAUSE,
    TWO,
    Behaviour,
    record,
    without,
)
from tests.unit.benchmark.report.looks import struck, unreadable, words
from tests.unit.benchmark.synthetic import make_contender

PARTS = ("faults", "overload", "each", "method", "doubts", "reproduce")


def page_of(run: Run) -> str:
    return write_report(run).read_text(encoding="utf-8").replace("\u00a0", " ")


def pictures(run: Run) -> list[Picture]:
    summary = UnderFireSummary.model_validate(run.summary)
    found = [*map(trouble_picture, summary.troubles), overload_picture(summary.overload)]
    return [picture for picture in found if picture]


def test_it_names_each_fault_what_each_contender_did_and_what_the_contract_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(record(tmp_path, monkeypatch))
    assert all(f'id="{part}"' in page for part in PARTS)
    assert all(f"{each.says[:1].upper()}{each.says[1:]}" in page for each in (PAUSE, OTHER))
    assert "200, 503, connections refused" in page
    assert page.count('data-label="one"') == page.count('data-label="two"') == 2  # one for each fault
    assert "as promised" in page
    assert "<script" not in page
    assert "goodput" in page
    assert page.count("holds: ") == 8


def test_what_is_not_as_promised_stands_out_in_the_table_with_an_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"two": Behaviour(500, "WrongAnswer: status 500")}
    page = page_of(record(tmp_path, monkeypatch, plan=without("other", OVERLOAD), behaviours=broken))
    assert re.search(r'data-label="two"><strong>\d+ unexplained</strong>', page)
    assert "(status 500, +0.0 s from its begin)" in page
    assert "Overload was not part of this run." in page


@pytest.mark.parametrize("part", ["pause", "peak", OVERLOAD])
def test_a_run_of_which_a_part_failed_has_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    page = page_of(record(tmp_path, monkeypatch, error=((part, "two"), LoadError("no answer came"))))
    assert page.rstrip().endswith("</html>")
    assert "not measured" in page
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert not {"nan", "None", "inf"} & set(text.split())


def test_ids_are_unique_and_what_is_referred_to_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(record(tmp_path, monkeypatch, plan=without("other")))
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert {"pause", OVERLOAD} <= set(ids)
    assert [name for name, count in ids.items() if count > 1] == []
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


def test_every_text_of_every_picture_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sheets_of: SheetsOf
) -> None:
    three = [make_contender("sync"), make_contender("async"), make_contender("async-aiohttp")]
    drawn = sheets_of(pictures(record(tmp_path, monkeypatch, three, without("other"))))
    assert len(drawn) == 4
    for sheet in drawn:
        assert unreadable(sheet) == [], sheet.name
        assert {"sync", "async", "async-aiohttp", "right answers", "503"} <= words(sheet)


def test_who_is_invalid_is_struck_through_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sheets_of: SheetsOf
) -> None:
    busy = {"two": Behaviour(cores={"scoring": 0.3, "load": 0.97})}
    run = record(tmp_path, monkeypatch, plan=without("other", OVERLOAD), behaviours=busy)
    for sheet in sheets_of(pictures(run)):
        assert struck(sheet) == {"two"}


def test_text_alternatives_are_short_enough_to_be_listened_to_and_the_data_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = pictures(record(tmp_path, monkeypatch))
    assert len(found) == 3
    for picture in found:
        assert len(picture.alt) <= LONGEST
        assert picture.rows[0][:3] == ["contender", "second", "200 [1/s]"]
        assert {row[0] for row in picture.rows[1:]} == {"one", "two"}


def test_the_headline_is_overload_or_else_the_first_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert headline(UnderFireSummary.model_validate({"schema": 2})) is None
    run = record(tmp_path, monkeypatch, [ONE], without(OVERLOAD))
    assert headline(UnderFireSummary.model_validate(run.summary)) is not None


def test_the_console_has_a_line_for_each_fault_and_contender_and_for_each_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, console = record(tmp_path, monkeypatch), Console(width=200)
    with console.capture() as capture:
        console.print(EXPERIMENT.table(run.summary))
    lines = capture.get().splitlines()
    assert sum(line.startswith(("pause", "other")) for line in lines) == 4
    assert sum("(≥ 0.90 × peak)" in line for line in lines) == 2
    assert sum(line.rstrip().endswith("holds") for line in lines) == 8


def test_two_runs_are_compared_by_recovery_and_by_what_overload_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record(tmp_path, monkeypatch, [ONE, TWO])
    found = {figure.name: figure for figure in comparable(run, "one", None)}
    assert list(found) == ["recovery, pause", "recovery, other", "rate under overload", "p95 of what overload lets in"]
    assert all(figure.valid and len(figure.values) == 1 for figure in found.values())
    assert [figure.lower_is_better for figure in found.values()] == [True, True, False, True]
