"""The figures of a report, each as SVG for a desk and for a phone, with a caption and a text alternative."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from benchmark.analysis.schema import Summary, parse_summary
from benchmark.analysis.wording import at_users, listing, significant
from benchmark.report.charts import bars
from benchmark.report.charts import distribution as ridges
from benchmark.report.charts import lines as curves
from benchmark.report.charts.chart import Box, Layout, Sheet, drawing
from benchmark.report.charts.picture import Picture, both, floor_note, struck_note

_PANEL_PX: Final = 360.0
_P99_NOTE: Final = " * not enough samples: a p99 needs at least 459."


def low_load_figure(summary: Summary) -> Picture:
    """Return mean latency at the lowest level, split into the floor and what is on top of it."""
    rows = bars.low_load_rows(summary)
    where = at_users(summary.low_users)
    return Picture(
        key="low-load",
        title=f"Latency at {where}, against the floor",
        caption=(
            f"Mean latency in ms at {where}. {floor_note(summary.contenders)} "
            "The whisker is the 95 % interval of the mean over the blocks; it may be narrower than its line, "
            "or cut off at the edge." + _if_invalid(summary)
        ),
        alt=f"Horizontal bars, mean latency at {where}: {bars.describe_rows(rows)}.",
        **both(lambda layout: bars.draw_bars("low-load", layout, rows, bars.low_load_key(), "mean latency [ms]")),
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
        **both(lambda layout: _one_panel("throughput", layout, summary, curves.THROUGHPUT)),
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
        **both(lambda layout: _two_panels(layout, summary)),
    )


def distribution_figure(summary: Summary, samples: pd.DataFrame) -> Picture:
    """Return how the latencies are distributed, at the lowest and at the highest level."""
    low, high = summary.low_users, summary.high_users
    found = {users: ridges.hills(summary, samples, users) for users in sorted({low, high})}
    words = "; ".join(
        f"at {at_users(users)}: " + ", ".join(f"{hill.name} {hill.words}" for hill in each)
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
        **both(lambda layout: _hill_panels(layout, summary, found)),
    )  # fmt: skip


def cpu_figure(summary: Summary) -> Picture:
    """Return the CPU time that one request costs, stacked by process."""
    rows = bars.cpu_rows(summary)
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
        alt=f"Horizontal bars, CPU per request without the load generator: {bars.describe_rows(rows)}.",
        **both(lambda layout: bars.draw_bars("cpu", layout, rows, bars.cpu_key(summary), "CPU per request [ms]")),
    )


def all_figures(summary: Summary, samples: pd.DataFrame) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order."""
    drawn = []
    contenders = summary.contenders.values()
    if any(contender.low_load for contender in contenders):
        drawn.append(low_load_figure(summary))
    if any(contender.levels for contender in contenders):
        drawn += [throughput_figure(summary), latency_figure(summary)]
    if not samples.empty:
        drawn.append(distribution_figure(summary, samples))
    if any(contender.cpu_ms_per_request for contender in contenders):
        drawn.append(cpu_figure(summary))
    return drawn


def headline_figure(summary: Mapping[str, Any]) -> str:
    """Return an SVG file for the README: throughput over users beside latency at the lowest level."""
    parsed = parse_summary(summary)
    layout = Layout("headline", 1000, 13.0)
    with drawing():
        rows = bars.low_load_rows(parsed)
        sheet = Sheet("headline", layout, max(_PANEL_PX, bars.row_px(layout) * len(rows) + 130))
        curves.draw_panel(sheet, Box(8, 10, 490, sheet.height - 16), parsed, curves.THROUGHPUT)
        right = Box(522, 68, 470, bars.row_px(layout) * len(rows))
        sheet.text(right.left + 2, 20, f"Latency at {at_users(parsed.low_users)}, against the floor", bold=True)
        bars.draw_key(sheet, Box(right.left, 30, right.width, 20), bars.low_load_key())
        bars.draw_rows(sheet, right, rows, "mean latency [ms]")
        return sheet.svg()


def _one_panel(key: str, layout: Layout, summary: Summary, quantity: curves.Quantity) -> Sheet:
    height = max(_PANEL_PX, 110 + 16.0 * len(summary.contenders))
    sheet = Sheet(key, layout, height)
    curves.draw_panel(sheet, Box(0, 0, sheet.width, height), summary, quantity)
    return sheet


def _two_panels(layout: Layout, summary: Summary) -> Sheet:
    """Draw median and tail side by side, or below each other on a phone."""
    height = max(_PANEL_PX, 110 + 16.0 * len(summary.contenders))
    stacked = layout.is_narrow
    sheet = Sheet("latency", layout, height * 2 + 16 if stacked else height)
    width = sheet.width if stacked else (sheet.width - 20) / 2
    curves.draw_panel(sheet, Box(0, 0, width, height), summary, curves.P50)
    second = Box(0, height + 16, width, height) if stacked else Box(width + 20, 0, width, height)
    curves.draw_panel(sheet, second, summary, curves.P99)
    return sheet


def _hill_panels(layout: Layout, summary: Summary, found: Mapping[int, list[ridges.Hill]]) -> Sheet:
    """Draw a panel for each level, side by side, or below each other on a phone."""
    height = ridges.panel_px(len(summary.rivals))
    stacked = layout.is_narrow
    sheet = Sheet("distribution", layout, height * len(found) + 16 * (len(found) - 1) if stacked else height)
    width = sheet.width if stacked else (sheet.width - 24 * (len(found) - 1)) / len(found)
    for i, (users, each) in enumerate(found.items()):
        box = Box(0, i * (height + 16), width, height) if stacked else Box(i * (width + 24), 0, width, height)
        ridges.draw_hills(sheet, box, summary, each, f"At {at_users(users)}")
    return sheet


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
