"""The figures of a locust run, each for a desk and for a phone."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from benchmark.analysis.reasons import Reason
from benchmark.analysis.wording import significant
from benchmark.experiments.breaking_point.observations import LocustRun
from benchmark.experiments.breaking_point.schema import Entry, LocustData
from benchmark.experiments.breaking_point.series import courses_csv, points_csv, tails_csv, tries_csv
from benchmark.experiments.breaking_point.summarise import CLOSED_AT_RATE, OPEN_LOOP, BreakingPointEntry, run_reasons
from benchmark.load.shapes import EXAMPLES, SHAPE, Example
from benchmark.record.run import read_samples
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import number_axis
from benchmark.report.charts.bars import Point, points, rows_px
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.lines import Line, lines, mark, title
from benchmark.report.charts.palette import MUTED, Style, styles
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

_PANEL_PX: Final = 146.0
_MOST_BINS: Final = 50  # of a figure over time
_SHORTEST_BIN_S: Final = 1.0  # since a single user asks once a second
_TITLES: Final = {
    **{name: example.title for name, example in EXAMPLES.items()},
    SHAPE: "A rate over time, in an open loop",
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
class CoursePanel:
    """What of a course is drawn, over time."""

    title: str
    value: Callable[[Course], np.ndarray]
    is_log: bool


_RATE: Final = CoursePanel("rate [requests/s]", lambda course: course.rps, is_log=False)
_PANELS: Final = (
    _RATE,
    CoursePanel("p50 [ms, log scale]", lambda course: course.p50_ms, is_log=True),
    CoursePanel("p95 [ms, log scale]", lambda course: course.p95_ms, is_log=True),
)


def all_figures(data: LocustData, samples: Path) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order; `samples` is the run's folder."""
    found = [breaking_point_figure(data)] if data.breaking_points else []
    if any(point.tries for point in data.breaking_points.values()):
        found.append(_tries_figure(data))
    for name in (SHAPE, *EXAMPLES, OPEN_LOOP):
        runs = {label: run for label, entry in data.entries.items() if (run := entry.last(name))}
        if runs:
            struck = _struck(data, _last_reasons(name)) & set(runs)
            found.append(_course_figure(name, runs, samples, styles(data.contenders), struck))
    if any(entry.last(OPEN_LOOP) for entry in data.entries.values()):
        found.append(_tail_figure(data, samples))
    return found


def headline(data: LocustData) -> Draw | None:
    """Return what draws the headline figure; None without a breaking point."""
    if not data.breaking_points:
        return None
    return lambda layout: _draw_breaking_points("locust-headline", layout, data)


