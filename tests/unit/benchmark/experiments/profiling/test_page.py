"""The page: the finding in words, the tables, and a drawing for desk and phone."""

from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.experiments.profiling.figures import cpu_panel, figure, wall_panel
from benchmark.experiments.profiling.page import cost_rows, headline, library_rows, page
from benchmark.report.alt_text import LONGEST
from tests.unit.benchmark.conftest import SheetsOf
from tests.unit.benchmark.experiments.profiling.synthetic import EMPTY, entry, recorded_summary
from tests.unit.benchmark.report.looks import struck, unreadable, words


def test_the_table_orders_by_purpose_and_ends_with_what_was_counted() -> None:
    rows = library_rows({"a": entry(), "b": EMPTY})
    assert [row[0] for row in rows] == ["httpx", "fastapi", "not attributed", "counted"]
    assert rows[0][2] == ["6.00 (71%)", "–"]
    assert rows[-1][2] == ["8.50 (100%)", "–"]


def test_a_cost_is_given_with_without_and_as_a_ratio() -> None:
    cost = {"profiler": "yappi-cpu", "side": "server", "users": 1, "n": 40}
    cost |= {"p50_ms_without": 50.0, "p50_ms_with": 75.0, "cpu_ms_without": 8.0, "cpu_ms_with": 4.0}
    ((name, cells),) = cost_rows({"a": entry(profiler_cost=[cost])})
    assert name == "a"
    assert cells[4:] == ["50.0", "75.0", "+50%", "8.00", "4.00", "−50%"]


@pytest.mark.parametrize("changes", [{}, {"cpu_not_attributed": -0.5}, {"wall_split_ms": {}}, {"valid": False}])
def test_the_figure_can_be_read_on_desk_and_phone(changes: dict[str, Any], sheets_of: SheetsOf) -> None:
    entries = {"a": entry(**changes), "b": EMPTY}
    picture = figure(entries, 16)
    sheets = sheets_of([picture])
    for sheet in sheets:
        assert {"CPU per request, 16 users", "HTTP client", "a", "8.50 ms"} < words(sheet)
        assert unreadable(sheet) == []
        assert bool(struck(sheet)) is ("valid" in changes)
    assert [sheet.name for sheet in sheets] == ["profile-wide", "profile-narrow"]
    assert "CPU [ms]: 8.50 ms" in picture.alt


def recorded(entries: dict[str, dict[str, Any]], **plan: Any) -> Any:
    """Return a run with these entries, as far as the page reads it."""
    summary = recorded_summary(entries)
    planned = {"requests": 10, "seconds": 3.0, "sample_every_ms": 10.0, **plan}
    return SimpleNamespace(summary=summary, manifest={"environment": {}, "plan": planned})


def test_the_page_says_how_often_a_contender_was_sampled() -> None:
    said = page(recorded({"a": entry(sampling_attempts=3), "b": entry()}))
    assert "a was sampled 3 times" in said
    assert "b was sampled" not in said


@pytest.mark.parametrize(("plan", "is_said"), [({"scale": 0.1}, True), ({"scale": 1.0}, False), ({}, False)])
def test_the_page_says_what_was_shortened(plan: dict[str, float], is_said: bool) -> None:
    said = page(recorded({"a": entry()}, **plan))
    assert ("shortened (scale 0.1) to 10 calls per profiler and 3 s under load" in said) is is_said


def test_only_a_run_with_figures_has_a_headline() -> None:
    assert headline(recorded({"a": entry()}).summary)
    assert headline(recorded({"a": EMPTY}).summary) is None


@pytest.mark.parametrize(
    ("reasons", "cpu_stands", "wall_stands"),
    [
        ({"faults": [], "cpu_reasons": [], "wall_reasons": []}, True, True),  # calls of a profiler have failed
        ({"faults": [], "cpu_reasons": ["+20% is not attributed"], "wall_reasons": []}, False, True),
        ({"faults": [], "cpu_reasons": [], "wall_reasons": ["1 user: 3 requests failed"]}, True, False),
        ({"faults": ["model of a died"], "cpu_reasons": [], "wall_reasons": []}, False, False),
        ({}, False, False),  # the record does not say which part
    ],
)
def test_what_is_invalid_strikes_what_rests_on_it_and_nothing_else(
    reasons: dict[str, Any], cpu_stands: bool, wall_stands: bool
) -> None:
    entries = {"a": entry(valid=False, reasons=["any"], **reasons), "b": entry()}
    assert [not bar.invalid for bar in cpu_panel(entries, 16).bars] == [cpu_stands, True]
    assert [not bar.invalid for bar in wall_panel(entries).bars] == [wall_stands, True]
    assert ("Struck through" in figure(entries, 16).caption) is not (cpu_stands and wall_stands)
    row = page(recorded(entries)).partition('<table class="glance">')[2].partition("</tr>\n<tr")[0]
    assert ("8.50" in row) is cpu_stands


def test_a_fault_of_the_whole_run_strikes_all_of_it() -> None:
    parts: dict[str, Any] = {"faults": [], "cpu_reasons": [], "wall_reasons": []}
    run = recorded({"a": entry(**parts), "b": entry(**parts)})
    run.summary["reasons"] = ["the machine was 50% busy before the start"]
    said = page(run).replace("\u00a0", " ")
    assert "A request costs" not in said
    assert said.count('<tr class="invalid">') == 2


def test_the_text_alternative_is_short_enough_to_be_listened_to() -> None:
    alt = figure({f"contender-number-{i}": entry() for i in range(12)}, 16).alt
    assert len(alt) <= LONGEST
    assert alt.endswith(".")
