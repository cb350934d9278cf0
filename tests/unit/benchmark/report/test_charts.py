"""Charts of plain series: what is INVALID looks so, all texts can be read, and the same data are the same bytes."""

from collections import Counter
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from benchmark.report.charts.axis import limits_of, number_axis, users_axis
from benchmark.report.charts.bars import Bar, BarPart, Point, bars, floor_key, points, rows_px
from benchmark.report.charts.chart import NARROW, WIDE, Layout, Sheet, drawing, shorten, text_px
from benchmark.report.charts.distribution import Hill, hills, hills_px
from benchmark.report.charts.inline import for_page
from benchmark.report.charts.lines import Line, lines, name_ends, spread, title
from benchmark.report.charts.palette import INK, PAPER, Style
from tests.unit.benchmark.report.looks import laid_out, struck, unreadable, words

LAYOUTS = [WIDE, NARROW]
BLUE, RED = Style("#0072b2", "o"), Style("#d55e00", "s")
LONG = "a-contender-with-a-name-that-no-phone-has-room-for#2"


def drawn_bars(layout: Layout, *rows: Bar) -> Sheet:
    sheet = Sheet("bars", layout, [rows_px(len(rows), layout.width)])
    sheet.key(floor_key())
    bars(sheet.panels[0], rows, "latency [ms]")
    return sheet


def drawn_lines(layout: Layout, *series: Line) -> Sheet:
    sheet = Sheet("lines", layout, [250])
    (axes,) = sheet.panels
    title(axes, "rate [requests/s]", "what has to be known of it, in more words than fit into one line of a phone")
    users_axis(axes, [1, 2, 4, 8, 16, 32, 64, 128, 256])
    number_axis(axes, "y", limits_of(value for line in series for value in line.y), is_log=False)
    lines(axes, series)
    name_ends(axes, series)
    return sheet


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_and_words_of_bars_can_be_read_however_long_they_are(layout: Layout) -> None:
    parts = [BarPart(46.7, BLUE.colour, 0.4), BarPart(5.0, BLUE.colour)]
    with drawing(layout):
        sheet = drawn_bars(
            layout,
            Bar("short", "51.7 ms = 1.11 × floor", parts=parts, interval=(40.0, 60.0)),
            Bar(LONG, "51.7 ms = 1.11 × floor", parts=parts),
            Bar("absent", "not measured"),
        )
        laid_out(sheet)
    assert unreadable(sheet) == []
    assert {"short", "absent", "not measured"} < words(sheet)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lines_that_end_at_one_place_are_all_named(layout: Layout) -> None:
    with drawing(layout):
        series = [Line(f"line {i}", [1, 256], [10.0, 100.0 + i], BLUE, words="and more") for i in range(6)]
        sheet = drawn_lines(layout, *series)
        laid_out(sheet)
    assert unreadable(sheet) == []
    said = " ".join(words(sheet))
    assert all(line.label in said for line in series)


def test_an_invalid_point_is_hollow_and_crossed_out_and_a_valid_one_is_not() -> None:
    with drawing(WIDE):
        sheet = drawn_lines(WIDE, Line("one", [1, 256], [10.0, 100.0], BLUE, invalid=[False, True]))
    marks = [line for line in sheet.panels[0].lines if line.get_marker() in {"o", "x"}]
    looks = [
        (line.get_marker(), float(np.asarray(line.get_xdata())[0]), to_hex(line.get_markerfacecolor()))
        for line in marks
    ]
    assert looks[:2] == [("o", 1, BLUE.colour), ("o", 256, PAPER)]
    assert [(marker, x) for marker, x, _ in looks[2:]] == [("x", 256)]
    assert struck(sheet) == set()


def test_no_invalid_point_of_a_long_line_is_left_out() -> None:
    places = [float(i) for i in range(1, 101)]
    with drawing(WIDE):
        sheet = drawn_lines(WIDE, Line("one", places, places, BLUE, invalid=[i == 34 for i in range(100)]))
    crossed = [float(np.asarray(line.get_xdata())[0]) for line in sheet.panels[0].lines if line.get_marker() == "x"]
    assert crossed == [35.0]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_name_that_is_too_long_for_key_and_title_is_shortened(layout: Layout) -> None:
    with drawing(layout):
        sheet = Sheet("names", layout, [100, 100], columns=2)
        sheet.key([Line2D([], [], label=name) for name in (2 * LONG, "short")], struck={2 * LONG})
        title(sheet.panels[0], LONG)
        assert unreadable(laid_out(sheet)) == []
    assert len(struck(sheet)) == 1


def test_a_line_that_is_invalid_as_a_whole_has_its_name_struck() -> None:
    with drawing(WIDE):
        sheet = drawn_lines(WIDE, Line("one", [1, 256], [10.0, 100.0], BLUE, struck=True), Line("two", [1], [5], RED))
    assert struck(sheet) == {"one"}


def test_an_invalid_point_with_an_interval_is_hollow_and_struck() -> None:
    rows = [Point("one", "+96 %", True, value=96.0, style=BLUE, interval=(90.0, 99.0)),
            Point("two", "+2 %", value=2.0, style=RED)]  # fmt: skip
    with drawing(WIDE):
        sheet = Sheet("points", WIDE, [rows_px(2, WIDE.width)])
        points(sheet.panels[0], rows, (-5.0, 100.0), "% faster")
    faces = {line.get_marker(): to_hex(line.get_markerfacecolor()) for line in sheet.panels[0].lines}
    assert (faces["o"], faces["s"]) == (PAPER, RED.colour)
    assert struck(sheet) == {"one", "+96 %"}


