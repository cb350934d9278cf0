"""The figures of a report, each as SVG for a desk and for a phone, with a caption, a text alternative and its data."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from benchmark.analysis.schema import Summary, parse_summary
from benchmark.analysis.wording import at_users, significant
from benchmark.experiments.bench.answers import equals_of_the_best, ranking, standings_of
from benchmark.experiments.bench.questions import QUESTIONS, Question
from benchmark.experiments.bench.series import (
    P50,
    P99,
    RATE,
    Quantity,
    cpu_bars,
    floors,
    hills_at,
    limits_over_users,
    lines_of,
    low_load_bars,
    roles,
)
from benchmark.report.alt_text import alt_text
from benchmark.report.answers import Phrases
from benchmark.report.charts.axis import number_axis, scale_note, users_axis
from benchmark.report.charts.bars import Bar, bars, bars_sheet, floor_key, rows_px, swatch
from benchmark.report.charts.chart import Layout, Sheet, panel_key
from benchmark.report.charts.data import as_csv, lines_csv, rows_csv
from benchmark.report.charts.distribution import Hill, hills, hills_px
from benchmark.report.charts.lines import lines, name_ends, title
from benchmark.report.charts.palette import density
from benchmark.report.charts.picture import Draw, Picture, floor_note, on_page, struck_note, svg_file

_SAY: Final = Phrases(Path(__file__).parent)
_PANEL_PX: Final = 270.0
_MOST_NAMES: Final = 3  # in a title
_LATENCY, _THROUGHPUT, _CPU = QUESTIONS
_TOO_FEW: Final = " A p99 takes 459 samples."


def all_figures(summary: Summary, samples: pd.DataFrame) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order: the first stands beside the answers."""
    rivals, drawn = summary.rivals.values(), []
    if any(contender.levels for contender in rivals):
        drawn.append(throughput_figure(summary))
    if any(contender.low_load for contender in rivals):
        drawn.append(low_load_figure(summary))
    if any(contender.levels for contender in rivals):
        drawn.append(latency_figure(summary))
    if not samples.empty and summary.rivals:
        drawn.append(distribution_figure(summary, samples))
    if any(contender.cpu_ms_per_request for contender in rivals):
        drawn.append(cpu_figure(summary))
    return drawn


def throughput_figure(summary: Summary) -> Picture:
    """Return the rate of checked answers over the number of users."""
    peaks = [
        f"{name} {c.at_least}{significant(c.peak.rps)} at {at_users(c.peak.users)}{_unless(c.stands(c.peak.users))}"
        for name, c in summary.rivals.items()
        if c.peak
    ]
    return Picture(
        key="throughput",
        title=_message(summary, _THROUGHPUT, "Throughput over users"),
        caption=(
            "Checked answers per second over the number of users who each ask again as soon as they are answered. "
            "Higher is better. Bars: 95 % interval over the blocks, cut off where it leaves the axis."
            + _no_peak_note(summary)
            + _if_invalid(summary)
        ),
        alt=alt_text("Lines over users, highest rate in requests/s", peaks),
        element=on_page(partial(_draw_lines, "throughput", summary=summary, quantities=[RATE])),
        data=_over_users(summary, RATE),
    )


def low_load_figure(summary: Summary) -> Picture:
    """Return mean latency at the lowest level, split into the floor and what is on top of it."""
    rows, where = low_load_bars(summary), at_users(summary.low_users)
    return Picture(
        key="low-load",
        title=_message(summary, _LATENCY, f"Latency at {where}, against the floor"),
        caption=(
            f"Mean latency at {where}. {floor_note(floors(summary.contenders))} "
            "The whisker is the 95 % interval over the blocks." + _if_invalid(summary)
        ),
        alt=alt_text(f"Bars, mean latency at {where}", _in_words(rows)),
        element=on_page(lambda layout: bars_sheet("low-load", layout, rows, floor_key(), "mean latency [ms]")),
        data=rows_csv("ms", rows),
    )


def latency_figure(summary: Summary) -> Picture:
    """Return the median and the tail of latency over the number of users."""
    last = [
        f"{name} p50 {significant(level.p50_ms)} ms, p99 {significant(level.p99_ms)} ms at {at_users(level.users)}"
        for name, contender in summary.rivals.items()
        for level in sorted(contender.levels, key=lambda level: level.users)[-1:]
    ]
    return Picture(
        key="latency",
        title="Latency over users",
        caption=(
            "Median (p50: half of the requests were faster) and tail (p99: one in a hundred was slower). "
            f"Lower is better.{_TOO_FEW}" + _if_invalid(summary)
        ),
        alt=alt_text("Lines over users, latency at the highest level", last),
        element=on_page(partial(_draw_lines, "latency", summary=summary, quantities=[P50, P99])),
        data=_over_users(summary, P50, P99),
    )


def distribution_figure(summary: Summary, samples: pd.DataFrame) -> Picture:
    """Return how the latencies are distributed, at the lowest and at the highest level."""
    levels = sorted({summary.low_users, summary.high_users})
    found = {users: hills_at(summary, samples, users) for users in levels}
    return Picture(
        key="distribution",
        title="How the latencies are distributed",
        caption=(
            "The higher a hill, the more requests took that long; each is scaled to its row. The long line is the "
            f"median, the short one the p99. Each panel has an axis of its own. *{_TOO_FEW}" + _if_invalid(summary)
        ),
        alt=alt_text(
            "Histograms of latency",
            [f"{hill.label} at {at_users(users)} {hill.words}" for users, each in found.items() for hill in each],
        ),
        element=on_page(lambda layout: _draw_hills(layout, found)),
        data=_quartiles(found),
    )


