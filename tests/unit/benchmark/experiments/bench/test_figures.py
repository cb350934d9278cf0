"""What holds for every drawing: well-formed, the same each time, one colour for one contender."""

from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from benchmark.analysis.schema import parse_summary
from benchmark.experiments.bench.figures import (
    all_figures,
    cpu_figure,
    headline,
    headline_figure,
    low_load_figure,
    throughput_figure,
)
from benchmark.report.charts.chart import NARROW, WIDE
from benchmark.report.charts.palette import PAPER, styles
from tests.unit.benchmark.conftest import SheetsOf, make_samples
from tests.unit.benchmark.report.looks import struck, unreadable, words

VARIANTS = ["valid", "invalid_contender", "interrupted", "twelve", "one_block", "climbed", "wide_intervals", "nothing"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_headline_is_a_complete_svg_file(summaries: dict[str, Any], variant: str) -> None:
    svg = headline_figure(summaries[variant])
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("width") == "1000"
    assert svg == headline_figure(summaries[variant])


def test_a_contender_keeps_its_colour_when_another_is_invalid(summaries: dict[str, Any]) -> None:
    valid, invalid = (styles(parse_summary(summaries[name]).contenders) for name in ("valid", "invalid_contender"))
    assert valid == invalid


def test_twelve_contenders_are_told_apart(summaries: dict[str, Any]) -> None:
    chosen = styles(parse_summary(summaries["twelve"]).contenders)
    assert len({(style.colour, style.dash) for style in chosen.values()}) == len(chosen)
    assert len({style.marker for style in chosen.values()}) == len(chosen)


@pytest.mark.parametrize("variant", ["valid", "twelve"])
def test_what_only_shows_the_ceiling_of_the_harness_is_in_no_chart(
    summaries: dict[str, Any], sheets_of: SheetsOf, variant: str
) -> None:
    summary = parse_summary(summaries[variant])
    pictures = all_figures(summary, make_samples(summaries[variant]))
    assert "null" in summary.contenders
    assert not [sheet.name for sheet in sheets_of(pictures) if "null" in " ".join(words(sheet))]
    assert not [picture.key for picture in pictures if "null" in picture.data + picture.alt + picture.caption]


@pytest.mark.usefixtures("drawings")
def test_drawings_take_their_neutral_colours_from_the_page(summaries: dict[str, Any]) -> None:
    picture = throughput_figure(parse_summary(summaries["valid"]))
    for svg, width in ((picture.wide_svg, WIDE.width), (picture.narrow_svg, NARROW.width)):
        assert ElementTree.fromstring(svg).attrib["viewBox"].startswith(f"0 0 {width} ")
        assert "var(--ink)" in svg
        assert "http://" not in svg


@pytest.mark.parametrize("variant", ["twelve", "invalid_contender", "climbed"])
def test_every_contender_is_named_and_every_text_can_be_read(
    summaries: dict[str, Any], sheets_of: SheetsOf, variant: str
) -> None:
    summary = parse_summary(summaries[variant])
    sheets = sheets_of(all_figures(summary, make_samples(summaries[variant])))
    assert len(sheets) == 2 * 5
    for sheet in sheets:
        assert unreadable(sheet) == [], sheet.name
        said = " ".join(words(sheet))
        assert all(name in said for name in summary.rivals), sheet.name


def test_what_is_invalid_is_struck_and_what_is_valid_is_not(summaries: dict[str, Any], sheets_of: SheetsOf) -> None:
    """All of async-aiohttp is INVALID, and the highest level of sync-concurrent."""
    summary = parse_summary(summaries["invalid_contender"])
    for sheet in sheets_of([low_load_figure(summary)]):
        assert struck(sheet) == {"async-aiohttp", "50.8 ms = 1.09 × floor"}
    for sheet in sheets_of([cpu_figure(summary)]):
        assert struck(sheet) == {"async-aiohttp", "2.99 ms", "sync-concurrent", "8.69 ms"}


def test_an_invalid_bar_is_hollow(summaries: dict[str, Any], sheets_of: SheetsOf) -> None:
    for sheet in sheets_of([low_load_figure(parse_summary(summaries["invalid_contender"]))]):
        solid = {round(patch.get_y() + patch.get_height() / 2) for patch in sheet.panels[0].patches
                 if isinstance(patch, Rectangle) and to_hex(patch.get_facecolor()) != PAPER}  # fmt: skip
        assert solid == {0, 1, 2}  # sync, sync-concurrent, async


def titles(summary: dict[str, Any]) -> dict[str, str]:
    return {each.key: each.title for each in all_figures(parse_summary(summary), make_samples(summary))}


def test_a_title_says_who_is_best_where_that_is_shown(summaries: dict[str, Any]) -> None:
    said = titles(summaries["climbed"])
    assert said["throughput"] == "async-aiohttp carries most"
    assert said["low-load"] == "async-aiohttp answers fastest at one user"
    assert said["cpu"] == "async-aiohttp needs least CPU"


@pytest.mark.parametrize("variant", ["one_block", "wide_intervals", "busy_machine"])
def test_a_title_claims_nothing_where_no_difference_is_shown(summaries: dict[str, Any], variant: str) -> None:
    said = titles(summaries[variant])
    assert said["throughput"] == "Throughput over users"
    assert said["low-load"] == "Latency at one user, against the floor"
    assert said["cpu"] == "CPU per request"


def test_a_title_claims_nothing_of_rates_as_long_as_one_has_no_peak(summaries: dict[str, Any]) -> None:
    """The fastest still rises at the last level."""
    assert titles(summaries["valid"])["throughput"] == "Throughput over users"


def test_a_run_without_levels_has_no_headline(summaries: dict[str, Any]) -> None:
    assert headline(parse_summary(summaries["nothing"])) is None
    assert headline(parse_summary(summaries["valid"])) is not None
