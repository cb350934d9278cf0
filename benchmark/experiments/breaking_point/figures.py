"""The figures of a locust run, each for a desk and for a phone."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from benchmark.analysis.reasons import Reason
from benchmark.analysis.wording import significant
from benchmark.experiments.breaking_point.findings import LocustRun
from benchmark.experiments.breaking_point.schema import Entry, LocustData
from benchmark.experiments.breaking_point.summarise import CLOSED_AT_RATE, OPEN_LOOP, BreakingPointEntry, run_reasons
from benchmark.load.shapes import EXAMPLES, Example
from benchmark.record.run import read_samples
from benchmark.report.charts.chart import Layout, Sheet, faint_grid
from benchmark.report.charts.palette import GRID, MUTED, Style, styles
from benchmark.report.charts.picture import Picture, both, headline_files, struck_note

_ROW_PX: Final = 34.0
_PANEL_PX: Final = 170.0
_SHORT_AXIS: Final = 6.0  # a logarithmic axis from a value to less than so many times it has even steps
_LEGEND_PX: Final = 22.0
_MOST_BINS: Final = 50  # of a figure over time
_SHORTEST_BIN_S: Final = 1.0  # since a single user asks once a second
_TITLES: Final = {
    **{name: example.title for name, example in EXAMPLES.items()},
    OPEN_LOOP: "Open loop at 80 % of the breaking point",
    CLOSED_AT_RATE: "Closed loop at the same rate",
}
Styles = Mapping[str, Style]


@dataclass(frozen=True)
class Course:
    """One contender's example over time, arrays of shape (bins,)."""

    plan: Example | None
    t_s: np.ndarray
    rps: np.ndarray
    p50_ms: np.ndarray
    p95_ms: np.ndarray
    failed_rps: np.ndarray


@dataclass(frozen=True)
class Panel:
    """What of a course is drawn, over time."""

    title: str
    value: Callable[[Course], np.ndarray]
    is_log: bool


_RATE: Final = Panel("rate [requests/s]", lambda course: course.rps, is_log=False)
_PANELS: Final = (
    _RATE,
    Panel("p50 [ms, log scale]", lambda course: course.p50_ms, is_log=True),
    Panel("p95 [ms, log scale]", lambda course: course.p95_ms, is_log=True),
)


def all_figures(data: LocustData, samples: Path) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order; `samples` is the run's folder."""
    found = [breaking_point_figure(data)] if data.breaking_points else []
    if any(point.tries for point in data.breaking_points.values()):
        found.append(_tries_figure(data))
    for name in (*EXAMPLES, OPEN_LOOP):
        runs = {label: run for label, entry in data.entries.items() if (run := entry.last(name))}
        if runs:
            struck = _struck(data, _last_reasons(name)) & set(runs)
            found.append(_course_figure(name, runs, samples, styles(data.contenders), struck))
    if any(entry.last(OPEN_LOOP) for entry in data.entries.values()):
        found.append(_tail_figure(data, samples))
    return found


def headline(data: LocustData) -> dict[str, str]:
    """Return the headline figure as SVG files by name, for a desk and for a phone; none without a breaking point."""
    if not data.breaking_points:
        return {}
    return headline_files(lambda layout: _draw_breaking_points("locust-headline", layout, data))


def breaking_point_figure(data: LocustData) -> Picture:
    """Return the breaking point of each contender, with its interval and the rate that was held."""
    said = "; ".join(f"{name} {_rate_words(point.rps, point.broke)}" for name, point in data.breaking_points.items())
    return Picture(
        key="breaking-points",
        title="The breaking point of each contender",
        caption="The highest offered rate that was answered, in time; the whisker is its 95 % interval. "
        "The hollow mark is the rate that was held for the whole of the third example; the bar across, where the "
        "load test broke in passing. Neither is drawn where it is INVALID."
        + struck_note(bool(_struck(data, _point_reasons) & set(data.breaking_points)), hollow=False),
        alt=f"Points with intervals, highest rate that was followed: {said}.",
        **both(lambda layout: _draw_breaking_points("breaking-points", layout, data)),
    )


