"""The drawings: they end where the measured value stands, and say what their intervals carry."""

import math
import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.patches import Rectangle

from benchmark.analysis.wording import significant
from benchmark.experiments.gap import curves as draw_prediction
from benchmark.experiments.gap import figures, tables
from benchmark.experiments.gap import map as draw_map
from benchmark.experiments.gap import stages as draw_stages
from benchmark.experiments.gap import waterfall as draw_waterfall
from benchmark.experiments.gap.schema import MULTIPLIED, RESPONSES, Explained, parse
from benchmark.report.charts.chart import NARROW, WIDE, drawing
from benchmark.report.charts.picture import headline_files
from tests.unit.benchmark.conftest import SheetsOf
from tests.unit.benchmark.experiments.gap.synthetic import make_manifest, make_summary, variants
from tests.unit.benchmark.report.looks import struck, unreadable


def read(variant: str = "complete") -> Explained:
    return parse(variants()[variant](), make_manifest())


def bars_of(sheet: Any) -> list[Rectangle]:
    """Return the bars of the only axes, in the order of drawing, without the paper below them."""
    (axes,) = sheet.figure.axes
    return [patch for patch in axes.patches if patch.get_facecolor()[:3] != (1.0, 1.0, 1.0)]


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("variant", ["complete", "quick", "slower", "no_difference"])
def test_steps_lead_from_one_measured_value_to_the_other(variant: str, response: str) -> None:
    data = read(variant)
    attribution = data.attribution[response]
    first, *between, last = draw_waterfall.steps(data, response, attribution)
    assert (first.end, last.end) == (attribution.from_value, attribution.to_value)
    assert between[0].start == attribution.from_value
    assert all(a.end == b.start for a, b in pairwise(between))
    assert between[-1].end == pytest.approx(attribution.to_value, rel=1e-9)
    assert draw_waterfall.remainder(response, attribution) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("response", RESPONSES)
def test_the_drawn_bars_end_at_the_measured_value(response: str) -> None:
    data = read()
    attribution = data.attribution[response]
    with drawing(WIDE):
        sheet = draw_waterfall.draw_waterfall(WIDE, "key", data, response, attribution, invalid=False)
    bars = bars_of(sheet)
    assert len(bars) == len(attribution.shares) + 2
    last_step, last = bars[-2:]
    left, right = last_step.get_x(), last_step.get_x() + last_step.get_width()
    value = attribution.to_value
    assert last.get_x() + last.get_width() == pytest.approx(value)
    assert min(abs(left - value), abs(right - value)) == pytest.approx(0, abs=1e-9 * value)
    (axes,) = sheet.panels
    assert axes.get_xlim()[0] <= min(bar.get_x() for bar in bars)
    assert axes.get_xscale() == ("log" if response in MULTIPLIED else "linear")


@pytest.mark.parametrize("variant", ["complete", "invalid_cell"])
def test_every_text_can_be_read(sheets_of: SheetsOf, variant: str) -> None:
    data = read(variant)
    assert data.ends
    pictures = [
        *figures.waterfalls(data),
        figures.anatomy_figure(data),
        figures.growth_figure(data),
        figures.prediction_figure(data),
        figures.map_figure(data, data.ends),
    ]
    for sheet in sheets_of(pictures):
        assert unreadable(sheet) == [], sheet.name


def test_the_largest_step_comes_first_whichever_way_it_points() -> None:
    data = read()
    first = {r: draw_waterfall.steps(data, r, data.attribution[r])[1].label for r in RESPONSES}
    assert first == {"latency_ms": "fan-out", "peak_rps": "HTTP client", "cpu_ms": "HTTP client"}
    assert draw_waterfall.strength("peak_rps", 0.5) == draw_waterfall.strength("peak_rps", 2.0)


def test_a_step_whose_interval_holds_none_is_faint() -> None:
    data = read()
    shown = {step.label: step.shown for step in draw_waterfall.steps(data, "peak_rps", data.attribution["peak_rps"])}
    assert not shown["fan-out"]
    assert shown["HTTP client"]


@pytest.mark.parametrize("variant", list(variants()))
def test_a_title_names_the_leading_factor_only_where_a_valid_gap_is_shown(variant: str) -> None:
    titles = [picture.title for picture in figures.waterfalls(read(variant))]
    if variant in ("no_difference", "one_block", "invalid_cell", "busy"):
        assert all(title.endswith(": from sync to async-aiohttp") for title in titles)
    else:
        expected = "Asking both models at once makes most of the difference in latency at one user"
        assert titles[:1] == [expected] * bool(titles)


def test_shares_that_do_not_add_up_are_said() -> None:
    summary = variants()["complete"]()
    summary["attribution"]["latency_ms"]["shares"]["fan_out"]["value"] += 5
    caption = figures.waterfalls(parse(summary, make_manifest()))[0].caption
    assert "The shares end +10 % from the measured value" in caption
    assert "do not add up" not in figures.waterfalls(read())[0].caption


def test_stacked_stages_are_as_long_as_the_latency() -> None:
    data = read()
    with drawing(NARROW):
        sheet = draw_stages.draw_anatomy(NARROW, data, [1, 128])
    bars = draw_stages.bars_at(data, 128)
    axes = sheet.figure.axes[-1]
    ends = {round(p.get_x() + p.get_width(), 6) for p in axes.patches if isinstance(p, Rectangle)}
    for bar in bars:
        assert bar.row
        assert round(bar.row.client_ms, 6) in ends
    assert [bar.words for bar in draw_stages.bars_at(data, 1)[:2]] == ["94.8 ms", "n/a*"]