def cpu_figure(summary: Summary) -> Picture:
    """Return the CPU time that one request costs, stacked by process."""
    rows = cpu_bars(summary)
    key = [*(swatch(role, density=density(i)) for i, role in enumerate(roles(summary))), swatch("load generator", None)]
    levels = sorted({c.cpu_users for c in summary.rivals.values() if c.cpu_users and c.cpu_ms_per_request})
    where = f"at {at_users(levels[0])}" if len(levels) == 1 else "each at the level beside its bar"
    return Picture(
        key="cpu",
        title=_message(summary, _CPU, "CPU per request"),
        caption=(
            f"CPU time of each process per answered request, {where}. The number is the sum of the contender's own "
            "processes, without the load generator (hatched). Shorter is better." + _if_invalid(summary)
        ),
        alt=alt_text("Bars, CPU per request without the load generator", _in_words(rows)),
        element=on_page(lambda layout: bars_sheet("cpu", layout, rows, key, "CPU per request [ms]")),
        data=rows_csv("ms", rows),
    )


def headline(summary: Summary) -> Draw | None:
    """Return what draws the headline figure, throughput over users; None if there is none."""
    if not any(contender.levels for contender in summary.rivals.values()):
        return None
    return partial(_draw_lines, "bench-headline", summary=summary, quantities=[RATE])


def headline_figure(summary: Mapping[str, Any]) -> str:
    """Return an SVG file for the README: throughput over users beside latency at the lowest level."""
    parsed = parse_summary(summary)
    rows = low_load_bars(parsed)

    def draw(layout: Layout) -> Sheet:
        sheet = Sheet("headline", layout, [max(_PANEL_PX, rows_px(len(rows), layout.width / 2))] * 2, columns=2)
        left, right = sheet.panels
        draw_levels(left, parsed, RATE)
        bars(right, rows, "mean latency [ms]")
        panel_key(right, floor_key(), f"Latency at {at_users(parsed.low_users)}, against the floor")
        return sheet

    return svg_file(draw, Layout("headline", 1000, 13.0))


def _message(summary: Summary, question: Question, otherwise: str) -> str:
    """Return what a chart shows in a few words: who is best, where that is shown; a neutral title otherwise."""
    standings = standings_of(summary, question)
    ranked = ranking(standings, question)
    if not ranked or len(ranked) < len(standings):
        return otherwise
    best = [each.name for each in equals_of_the_best(summary, question, ranked)]
    if len(best) > _MOST_NAMES or len(best) == len(ranked) or summary.baseline in best[1:]:
        return otherwise
    return str(getattr(_SAY, f"{question.figure}_title")(best=best, one=len(best) == 1, low=summary.low_users))


def _over_users(summary: Summary, *quantities: Quantity) -> str:
    return lines_csv("users", {f"{each.title} [{each.unit}]": lines_of(summary, each) for each in quantities})


def _quartiles(found: Mapping[int, Sequence[Hill]]) -> str:
    head = ["users", "name", "requests", "p25 [ms]", "p50 [ms]", "p75 [ms]", "p99 [ms]", "state"]
    return as_csv(
        head,
        (
            (users, hill.label, hill.values.size, low, hill.p50, high, hill.p99, "INVALID" if hill.invalid else "")
            for users, hills in found.items()
            for hill in hills
            if hill.values.size
            for low, high in [map(float, np.quantile(hill.values, [0.25, 0.75]))]
        ),
    )


def _draw_lines(key: str, layout: Layout, summary: Summary, quantities: list[Quantity]) -> Sheet:
    height_px = max(_PANEL_PX, 18.0 * len(summary.rivals))
    sheet = Sheet(key, layout, [height_px] * len(quantities), columns=len(quantities))
    for axes, quantity in zip(sheet.panels, quantities, strict=True):
        draw_levels(axes, summary, quantity)
    return sheet


def _draw_hills(layout: Layout, found: Mapping[int, list[Hill]]) -> Sheet:
    sheet = Sheet("distribution", layout, [hills_px(len(each)) for each in found.values()], columns=2)
    for axes, (users, each) in zip(sheet.panels, found.items(), strict=True):
        title(axes, f"At {at_users(users)}")
        hills(axes, each, "latency [ms]")
    return sheet


def draw_levels(axes: Axes, summary: Summary, quantity: Quantity) -> None:
    """Draw one quantity of every contender over the users."""
    limits, series = limits_over_users(summary, quantity), lines_of(summary, quantity)
    title(axes, f"{quantity.title} [{quantity.unit}{scale_note(limits)}]")
    users_axis(axes, {level.users for c in summary.rivals.values() for level in c.levels} | set(summary.levels))
    number_axis(axes, "y", limits, limits[0] > 0)
    lines(axes, series, unit=quantity.unit)
    name_ends(axes, series)


def _no_peak_note(summary: Summary) -> str:
    names = [name for name, contender in summary.rivals.items() if contender.levels and contender.no_peak]
    return f" No peak within the levels measured: {', '.join(names)}." if names else ""


def _if_invalid(summary: Summary) -> str:
    measured = [contender for contender in summary.rivals.values() if contender.measured]
    return struck_note(any(c.faults or any(not level.valid for level in c.levels) for c in measured))


def _in_words(rows: Sequence[Bar]) -> list[str]:
    return [f"{row.label} {row.words}{_unless(not row.invalid)}" for row in rows]


def _unless(valid: bool) -> str:
    return "" if valid else " (INVALID)"