def _struck(data: LocustData, reasons: Callable[[Entry], Sequence[Reason]]) -> set[str]:
    """Return whose part is INVALID, given what returns the reasons of that part."""
    return {name for name, entry in data.entries.items() if entry.against(reasons(entry))}


def _point_reasons(entry: Entry) -> Sequence[Reason]:
    return entry.breaking_point.reasons if entry.breaking_point else ()


def _last_reasons(*examples: str) -> Callable[[Entry], Sequence[Reason]]:
    """Return what returns why the last runs of these examples are INVALID."""
    return lambda entry: [
        reason for name in examples for found in [entry.last(name)] if found for reason in run_reasons(found)
    ]


def _rate_words(rps: float, broke: bool) -> str:
    return f"{'' if broke else '> '}{significant(rps)} rps"


def _draw_breaking_points(key: str, layout: Layout, data: LocustData) -> Sheet:
    points, chosen, struck = data.breaking_points, styles(data.contenders), _struck(data, _point_reasons)
    left = max(layout.text_px(name) for name in points) + 16
    sheet = Sheet(key, layout, _ROW_PX * len(points) + 60)
    axes = sheet.axes(left, 8, sheet.width - left - 90, _ROW_PX * len(points))
    highest = max(max(point.ci95[1], point.held_users or 0, point.ramp_rps or 0) for point in points.values())
    axes.set_xlim(0, 1.08 * highest)
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xlabel("offered rate [requests/s]", fontsize=layout.font)
    faint_grid(axes, "x")
    for place, (name, point) in enumerate(points.items()):
        style, entry = chosen[name], data.entries[name]
        invalid = name in struck
        axes.plot(point.ci95, [place, place], color=style.colour, linewidth=2)
        axes.plot([point.rps], [place], marker=style.marker, color=style.colour, markersize=9)
        if point.ramp_rps and not entry.against(point.ramp_reasons):
            axes.plot(point.ramp_rps, place, "|", color=MUTED, markersize=16, markeredgewidth=2, zorder=1)
        if point.held_users and not entry.against(point.held_reasons):
            axes.plot(point.held_users, place, style.marker, markersize=14, fillstyle="none", color=style.colour)
        y = 8 + _ROW_PX * (place + 0.5)
        sheet.text(left - 8, y, name, anchor="right", struck=invalid)
        sheet.text(sheet.width - 84, y, _rate_words(point.rps, point.broke), struck=invalid)
    return sheet


def _tries_figure(data: LocustData) -> Picture:
    points = {name: point for name, point in data.breaking_points.items() if point.tries}
    struck = _struck(data, _point_reasons) & set(points)
    said = "; ".join(
        f"{name} {sum(each.sustained for each in point.tries)} of {len(point.tries)}" for name, point in points.items()
    )
    return Picture(
        key="tries",
        title="The rates that were tried",
        caption="One mark per try, each with fresh processes: full where the rate was sustained, hollow where it was "
        "not. Up after the one, down after the other, in steps that get finer; the line is the breaking point."
        + struck_note(bool(struck), hollow=False),
        alt=f"Marks of tried rates over the number of the try; sustained: {said}.",
        **both(lambda layout: _draw_tries(layout, points, styles(data.contenders), struck)),
    )


