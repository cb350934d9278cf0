"""The figures of a capacity run: how much each contender carries, and the tries that say so."""

from collections.abc import Sequence
from typing import Final

from matplotlib.lines import Line2D

from benchmark.analysis.wording import significant
from benchmark.experiments.capacity.schema import CapacityEntry, CapacitySummary
from benchmark.experiments.capacity.search import Standing
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import limits_of, number_axis, scale_note
from benchmark.report.charts.bars import Bar, BarPart, bars_sheet, swatch, whisker
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import lines_csv, rows_csv
from benchmark.report.charts.lines import Line, lines, name_ends, title
from benchmark.report.charts.palette import MUTED, styles
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

_PANEL_PX: Final = 260.0
_RATE, _MISSED = "requests per second", "misses, times what is allowed"
_DASH: Final = (0, (1.0, 2.0))
_SMALLEST: Final = 0.02  # of what is allowed: a try without a miss is drawn there


def headline(summary: CapacitySummary) -> Draw | None:
    """Return what draws the headline figure; None where nothing was measured."""
    rows = _rows(summary)
    return (lambda layout: _draw_capacities(layout, rows)) if rows else None


def all_figures(summary: CapacitySummary) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order."""
    rows = _rows(summary)
    return [_capacities(rows), _tries(summary)] if rows else []


def words_of(entry: CapacityEntry) -> str:
    """Return a contender's capacity in a few words."""
    match entry.standing:
        case Standing.FOUND:
            return f"{significant(entry.capacity_rps)} requests/s"
        case Standing.AT_LEAST:
            return f"at least {significant(entry.rate_rps)} requests/s"
        case None:
            return "not measured"
        case _:
            return str(entry.standing)


def _measured(summary: CapacitySummary) -> dict[str, CapacityEntry]:
    return {name: each for name, each in summary.contenders.items() if each.tries}


def _rows(summary: CapacitySummary) -> list[Bar]:
    chosen = styles(summary.contenders)
    return [_row(name, each, chosen[name].colour) for name, each in _measured(summary).items()]


def _row(name: str, entry: CapacityEntry, colour: str) -> Bar:
    is_found = entry.standing is Standing.FOUND
    length = entry.capacity_rps if is_found else entry.rate_rps if entry.standing is Standing.AT_LEAST else None
    parts = [BarPart(length, colour, name="capacity")] if length else []
    return Bar(name, words_of(entry), not entry.valid, parts=parts, interval=entry.ci95 if is_found else None)


def _capacities(rows: Sequence[Bar]) -> Picture:
    return Picture(
        key="capacity",
        title="The highest rate within the promise",
        caption=(
            "The rate at which just as many requests miss the promise as it allows, in an open loop of Poisson "
            "arrivals." + struck_note(any(row.invalid for row in rows))
        ),
        alt=alt_text("Bars, the highest rate within the promise", [f"{row.label} {row.words}" for row in rows]),
        element=on_page(lambda layout: _draw_capacities(layout, rows)),
        data=rows_csv("requests/s", rows),
    )


def _draw_capacities(layout: Layout, rows: Sequence[Bar]) -> Sheet:
    return bars_sheet("capacity", layout, rows, [swatch("within the promise"), whisker()], "requests per second")


def _tries(summary: CapacitySummary) -> Picture:
    drawn = _lines(summary)
    said = [f"{line.label} {len(line.x)} tries" for line in drawn]
    return Picture(
        key="tries",
        title="Every rate that was tried",
        caption=(
            "How many requests missed the objective that binds, as a multiple of what the promise allows: below the "
            "dotted line a try kept it. A try without a miss is drawn at the lower edge; one that was ended early "
            "missed at least so much." + struck_note(any(not each.valid for each in _measured(summary).values()))
        ),
        alt=alt_text("Points, share of requests that missed the promise at each rate", said),
        element=on_page(lambda layout: _draw_tries(layout, drawn)),
        data=lines_csv(_RATE, {_MISSED: drawn}),
    )


def _lines(summary: CapacitySummary) -> list[Line]:
    chosen, found = styles(summary.contenders), []
    for name, entry in _measured(summary).items():
        tries = sorted((each for each in entry.tries if each.offered), key=lambda each: each.rate_rps)
        place = summary.place_of(entry.binding)
        allowed_pct = summary.allowed_pct[place]
        y = [max(each.missed_pct(place) / allowed_pct, _SMALLEST) for each in tries]
        found.append(Line(name, [each.rate_rps for each in tries], y, chosen[name], struck=not entry.valid))
    return found


def _draw_tries(layout: Layout, drawn: Sequence[Line]) -> Sheet:
    sheet = Sheet("tries", layout, [_PANEL_PX])
    sheet.key([Line2D([], [], color=MUTED, linestyle=_DASH, linewidth=1.6, label="what the promise allows")])
    axes = sheet.panels[0]
    rates = [rate for line in drawn for rate in line.x]
    limits = limits_of([*(value for line in drawn for value in line.y), 1.0], from_zero=False)
    across = limits_of(rates, from_zero=False)
    number_axis(axes, "x", across, is_log=across[0] > 0)
    number_axis(axes, "y", limits, is_log=limits[0] > 0)
    title(axes, _MISSED + scale_note(limits))
    axes.plot([max(across[0], 1.0), across[1]], [1.0, 1.0], color=MUTED, linestyle=_DASH, linewidth=2.0)
    lines(axes, drawn, unit="times")
    name_ends(axes, drawn)
    axes.set_xlabel(_RATE + scale_note(across))
    return sheet