def test_hills_are_hollow_where_they_are_invalid_and_say_where_nothing_was_measured() -> None:
    values = np.linspace(40, 60, 500)
    rows = [Hill("one", "p50 50 ms", values=values, p50=50.0, p99=59.0, style=BLUE),
            Hill("two", "p50 50 ms", True, values=values, p50=50.0, p99=None, style=RED),
            Hill("three", "not measured", values=np.array([]), p50=None, p99=None, style=BLUE)]  # fmt: skip
    with drawing(NARROW):
        sheet = Sheet("hills", NARROW, [hills_px(3)])
        hills(sheet.panels[0], rows, "latency [ms]")
        laid_out(sheet)
    assert [to_hex(patch.get_facecolor()) for patch in sheet.panels[0].patches] == [BLUE.colour, PAPER]
    assert "not measured" in words(sheet)
    assert unreadable(sheet) == []


def svg_of(key: str, layout: Layout = WIDE) -> str:
    with drawing(layout):
        sheet = Sheet(key, layout, [rows_px(1, layout.width)])
        bars(
            sheet.panels[0],
            [Bar("a$b <c>", "10 ms", True, parts=[BarPart(5, BLUE.colour), BarPart(5)])],
            "latency [ms]",
        )
        return sheet.svg()


def test_the_same_data_are_the_same_bytes() -> None:
    assert svg_of("one") == svg_of("one")


def test_drawings_on_one_page_share_no_id() -> None:
    roots = [ElementTree.fromstring(svg_of(key, layout)) for key in ("one", "two") for layout in LAYOUTS]
    ids = Counter(element.attrib["id"] for root in roots for element in root.iter() if "id" in element.attrib)
    assert ids
    assert set(ids.values()) == {1}


def test_a_file_has_its_size_in_pixels_and_fonts_that_readers_have() -> None:
    root = ElementTree.fromstring(svg_of("one"))
    assert root.attrib["width"] == str(WIDE.width)
    fonts = [text.attrib["style"] for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert fonts
    assert all("system-ui" in font for font in fonts)


def test_a_page_colours_the_drawing_and_sets_its_font() -> None:
    svg = for_page(svg_of("one"))
    assert svg.startswith("<svg ")
    assert INK not in svg
    assert "var(--ink)" in svg
    assert "font-family" not in svg
    assert "system-ui" not in svg
    assert "http" not in svg
    assert 'aria-hidden="true"' in svg
    assert "a$b &lt;c&gt;" in svg
    assert svg.count("text-decoration") == 2


def tips(svg: str) -> list[str]:
    return [title.text or "" for title in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}title")]


def test_points_and_bars_say_their_value_where_the_pointer_rests() -> None:
    assert tips(svg_of("one")) == ["a$b <c>: 5.00 ms, INVALID"] * 2
    with drawing(WIDE):
        line = Line("one", [1, 8], [10.0, 100.0], BLUE, low=[9.0, 100.0], high=[11.0, 100.0])
        sheet = Sheet("told", WIDE, [100.0])
        lines(sheet.panels[0], [line], unit="requests/s")
        points(sheet.panels[0], [Point("two", "2", value=2.0, style=RED)], (0, 5), "% faster than one")
    assert tips(sheet.svg()) == [
        "one at 1: 10.0 requests/s (9.00 to 11.0)",
        "one at 8: 100 requests/s",
        "two: 2.00 % faster than one",
    ]


def test_a_process_with_settings_of_its_own_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = svg_of("one")
    import matplotlib as mpl

    changes: dict[Any, Any] = {"font.size": 30.0, "axes.facecolor": "red"}
    for name, value in changes.items():
        monkeypatch.setitem(mpl.rcParams, name, value)
    assert svg_of("one") == before


def test_labels_are_spread_apart_within_their_bounds() -> None:
    assert spread([], [], 100) == []
    assert spread([50.0], [10], 100) == [50.0]
    places = spread([98.0, 99.0, 97.0, 10.0], [10] * 4, 100)
    assert all(b - a >= 9.9 for a, b in pairwise(sorted(places)))
    assert min(places) >= 5
    assert max(places) <= 95
    assert places[2] < places[0] < places[1]


def test_long_names_keep_both_ends() -> None:
    short = shorten("a-very-long-contender-name#2", 100)
    assert short.startswith("a-ver")
    assert short.endswith("#2")
    assert "…" in short
    assert text_px(short) <= 100
    assert shorten("short", 100) == "short"


def test_a_wide_range_is_on_a_log_scale_unless_it_is_to_begin_at_zero() -> None:
    assert limits_of([10.0, 1000.0])[0] > 0
    assert limits_of([10.0, 1000.0], from_zero=True)[0] == 0
    assert limits_of([10.0, 20.0])[0] == 0
    assert limits_of([]) == (0.0, 1.08)
    assert limits_of([10.0, 500.0], at_most=100.0, from_zero=True)[1] < 500