def test_errors_leave_out_what_was_fitted_and_what_was_not_measured() -> None:
    data = read()
    rows = data.prediction["async"]
    errors = {row.users: draw_prediction.RATE.error(row) for row in rows}
    assert errors[1] is errors[8] is errors[128] is None
    assert errors[16] is not None
    found = draw_prediction.worst(rows, draw_prediction.RATE)
    assert found
    assert abs(found[1]) == max(abs(error) for error in errors.values() if error is not None)
    assert [users for users, _ in draw_prediction.errors(rows, draw_prediction.RATE)] == [16, 32, 64]


def test_what_was_measured_and_is_invalid_is_no_error_of_the_prediction() -> None:
    summary = make_summary()
    rows = summary["prediction"]["async"]
    next(row for row in rows if row["users"] == 32)["reasons"] = ["32 users: 3 requests failed"]
    rows = parse(summary, make_manifest()).prediction["async"]
    assert [users for users, _ in draw_prediction.errors(rows, draw_prediction.RATE)] == [16, 64]


def test_a_place_of_the_map_that_is_invalid_shows_what_was_predicted() -> None:
    summary = make_summary()
    place = next(point for point in summary["crossover"] if point["measured"])
    place.update(reasons=["map-to-2ms: 3 requests failed"], ratio=99.0)
    data = parse(summary, make_manifest())
    point = draw_map.Grid(data.crossover).point(place["cpu_ms"], place["users"])
    assert point
    assert (point.measured, point.ratio) == (False, place["ratio_predicted"])
    assert sum(draw_map.shown_ahead(data, ("sync", "async-aiohttp")).values()) == 8


def test_the_line_of_one_passes_where_the_prediction_turns() -> None:
    data = read()
    grid = draw_map.Grid(data.crossover)
    assert draw_map.has_line(grid)
    assert draw_map.crossing_ms(grid, 1) is None
    turn = draw_map.crossing_ms(grid, 32)
    exact = (0.64 + 0.05 * math.log(32)) / (0.055 * (1 - 0.7 / 32))
    assert turn == pytest.approx(exact, rel=1e-6)
    assert not draw_map.has_line(draw_map.Grid([p for p in data.crossover if p.ratio > 1]))


def test_measured_places_stand_in_the_map_with_their_own_number() -> None:
    data = read()
    with drawing(WIDE):
        sheet = draw_map.draw_map(WIDE, data, ("sync", "async-aiohttp"))
    (axes,) = sheet.figure.axes
    frames = [p for p in axes.patches if p.get_linewidth() == 1.5]
    measured = [point for point in data.crossover if point.measured]
    assert len(frames) == len(measured) == 9
    written = {text.get_text() for text in axes.texts if text.get_fontweight() == "bold"}
    assert {significant(point.ratio) for point in measured} == written


@pytest.mark.parametrize("variant", list(variants()))
@pytest.mark.usefixtures("drawings")
def test_every_kind_of_run_has_its_headline_for_desk_and_phone(variant: str) -> None:
    data = read(variant)
    draw = figures.headline(data)
    found = headline_files(draw) if draw else {}
    assert bool(found) is ("latency_ms" in data.attribution)
    for name, svg in found.items():
        root = ElementTree.fromstring(svg)
        assert root.get("width") == str((NARROW if "narrow" in name else WIDE).width)
        assert "nan" not in re.findall(r"[a-z]+", svg)


def test_what_is_invalid_is_hollow_and_struck_through(sheets_of: SheetsOf) -> None:
    picture = figures.waterfalls(read("invalid_cell"))[0]
    assert "INVALID" in picture.caption
    for sheet in sheets_of([picture]):
        assert {"sync", "fan-out"} < struck(sheet)
        assert bars_of(sheet) == []
    assert [struck(sheet) for sheet in sheets_of(figures.waterfalls(read())[:1])] == [set(), set()]


def test_a_place_of_the_map_that_is_invalid_and_was_not_predicted_is_struck(sheets_of: SheetsOf) -> None:
    summary = make_summary()
    place = next(point for point in summary["crossover"] if point["measured"])
    place.update(reasons=["map-to-2ms: 3 requests failed"], ratio=99.0, ratio_predicted=None)
    data = parse(summary, make_manifest())
    picture = figures.map_figure(data, ("sync", "async-aiohttp"))
    assert "INVALID" in picture.caption
    assert struck(sheets_of([picture])[0]) == {"99.0"}


def test_a_share_of_half_a_design_is_not_called_a_shapley_value() -> None:
    assert "Shapley" in figures.waterfalls(read())[0].caption
    quick = figures.waterfalls(read("quick"))[0].caption
    assert "Shapley" not in quick
    assert "Only a part of the combinations was measured" in quick


def test_contenders_are_in_the_same_order_everywhere_whichever_was_predicted_first() -> None:
    summary = make_summary()
    turned = {**summary, **{key: dict(reversed(summary[key].items())) for key in ("prediction", "peaks")}}
    straight, reverse = (parse(each, make_manifest()) for each in (summary, turned))
    assert [row.name for row in tables.peak_rows(reverse)] == straight.contenders
    assert figures.prediction_figure(reverse).alt == figures.prediction_figure(straight).alt


def test_a_peak_says_with_how_many_users_it_was_predicted_and_with_how_many_measured() -> None:
    summary = make_summary()
    first = tables.peak_rows(parse(summary, make_manifest()))[0]
    assert [cell.partition(" ")[2] for cell in first.cells[:2]] == ["(128 users)", "(64 users)"]
    for peak in summary["peaks"].values():
        peak.update(users_measured=None, rps_measured=None)
    assert "users" not in tables.peak_rows(parse(summary, make_manifest()))[0].cells[1]
