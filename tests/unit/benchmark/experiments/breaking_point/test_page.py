"""The page of a locust run."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmark.experiments.breaking_point.figures import all_figures, headline
from benchmark.experiments.breaking_point.observations import LocustRun, Observation
from benchmark.experiments.breaking_point.page import glance_rows, part_rows, table_rows, write_report
from benchmark.experiments.breaking_point.schema import LocustData, parse
from benchmark.experiments.breaking_point.summarise import OPEN_LOOP, summarise
from benchmark.record.run import Run, TrialRecord
from benchmark.report.alt_text import LONGEST
from benchmark.report.charts.chart import WIDE
from benchmark.report.charts.picture import svg_file
from tests.unit.benchmark.conftest import SheetsOf
from tests.unit.benchmark.experiments.breaking_point.synthetic import CONTENDERS, findings_of, locust_run, recorded
from tests.unit.benchmark.report.looks import struck, unreadable, words


@pytest.fixture(autouse=True)
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def page_of(tmp_path: Path, findings: list[Observation]) -> str:
    return write_report(recorded(tmp_path, findings)).read_text()


def test_the_page_shows_every_figure(tmp_path: Path) -> None:
    page = page_of(tmp_path, findings_of("one") + findings_of("two"))
    figures = re.findall(r'<figure id="([^"]+)"', page)
    assert figures == [
        "breaking-points",
        "tries",
        "response-time",
        "load-test",
        "max-performance",
        "open-loop",
        "tails",
    ]
    assert "one breaks at 100 requests/s and two at 100: no difference is shown." in page.replace("\u00a0", " ")
    assert "90 (not 100)" in page


def test_links_lead_to_what_locust_itself_wrote(tmp_path: Path) -> None:
    page = page_of(tmp_path, [locust_run()])
    assert 'href="locust/0-one-response-time.html"' in page


def test_a_run_without_a_breaking_point_has_a_page_and_no_headline(tmp_path: Path) -> None:
    run = recorded(tmp_path, [locust_run()])
    write_report(run)
    assert not (run.path / "headline.svg").exists()


@pytest.mark.usefixtures("drawings")
def test_a_run_with_breaking_points_has_a_headline_for_desk_and_phone(tmp_path: Path) -> None:
    run = recorded(tmp_path, findings_of("one"))
    write_report(run)
    # Once as a drawn word; the value that a bar says when it is pointed at is a title.
    drawn = ElementTree.parse(run.path / "headline.svg").iter("{http://www.w3.org/2000/svg}text")
    assert ["".join(text.itertext()) for text in drawn].count("100 requests/s") == 1
    assert (run.path / "headline-narrow.svg").exists()


def test_a_run_of_which_nothing_was_measured_has_a_page(tmp_path: Path) -> None:
    assert "Nothing was measured, so nothing is claimed." in page_of(tmp_path, [])


def test_a_run_without_an_answer_has_a_page(tmp_path: Path) -> None:
    nothing = locust_run(n=0, errors=10, rps=0.0, mean_ms=None, p50_ms=None, p95_ms=None, p99_ms=None)
    opened = locust_run(example=OPEN_LOOP, n=0, p50_ms=None, p95_ms=None, p99_ms=None, rate_rps=8.0)
    run = recorded(tmp_path, [nothing, opened])
    write_report(run)
    (row, _), (open_row, _) = table_rows(parse(run.summary))
    assert row.cells[4:8] == ("0", "–", "–", "n/a*")
    assert (row.cells[1], open_row.cells[1]) == ("", "8.00")  # offered
    assert row.invalid


def test_what_is_invalid_is_struck_through_and_supports_no_answer(tmp_path: Path) -> None:
    spoilt = [locust_run("two", "response-time", generator_cpu=0.99)]
    run = recorded(tmp_path, [*findings_of("one"), *findings_of("two"), *spoilt])
    data = parse(run.summary)
    # What the closed loop hides does not rest on the response time of a single user.
    assert struck_parts(data) == {("two", "breaking point"), ("two", "held")}
    assert [[cell.value for cell in row.cells] for row in glance_rows(data)] == [
        ["100 requests/s", "75.0 ms"],
        ["–", "75.0 ms"],
    ]
    page = write_report(run).read_text().replace("\u00a0", " ")
    assert "two breaks" not in page
    assert "response-time: the load generator was saturated (99 % of a core): use more generator processes" in page


PARTS = {("one", "breaking point"), ("one", "held"), ("one", "open loop")}


def struck_parts(data: LocustData) -> set[tuple[str, str]]:
    return {(row.name, row.state) for row in part_rows(data) if row.invalid}


def struck_figures(run: Run, sheets_of: SheetsOf) -> set[str]:
    """Return the figures of a run in which something is struck through, and whose captions say so."""
    pictures = all_figures(parse(run.summary), run.path / "samples")
    found = {picture.key for picture in pictures if all(struck(sheet) for sheet in sheets_of([picture]))}
    assert {picture.key for picture in pictures if "Struck through" in picture.caption} == found
    return found


def test_every_contender_is_named_and_every_text_can_be_read(tmp_path: Path, sheets_of: SheetsOf) -> None:
    run = recorded(tmp_path, findings_of("one") + findings_of("two"))
    for sheet in sheets_of(all_figures(parse(run.summary), run.path / "samples")):
        assert unreadable(sheet) == [], sheet.name
        assert {"one", "two"} < words(sheet), sheet.name


@pytest.mark.parametrize(
    ("example", "parts", "figures"),
    [
        ("open-loop", {"open loop"}, {"open-loop", "tails"}),
        ("closed-at-rate", {"open loop"}, {"tails"}),
        ("max-performance", {"held"}, {"max-performance"}),
        ("load-test", set(), {"load-test"}),
        ("try", {"breaking point"}, {"breaking-points", "tries"}),
        ("response-time", {"breaking point", "held"}, {"breaking-points", "tries", "response-time"}),
    ],
)
def test_an_invalid_part_strikes_what_rests_on_it_and_nothing_else(
    tmp_path: Path, sheets_of: SheetsOf, example: str, parts: set[str], figures: set[str]
) -> None:
    found = [*findings_of("one"), locust_run(example="try", stem="one-try-1")]
    found = [
        replace(each, generator_cpu=0.95) if isinstance(each, LocustRun) and each.example == example else each
        for each in found
    ]
    run = recorded(tmp_path, found + findings_of("two"))
    data = parse(run.summary)
    assert struck_parts(data) == {("one", part) for part in parts}
    assert {(row.name, row.state) for row, _ in table_rows(data) if row.invalid} == {("one", example)}
    assert struck_figures(run, sheets_of) == figures


def test_late_arrivals_of_the_open_loop_leave_the_breaking_point_alone(tmp_path: Path) -> None:
    found = [
        replace(each, late=30) if isinstance(each, LocustRun) and each.example == OPEN_LOOP else each
        for each in findings_of("one")
    ]
    run = recorded(tmp_path, found)
    assert not run.summary["valid"]
    assert struck_parts(parse(run.summary)) == {("one", "open loop")}
    page = write_report(run).read_text()
    assert "<li>one breaks at" in page
    assert "one, open-loop: 30 arrivals late, 1 dropped" in page
    assert "line-through" not in (run.path / "headline.svg").read_text()


def marks(run: Run) -> int:
    """Return how many marks the headline has of what is drawn for one contender."""
    draw = headline(parse(run.summary))
    assert draw
    return svg_file(draw, WIDE).count("<use")


@pytest.mark.parametrize("example", ["load-test", "max-performance"])
def test_a_mark_that_is_invalid_is_not_drawn(tmp_path: Path, example: str) -> None:
    counted = []
    for cpu in (0.2, 0.95):
        found = [
            replace(each, generator_cpu=cpu) if isinstance(each, LocustRun) and each.example == example else each
            for each in findings_of("one")
        ]
        counted.append(marks(recorded(tmp_path / str(cpu), found)))
    assert counted[1] == counted[0] - 1


def test_what_is_wrong_with_a_whole_contender_strikes_all_of_it(tmp_path: Path) -> None:
    run = recorded(tmp_path, [*findings_of("one"), *findings_of("two")])
    run.append_cell(TrialRecord(0, "one", 0, "failed", "model of one died"))
    run.write_json("summary.json", summarise(run, CONTENDERS))
    data = parse(run.summary)
    assert struck_parts(data) == PARTS
    assert {row.name for row, _ in table_rows(data) if row.invalid} == {"one"}
    assert all(row.invalid for row, _ in table_rows(data) if row.name == "one")
    assert all("model of one died" in map(str, row.why) for row in part_rows(data) if row.invalid)


@pytest.mark.parametrize("reason", ["the machine was 50% busy before the start", "one: open-loop: 30 arrivals late"])
def test_a_record_that_does_not_say_which_part_is_invalid_strikes_all(tmp_path: Path, reason: str) -> None:
    """A fault of the whole run, or a contender of a record that was made before its parts had reasons."""
    summary = recorded(tmp_path, findings_of("one")).summary
    summary.update(valid=False, reasons=[reason])
    summary["contenders"]["one"].update(valid=False, reasons=[reason])
    del summary["contenders"]["one"]["faults"]
    assert struck_parts(parse(summary)) == PARTS


def test_a_fault_of_the_whole_run_strikes_everybody(tmp_path: Path) -> None:
    summary = recorded(tmp_path, [*findings_of("one"), *findings_of("two")]).summary
    summary.update(valid=False, reasons=["the machine was 50% busy before the start"])
    rows = part_rows(parse(summary))
    assert rows
    assert all(row.invalid for row in rows)


def test_text_alternatives_are_short_enough_to_be_listened_to(tmp_path: Path) -> None:
    names = [f"contender-number-{i}" for i in range(12)]
    run = recorded(tmp_path, [each for name in names for each in findings_of(name)], contenders=names)
    found = all_figures(parse(run.summary), run.path / "samples")
    assert len(found) == 7
    assert all(len(picture.alt) <= LONGEST and picture.alt.endswith(".") for picture in found)