def _draw_tries(
    layout: Layout, points: Mapping[str, BreakingPointEntry], chosen: Styles, struck: Collection[str]
) -> Sheet:
    legend_rows = _legend_rows(layout, list(points))
    head = _LEGEND_PX * len(legend_rows) + 6
    sheet = Sheet("tries", layout, head + 24 + 250 + 40)
    _draw_legend(sheet, legend_rows, chosen, struck)
    sheet.text(2, head + 7, "offered rate [requests/s, log scale]", bold=True)
    axes = sheet.axes(54, head + 24, sheet.width - 66, 250)
    axes.set_yscale("log")
    for name, point in points.items():
        style = chosen[name]
        axes.axhline(point.rps, color=style.colour, linewidth=1.4, dashes=style.dash or (None, None))
        for number, each in enumerate(point.tries, 1):
            fill = "full" if each.sustained else "none"
            axes.plot(number, each.rps, style.marker, color=style.colour, markersize=7, fillstyle=fill)
    _name_steps(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("try", fontsize=layout.font)
    faint_grid(axes, "y")
    return sheet


def _course_figure(
    name: str, runs: Mapping[str, LocustRun], samples: Path, chosen: Styles, struck: Collection[str]
) -> Picture:
    courses = {label: course_of(run, samples) for label, run in runs.items()}
    peaks = ", ".join(f"{label} {significant(float(np.nanmax(c.rps)))} requests/s" for label, c in courses.items())
    return Picture(
        key=name,
        title=_TITLES[name],
        caption="Checked answers per second, median and 95th percentile of the latency over the time since the start; "
        "behind the rate, dotted, what the users offered. Crosses are failed requests per second."
        + struck_note(bool(struck), hollow=False),
        alt=f"Lines over time; highest rates: {peaks}.",
        **both(lambda layout: _draw_courses(name, layout, courses, chosen, struck)),
    )


def course_of(run: LocustRun, samples: Path) -> Course:
    """Return how a Locust run went, from its raw samples in this folder."""
    frame = read_samples(samples / f"0-{run.stem}.csv")
    t_s = ((frame["end_ns"] - run.start_ns) / 1e9).to_numpy(dtype=float)
    end_s = run.until_s or run.duration_s or float(t_s.max())
    bins = min(max(int(end_s / _SHORTEST_BIN_S), 2), _MOST_BINS)
    edges = np.linspace(0, end_s, bins + 1)
    width_s = edges[1]
    index = np.digitize(t_s, edges) - 1
    ok, latency = frame["ok"].to_numpy(dtype=bool), frame["response_ms"].to_numpy(dtype=float)
    groups = [latency[(index == i) & ok] for i in range(bins)]
    failed = np.array([np.sum((index == i) & ~ok) for i in range(bins)]) / width_s
    p50, p95 = (np.array([np.percentile(g, q) if len(g) else np.nan for g in groups]) for q in (50, 95))
    rps = np.array([len(g) for g in groups]) / width_s
    # The plan ends up to one pacing before the last answers that count: that is no fall of the rate.
    shown = max(int((end_s - run.plan.pacing_s) / width_s + 1e-9), 1) if run.plan else bins
    figures = (each[:shown] for each in (edges[:-1] + width_s / 2, rps, p50, p95, failed))
    return Course(run.plan, *figures)


def _draw_courses(
    key: str, layout: Layout, courses: Mapping[str, Course], chosen: Styles, struck: Collection[str]
) -> Sheet:
    legend_rows = _legend_rows(layout, list(courses))
    head, pitch = _LEGEND_PX * len(legend_rows) + 6, _PANEL_PX + 26
    sheet = Sheet(key, layout, head + len(_PANELS) * pitch + 34)
    _draw_legend(sheet, legend_rows, chosen, struck)
    for place, panel in enumerate(_PANELS):
        top = head + place * pitch
        sheet.text(2, top + 7, panel.title, bold=True)
        axes = sheet.axes(54, top + 24, sheet.width - 66, _PANEL_PX - 24)
        _draw_lines(axes, panel, courses, chosen)
        if panel is _RATE:
            _draw_offers(axes, courses, chosen)
    axes.set_xlabel("time since the start [s]", fontsize=layout.font)
    return sheet


def _draw_lines(axes: Axes, panel: Panel, courses: Mapping[str, Course], chosen: Styles) -> None:
    if panel.is_log:
        axes.set_yscale("log")
    for label, course in courses.items():
        style = chosen[label]
        axes.plot(course.t_s, panel.value(course), color=style.colour, linewidth=1.8, dashes=style.dash or (None, None))
    if panel.is_log:
        _name_steps(axes.yaxis)
    axes.set_xlim(0, max(float(course.t_s[-1]) for course in courses.values()) * 1.01)
    faint_grid(axes, "y")


def _name_steps(axis: Axis) -> None:
    """Name 1, 2 and 5 of every decade of a logarithmic axis that bears its data; even steps where it is short."""
    low, high = axis.get_view_interval()
    is_short = high < _SHORT_AXIS * low
    axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]) if is_short else LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(lambda value, _: f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}")
    axis.set_minor_locator(NullLocator() if is_short else LogLocator(subs="auto"))
    axis.set_minor_formatter(NullFormatter())


