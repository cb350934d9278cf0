"""The page of a timeit run: complete for every kind of run, self-contained, and the same each time."""

import re
from collections import Counter

import pytest

from benchmark.experiments.timeit.figures import all_figures
from benchmark.experiments.timeit.page import write_report
from benchmark.experiments.timeit.repeats import read_repeats
from benchmark.experiments.timeit.schema import parse
from benchmark.record.run import Run
from benchmark.report.alt_text import LONGEST
from tests.unit.benchmark.conftest import SheetsOf
from tests.unit.benchmark.experiments.timeit.synthetic import Recorder, summarised, summary_of
from tests.unit.benchmark.report.looks import struck, unreadable, words


def page_of(run: Run) -> str:
    summarised(run)
    return write_report(run).read_text(encoding="utf-8")


def test_it_shows_four_figures_and_says_how_it_was_measured(record: Recorder) -> None:
    page = page_of(record())
    assert page.count("<figure ") == page.count('role="img" aria-label="') == page.count("<figcaption>") == 4
    for text in ("VALID", "One call takes", "expanded percentile bootstrap", "10 repeats", "-m benchmark timeit"):
        assert text in page
    assert "shortened" not in page
    assert all(f'href="#{part}"' in page for part in ("figures", "numbers", "method", "doubts", "machine", "reproduce"))
    assert "<script" not in page


@pytest.mark.usefixtures("drawings")
def test_ids_are_unique_and_what_is_referred_to_exists(record: Recorder) -> None:
    page = page_of(record())
    ids = Counter(re.findall(r'\bid="([^"]+)"', page))
    assert [name for name, count in ids.items() if count > 1] == []
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', page)) <= set(ids)


@pytest.mark.usefixtures("drawings")
def test_the_headline_figure_is_a_file_of_its_own(record: Recorder) -> None:
    run = record()
    page_of(run)
    for name in ("headline.svg", "headline-narrow.svg"):
        assert (run.path / name).read_text(encoding="utf-8").rstrip().endswith("</svg>")


def test_two_renders_are_the_same_bytes(record: Recorder) -> None:
    run = record()
    assert page_of(run) == page_of(run)


@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_a_short_run_has_a_page(record: Recorder, repeats: int) -> None:
    page = page_of(record(repeats=repeats))
    assert page.rstrip().endswith("</html>")
    assert "nan" not in re.sub(r"<[^>]*>", "", page).lower().split()


def test_a_shortened_run_says_so(record: Recorder) -> None:
    plan = {"calls": [1, 10, 20, 30], "repeats": 3, "seed": 1, "scale": 0.1}
    page = page_of(record(repeats=3, plan=plan))
    assert "shortened to 3 repeats of 4 numbers of calls" in page
    assert "Student" in page


def test_what_is_invalid_is_struck_through(record: Recorder, sheets_of: SheetsOf) -> None:
    run = record()
    summary = summary_of(run, {"one": 90.0, "two": 51.0, "three": 45.0})
    run.write_json("summary.json", summary)
    drawn = sheets_of(all_figures(parse(run.summary, read_repeats(run.path))))
    assert all(any("two" in text for text in struck(sheet)) for sheet in drawn)
    assert not any("three" in text for sheet in drawn for text in struck(sheet))
    page = write_report(run).read_text(encoding="utf-8")
    assert page.count('<tr class="invalid') == 2  # in the table for one look, and in the whole one


def test_a_run_that_is_invalid_as_a_whole_says_why(record: Recorder) -> None:
    page = page_of(record(busy_before_start=0.5))
    assert "One call takes" not in page
    assert "does not say why" not in page
    assert "machine was 50 % busy before the start" in page.replace("\u00a0", " ")


def test_every_contender_and_floor_is_named_and_every_text_can_be_read(record: Recorder, sheets_of: SheetsOf) -> None:
    run = record()
    summarised(run)
    data = parse(run.summary, read_repeats(run.path))
    for sheet in sheets_of(all_figures(data)):
        assert unreadable(sheet) == [], sheet.name
        said = " ".join(words(sheet))
        assert all(name in said for name in ("two", "three")), sheet.name
        assert ("floor 45.0 ms" in said) is sheet.name.startswith("per-call")


def test_text_alternatives_are_short_enough_to_be_listened_to(record: Recorder) -> None:
    run = record({f"contender-number-{i}": 50.0 + i for i in range(12)}, repeats=3)
    run.write_json("summary.json", summary_of(run, dict.fromkeys(run.manifest["contenders"], 45.0)))
    found = all_figures(parse(run.summary, read_repeats(run.path)))
    assert len(found) == 4
    assert all(len(picture.alt) <= LONGEST and picture.alt.endswith(".") for picture in found)