def breaking_point_figure(data: LocustData) -> Picture:
    """Return the breaking point of each contender, with its interval and the rate that was held."""
    struck = _struck(data, _point_reasons) & set(data.breaking_points)
    said = [
        f"{name}{' (INVALID)' if name in struck else ''} {_rate_words(point.rps, point.broke)}"
        for name, point in data.breaking_points.items()
    ]
    return Picture(
        key="breaking-points",
        title="The breaking point of each contender",
        caption="The highest rate that was answered in time, with its 95 % interval. Large hollow mark: the rate that "
        "users who pause between requests held to the end. Upright bar: where a rising load broke. Neither is drawn "
        "where it is INVALID." + struck_note(bool(struck)),
        alt=alt_text("Points with intervals, highest rate that was followed", said),
        element=on_page(lambda layout: _draw_breaking_points("breaking-points", layout, data)),
        data=points_csv(data.breaking_points),
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
    return f"{'' if broke else '≥ '}{significant(rps)} requests/s"


def _draw_breaking_points(key: str, layout: Layout, data: LocustData) -> Sheet:
    chosen, struck = styles(data.contenders), _struck(data, _point_reasons)
    rows = [
        Point(
            name, _rate_words(point.rps, point.broke), name in struck,
            value=point.rps, style=chosen[name], interval=point.ci95,
            ring=None if data.entries[name].against(point.held_reasons) else point.held_users,
            tick=None if data.entries[name].against(point.ramp_reasons) else point.ramp_rps,
        )
        for name, point in data.breaking_points.items()
    ]  # fmt: skip
    sheet = Sheet(key, layout, [rows_px(len(rows), layout.width)])
    points(sheet.panels[0], rows, (0, 1.08 * max(row.reach for row in rows)), "offered rate [requests/s]")
    return sheet


def _tries_figure(data: LocustData) -> Picture:
    points = {name: point for name, point in data.breaking_points.items() if point.tries}
    struck = _struck(data, _point_reasons) & set(points)
    said = [
        f"{name} {sum(each.sustained for each in point.tries)} of {len(point.tries)}" for name, point in points.items()
    ]
    return Picture(
        key="tries",
        title="The rates that were tried",
        caption="One mark per try, each with fresh processes: full where the rate was sustained, hollow where it was "
        "not. Up after the one, down after the other, in steps that get finer; the line is the breaking point."
        + struck_note(bool(struck), hollow=False),
        alt=alt_text("Marks of tried rates over the number of the try; sustained", said),
        element=on_page(lambda layout: _draw_tries(layout, points, styles(data.contenders), struck)),
        data=tries_csv(points),
    )


def _draw_tries(
    layout: Layout, found: Mapping[str, BreakingPointEntry], chosen: Styles, struck: Collection[str]
) -> Sheet:
    sheet = Sheet("tries", layout, [250])
    sheet.key(_names(found, chosen), struck)
    (axes,) = sheet.panels
    title(axes, "offered rate [requests/s, log scale]")
    rates = [rate for point in found.values() for rate in (point.rps, *(each.rps for each in point.tries))]
    number_axis(axes, "y", (min(rates) * 0.85, max(rates) * 1.15), is_log=True)
    for name, point in found.items():
        axes.axhline(point.rps, **chosen[name].line, linewidth=1.4)
        for number, each in enumerate(point.tries, 1):
            face = chosen[name].colour if each.sustained else "none"  # two may have tried the same rate
            mark(axes, number, each.rps, chosen[name], hollow=not each.sustained, markerfacecolor=face)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("try")
    return sheet


def _course_figure(
    name: str, runs: Mapping[str, LocustRun], samples: Path, chosen: Styles, struck: Collection[str]
) -> Picture:
    courses = {label: course_of(run, samples) for label, run in runs.items()}
    peaks = [f"{label} {significant(float(np.nanmax(c.rps)))} requests/s" for label, c in courses.items()]
    return Picture(
        key=name,
        title=_TITLES[name],
        caption="Checked answers per second, median and 95th percentile of the latency over the time since the start"
        + ("; behind the rate, dotted, what the users offered" if any(run.plan for run in runs.values()) else "")
        + ". Crosses are failed requests per second."
        + struck_note(bool(struck), hollow=False),
        alt=alt_text("Lines over time; highest rates", peaks),
        element=on_page(lambda layout: _draw_courses(name, layout, courses, chosen, struck)),
        data=_course_data(courses),
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


def _course_data(courses: Mapping[str, Course]) -> str:
    return courses_csv(
        ["seconds", "requests/s", "p50 [ms]", "p95 [ms]", "failed requests/s"],
        {name: (each.t_s, each.rps, each.p50_ms, each.p95_ms, each.failed_rps) for name, each in courses.items()},
    )


def _draw_courses(
    key: str, layout: Layout, courses: Mapping[str, Course], chosen: Styles, struck: Collection[str]
) -> Sheet:
    sheet = Sheet(key, layout, [_PANEL_PX] * len(_PANELS), share_x=True)
    sheet.key(_names(courses, chosen), struck)
    end_s = max(float(course.t_s[-1]) for course in courses.values())
    for axes, panel in zip(sheet.panels, _PANELS, strict=True):
        title(axes, panel.title)
        number_axis(axes, "x", (0, end_s * 1.01), is_log=False)
        axes.grid(visible=False, axis="x")
        lines(axes, [_course_line(label, course, panel, chosen[label]) for label, course in courses.items()])
        if panel is _RATE:
            _draw_offers(axes, courses, chosen)
        low, high = axes.dataLim.intervaly
        limits = (low * 0.9, high * 1.1) if panel.is_log and low > 0 else (0.0, high * 1.08)
        number_axis(axes, "y", limits if np.isfinite(limits).all() and limits[1] > 0 else (1.0, 10.0), panel.is_log)
    sheet.panels[-1].set_xlabel("time since the start [s]")
    return sheet


def _course_line(label: str, course: Course, panel: CoursePanel, style: Style) -> Line:
    """Return a line without marks, but for a course of a single point, which would not be seen without one."""
    return Line(label, course.t_s, panel.value(course), style if len(course.t_s) == 1 else replace(style, marker=""))


def _draw_offers(axes: Axes, courses: Mapping[str, Course], chosen: Styles) -> None:
    """Draw what the users offered behind the rate, and failed requests as crosses."""
    for label, course in courses.items():
        if course.plan:
            offered = [course.plan.offered_rps(t_s) for t_s in course.t_s]
            axes.plot(course.t_s, offered, color=MUTED, linewidth=1.2, linestyle=(0, (1, 2)), zorder=1)
        failing = course.failed_rps > 0
        axes.plot(course.t_s[failing], course.failed_rps[failing], "x", color=chosen[label].colour, markersize=5)


def _names(labels: Iterable[str], chosen: Styles) -> list[Artist]:
    """Return the key that tells contenders apart."""
    return [Line2D([], [], **chosen[name].line, marker=chosen[name].marker, linewidth=2, label=name) for name in labels]


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
        title="What a closed loop hides: the tail of the latency",
        caption="Share of requests that took longer than a time, both axes on log scale: solid for requests that come "
        "at their own times (latency from the scheduled time), dotted for paced users at the same rate."
        + struck_note(bool(struck), hollow=False),
        alt=alt_text("Tail distributions in an open and in a closed loop at the same rate, of", list(tails)),
        element=on_page(lambda layout: _draw_tails(layout, tails, styles(data.contenders), struck)),
        data=tails_csv(tails),
    )


def _sorted_ms(run: LocustRun, samples: Path) -> np.ndarray:
    frame = read_samples(samples / f"0-{run.stem}.csv")
    return np.sort(frame.loc[frame["ok"], "response_ms"].to_numpy(dtype=float))


def _draw_tails(
    layout: Layout, tails: Mapping[str, Mapping[str, np.ndarray]], chosen: Styles, struck: Collection[str]
) -> Sheet:
    sheet = Sheet("tails", layout, [270])
    sheet.key(_names(tails, chosen), struck)
    (axes,) = sheet.panels
    every = np.concatenate([latencies for by_loop in tails.values() for latencies in by_loop.values()])
    number_axis(axes, "x", (every.min() * 0.9, every.max() * 1.1) if every.size else (1, 1e3), is_log=True)
    number_axis(axes, "y", (1e-3, 1.0), is_log=True)
    axes.set_yticks([1.0, 0.1, 0.01, 0.001], ["all", "10 %", "1 %", "0.1 %"])
    axes.set_xlabel("latency [ms, log scale]")
    for label, by_loop in tails.items():
        for name, latencies in by_loop.items():
            share = 1 - np.arange(latencies.size) / latencies.size
            line = "-" if name == OPEN_LOOP else (0, (1, 1.5))
            axes.plot(latencies, share, color=chosen[label].colour, linewidth=1.8, linestyle=line)
    return sheet