def _draw_offers(axes: Axes, courses: Mapping[str, Course], chosen: Styles) -> None:
    """Draw what the users offered behind the rate, and failed requests as crosses."""
    for label, course in courses.items():
        if course.plan:
            offered = [course.plan.offered_rps(t_s) for t_s in course.t_s]
            axes.plot(course.t_s, offered, color=MUTED, linewidth=1.2, linestyle=(0, (1, 2)), zorder=1)
        failing = course.failed_rps > 0
        axes.plot(course.t_s[failing], course.failed_rps[failing], "x", color=chosen[label].colour, markersize=5)
    axes.set_ylim(bottom=0)


def _legend_rows(layout: Layout, names: Sequence[str]) -> list[list[str]]:
    rows: list[list[str]] = [[]]
    used = 0.0
    for name in names:
        width = layout.text_px(name) + 44
        if rows[-1] and used + width > layout.width:
            rows.append([])
            used = 0.0
        rows[-1].append(name)
        used += width
    return rows


def _draw_legend(sheet: Sheet, rows: list[list[str]], chosen: Styles, struck: Collection[str]) -> None:
    for place, row in enumerate(rows):
        x, y = 4.0, 12 + _LEGEND_PX * place
        for name in row:
            sheet.line([(x, y), (x + 20, y)], chosen[name].colour, width=3)
            sheet.text(x + 26, y, name, struck=name in struck)
            x += sheet.layout.text_px(name) + 44


def _tail_figure(data: LocustData, samples: Path) -> Picture:
    tails: dict[str, dict[str, np.ndarray]] = {}
    for label, entry in data.entries.items():
        for name in (OPEN_LOOP, CLOSED_AT_RATE):
            run = entry.last(name)
            if run:
                tails.setdefault(label, {})[name] = _sorted_ms(run, samples)
    struck = _struck(data, _last_reasons(OPEN_LOOP, CLOSED_AT_RATE)) & set(tails)
    return Picture(
        key="tails",
        title="What a closed loop hides",
        caption="Share of requests that took longer than a time, both axes on log scale: solid for requests that come "
        "at their own times (latency from the scheduled time), dotted for paced users at the same rate."
        + struck_note(bool(struck), hollow=False),
        alt="Tail distributions of each contender in an open and in a closed loop at the same rate.",
        **both(lambda layout: _draw_tails(layout, tails, styles(data.contenders), struck)),
    )


def _sorted_ms(run: LocustRun, samples: Path) -> np.ndarray:
    frame = read_samples(samples / f"0-{run.stem}.csv")
    return np.sort(frame.loc[frame["ok"], "response_ms"].to_numpy(dtype=float))


def _draw_tails(
    layout: Layout, tails: Mapping[str, Mapping[str, np.ndarray]], chosen: Styles, struck: Collection[str]
) -> Sheet:
    legend_rows = _legend_rows(layout, list(tails))
    head = _LEGEND_PX * len(legend_rows) + 6
    sheet = Sheet("tails", layout, head + 330)
    _draw_legend(sheet, legend_rows, chosen, struck)
    axes = sheet.axes(64, head + 6, sheet.width - 76, 270)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for label, by_loop in tails.items():
        for name, latencies in by_loop.items():
            share = 1 - np.arange(latencies.size) / latencies.size
            line = "-" if name == OPEN_LOOP else (0, (1, 1.5))
            axes.plot(latencies, share, color=chosen[label].colour, linewidth=1.8, linestyle=line)
    axes.set_ylim(1e-3, 1.0)
    axes.set_yticks([1.0, 0.1, 0.01, 0.001], ["all", "10 %", "1 %", "0.1 %"])
    _name_steps(axes.xaxis)
    axes.set_xlabel("latency [ms, log scale]", fontsize=layout.font)
    axes.grid(color=GRID, linewidth=0.8)
    return sheet
