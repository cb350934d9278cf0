"""What holds for every drawing: well-formed, the same each time, one colour for one contender."""

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.analysis.schema import parse_summary
from benchmark.experiments.bench.figures import headline_figure, throughput_figure
from benchmark.report.charts.chart import NARROW, WIDE, shorten, spread
from benchmark.report.charts.palette import styles

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


def test_the_harness_does_not_squash_the_others(summaries: dict[str, Any]) -> None:
    picture = throughput_figure(parse_summary(summaries["valid"]))
    assert "harness ceiling (null): 806 to 1,080, above this axis" in picture.wide_svg
    assert "1,000<" not in picture.wide_svg
    near = throughput_figure(parse_summary(summaries["twelve"]))
    assert "null (harness)" in near.wide_svg


def test_drawings_take_their_neutral_colours_from_the_page(summaries: dict[str, Any]) -> None:
    picture = throughput_figure(parse_summary(summaries["valid"]))
    for svg, width in ((picture.wide_svg, WIDE.width), (picture.narrow_svg, NARROW.width)):
        assert svg.startswith(f'<svg viewBox="0 0 {width} ')
        assert "var(--ink)" in svg
        assert "http://" not in svg


def test_labels_are_spread_apart_within_their_bounds() -> None:
    assert spread([], 10, 0, 100) == []
    assert spread([50.0], 10, 0, 100) == [50.0]
    places = spread([98.0, 99.0, 97.0, 10.0], 10, 0, 100)
    ordered = sorted(places)
    assert all(b - a >= 9.9 for a, b in pairwise(ordered))
    assert min(places) >= 0
    assert max(places) <= 100
    assert places[2] < places[0] < places[1]


def test_long_names_keep_both_ends() -> None:
    short = shorten("a-very-long-contender-name#2", NARROW, 100)
    assert short.startswith("a-ver")
    assert short.endswith("#2")
    assert "…" in short
    assert NARROW.text_px(short) <= 100
    assert shorten("short", NARROW, 100) == "short"
