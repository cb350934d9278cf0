"""The figures of a report, each as SVG for a desk and for a phone, with a caption and a text alternative."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes

from benchmark.analysis.schema import Summary, parse_summary
from benchmark.analysis.wording import at_users, listing, significant
from benchmark.experiments.bench.series import (
    P50,
    P99,
    RATE,
    Quantity,
    cpu_bars,
    floors,
    harness_beyond,
    hills_at,
    limits_over_users,
    line_of,
    low_load_bars,
    roles,
)
from benchmark.report.charts.axis import number_axis, scale_note, users_axis
from benchmark.report.charts.bars import bars, bars_sheet, floor_key, in_words, rows_px, swatch
from benchmark.report.charts.chart import Layout, Sheet, panel_key
from benchmark.report.charts.distribution import Hill, hills, hills_px
from benchmark.report.charts.lines import lines, name_ends, title
from benchmark.report.charts.palette import density
from benchmark.report.charts.picture import Picture, floor_note, on_page, struck_note, svg_file

_PANEL_PX: Final = 270.0
_P99_NOTE: Final = " * not enough samples: a p99 needs at least 459."


def low_load_figure(summary: Summary) -> Picture:
    """Return mean latency at the lowest level, split into the floor and what is on top of it."""
    rows = low_load_bars(summary)
    where = at_users(summary.low_users)
    return Picture(
        key="low-load",
        title=f"Latency at {where}, against the floor",
        caption=(
            f"Mean latency in ms at {where}. {floor_note(floors(summary.contenders))} "
            "The whisker is the 95 % interval of the mean over the blocks; it may be narrower than its line, "
            "or cut off at the edge." + _if_invalid(summary)
        ),
        alt=f"Horizontal bars, mean latency at {where}: {in_words(rows)}.",
        element=on_page(lambda layout: bars_sheet("low-load", layout, rows, floor_key(), "mean latency [ms]")),
    )


def throughput_figure(summary: Summary) -> Picture:
    """Return the rate of checked answers over the number of users."""
    return Picture(
        key="throughput",
        title="Throughput over users",
        caption=(
            "Checked answers per second over the number of users who each send the next request as soon as the "
            "last is answered. Higher is better; where a line bends flat, the contender is at its ceiling. "
            "Bars: 95 % interval over the blocks, cut off where it leaves the axis."
            + _no_peak_note(summary)
            + _harness_note(summary, "harness's own ceiling")
            + _if_invalid(summary)
        ),
        alt=f"Lines over users, highest rate measured in requests per second: {_peaks_in_words(summary)}.",
        element=on_page(partial(_draw_lines, "throughput", summary=summary, quantities=[RATE])),
    )  # fmt: skip


def latency_figure(summary: Summary) -> Picture:
    """Return the median and the tail of latency over the number of users."""
    return Picture(
        key="latency",
        title="Latency over users",
        caption=(
            "Median (p50: half of the requests were faster) and tail (p99: one in a hundred was slower) latency in "
            "ms over the number of users. Lower is better. A point is missing where "
            "a percentile had not enough samples (a p99 takes 459)."
            + _harness_note(summary, "harness's own latency")
            + _if_invalid(summary)
        ),
        alt=f"Lines over users, latency at the highest level measured: {_latencies_in_words(summary)}.",
        element=on_page(partial(_draw_lines, "latency", summary=summary, quantities=[P50, P99])),
    )


def distribution_figure(summary: Summary, samples: pd.DataFrame) -> Picture:
    """Return how the latencies are distributed, at the lowest and at the highest level."""
    low, high = summary.low_users, summary.high_users
    found = {users: hills_at(summary, samples, users) for users in sorted({low, high})}
    words = "; ".join(
        f"at {at_users(users)}: " + ", ".join(f"{hill.label} {hill.words}" for hill in each)
        for users, each in found.items()
    )
    return Picture(
        key="distribution",
        title="How the latencies are distributed",
        caption=(
            "One hill for each contender: the higher, the more requests took that long (each hill is scaled to its "
            "own row). The long line is the median, the short one the p99. The two panels have axes of "
            "their own, in ms. The "
            "slowest 1 %, or 5 % where there is no p99, may lie beyond." + _P99_NOTE
            + _if_invalid(summary)
        ),
        alt=f"Histograms of latency, {words}.",
        element=on_page(lambda layout: _draw_hills(layout, found)),
    )  # fmt: skip


def cpu_figure(summary: Summary) -> Picture:
    """Return the CPU time that one request costs, stacked by process."""
    rows, key = cpu_bars(summary), _cpu_key(summary)
    levels = sorted({c.cpu_users for c in summary.contenders.values() if c.cpu_users and c.cpu_ms_per_request})
    where = f"at {at_users(levels[0])}" if len(levels) == 1 else "each at the level beside its bar"
    return Picture(
        key="cpu",
        title="CPU per request",
        caption=(
            f"CPU time in ms that the operating system counted for each process, per answered request, {where}. "
            "The number is the sum of the contender's own processes; the hatched part, the load generator, is not "
            "in it. Shorter is better: cores divided by this is a ceiling of the rate." + _if_invalid(summary)
        ),
        alt=f"Horizontal bars, CPU per request without the load generator: {in_words(rows)}.",
        element=on_page(lambda layout: bars_sheet("cpu", layout, rows, key, "CPU per request [ms]")),
    )


def all_figures(summary: Summary, samples: pd.DataFrame) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order: the first stands beside the answers."""
    drawn = []
    contenders = summary.contenders.values()
    if any(contender.levels for contender in contenders):
        drawn.append(throughput_figure(summary))
    if any(contender.low_load for contender in contenders):
        drawn.append(low_load_figure(summary))
    if any(contender.levels for contender in contenders):
        drawn.append(latency_figure(summary))
    if not samples.empty:
        drawn.append(distribution_figure(summary, samples))
    if any(contender.cpu_ms_per_request for contender in contenders):
        drawn.append(cpu_figure(summary))
    return drawn


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


def _cpu_key(summary: Summary) -> list[Artist]:
    shades = [swatch(role, density=density(i)) for i, role in enumerate(roles(summary))]
    return [*shades, swatch("load generator", None)]


def _draw_lines(key: str, layout: Layout, summary: Summary, quantities: list[Quantity]) -> Sheet:
    height_px = max(_PANEL_PX, 18.0 * len(summary.contenders))
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
    limits = limits_over_users(summary, quantity)
    series = [line_of(summary, name, quantity) for name in summary.contenders]
    title(axes, f"{quantity.title} [{quantity.unit}{scale_note(limits)}]", harness_beyond(summary, quantity, limits))
    users_axis(axes, {level.users for c in summary.contenders.values() for level in c.levels} | set(summary.levels))
    number_axis(axes, "y", limits, limits[0] > 0)
    lines(axes, series)
    name_ends(axes, series)


def _harness_note(summary: Summary, shows: str) -> str:
    names = [name for name, contender in summary.harness_floors.items() if contender.levels]
    if not names:
        return ""
    return f" Grey and dashed: {listing(names)}, which answers at once and so shows the {shows}."


def _no_peak_note(summary: Summary) -> str:
    names = [name for name, contender in summary.rivals.items() if contender.levels and contender.no_peak]
    if not names:
        return ""
    return f" The levels measured show no peak of {listing(names)}: at other levels the rate may be higher."


def _if_invalid(summary: Summary) -> str:
    measured = [contender for contender in summary.rivals.values() if contender.measured]
    return struck_note(any(c.faults or any(not level.valid for level in c.levels) for c in measured))


def _peaks_in_words(summary: Summary) -> str:
    return "; ".join(
        f"{name} {c.at_least}{significant(c.peak.rps)} at {at_users(c.peak.users)}"
        + ("" if c.stands(c.peak.users) else " (INVALID)")
        for name, c in summary.contenders.items()
        if c.peak
    )


def _latencies_in_words(summary: Summary) -> str:
    said = []
    for name, contender in summary.contenders.items():
        if contender.levels:
            last = max(contender.levels, key=lambda level: level.users)
            p99 = "p99 not enough samples" if last.p99_ms is None else f"p99 {significant(last.p99_ms)} ms"
            said.append(f"{name} p50 {significant(last.p50_ms)} ms, {p99} at {at_users(last.users)}")
    return "; ".join(said)
