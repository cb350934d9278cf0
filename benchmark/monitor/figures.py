"""The picture of a watch: the answer time of each service, what was down or stalled shaded, and the load beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from benchmark.analysis.wording import significant
from benchmark.monitor.beside import Load
from benchmark.monitor.health import Probe
from benchmark.monitor.record import Watch
from benchmark.monitor.summary import Seen, end_of
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import limits_of, number_axis, scale_note
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import as_csv
from benchmark.report.charts.palette import MUTED
from benchmark.report.charts.picture import Picture, on_page

KEY: Final = "answers-over-time"
_PANEL_PX: Final = 150.0
_MOST_POINTS: Final = 300  # of a line: more than there are pixels would only make the page heavy
_ANSWERS: Final = "#0072b2"
_FAILED: Final = "#d55e00"
# Hatched, too, so that both can be told apart without colours.
_SHADES: Final[dict[str, dict[str, Any]]] = {
    "down": {"facecolor": ("#d55e00", 0.35), "hatch": "///"},
    "stalled": {"facecolor": ("#ca8600", 0.25), "hatch": "..."},
}
_UNITS: Final = (("s", 1.0), ("min", 60.0), ("h", 3600.0))


@dataclass(frozen=True)
class Course:
    """The answer times of a service in bins of time: median, lowest and highest; and where there was no good answer."""

    service: str
    at_s: NDArray[np.float64]
    median_ms: NDArray[np.float64]  # nan where no answer came
    low_ms: NDArray[np.float64]
    high_ms: NDArray[np.float64]
    failed_s: NDArray[np.float64]


def picture_of(watch: Watch, probes: Mapping[str, Sequence[Probe]], seen: Sequence[Seen], load: Load | None) -> Picture:
    """Return the picture of a watch."""
    end_s = max((end_of(watch, probes) - watch.started_ns) / 1e9, watch.every_s)
    courses = [_course(watch, name, probes[name], end_s) for name in watch.services]
    said = [
        f"{each.service} {significant(each.median_ms)} ms at the median, {len(each.outages)} times not well"
        for each in seen
    ]
    return Picture(
        key=KEY,
        title="Answer time of the health checks" + (", beside the load" if load else ""),
        caption=(
            f"A question every {watch.every_s:g} s, whether or not earlier ones were answered. Line: median of the "
            "answers in each moment, around it lowest to highest. Crosses: no answer, or another status than 2xx. "
            "Shaded: down or stalled." + (f" Last panel: good and other answers of {load.run}." if load else "")
        ),
        alt=alt_text("Lines, answer time of each service over time", said),
        element=on_page(lambda layout: _draw(layout, watch, courses, seen, load, end_s)),
        data=as_csv(
            ["service", "second", "median [ms]", "lowest", "highest"],
            (
                (course.service, *row)
                for course in courses
                for row in zip(*(map(float, each) for each in _columns(course)), strict=True)
            ),
        ),
    )


def _columns(course: Course) -> tuple[NDArray[np.float64], ...]:
    answered = ~np.isnan(course.median_ms)
    return tuple(each[answered] for each in (course.at_s, course.median_ms, course.low_ms, course.high_ms))


def _course(watch: Watch, service: str, probes: Sequence[Probe], end_s: float) -> Course:
    stall_ms = watch.stall_s * 1e3
    bins = max(min(_MOST_POINTS, round(end_s / watch.every_s)), 1)
    at_s = np.array([(probe.scheduled_ns - watch.started_ns) / 1e9 for probe in probes])
    answered = np.array([probe.status != 0 for probe in probes], dtype=bool)
    failed = np.array([probe.kind(stall_ms) == "failed" or not probe.status for probe in probes], dtype=bool)
    ms = np.array([probe.waited_ms for probe in probes])
    places = np.clip((at_s / end_s * bins).astype(int), 0, bins - 1)
    low, median, high = (np.full(bins, np.nan) for _ in range(3))
    for place in np.unique(places[answered]) if len(probes) else ():
        within = ms[answered & (places == place)]
        low[place], median[place], high[place] = within.min(), np.median(within), within.max()
    middle_s = (np.arange(bins) + 0.5) * end_s / bins
    failed_s = middle_s[np.unique(places[failed])] if len(probes) else np.array([])
    return Course(service, middle_s, median, low, high, failed_s)


def _draw(
    layout: Layout, watch: Watch, courses: Sequence[Course], seen: Sequence[Seen], load: Load | None, end_s: float
) -> Sheet:
    sheet = Sheet(KEY, layout, [_PANEL_PX] * (len(courses) + bool(load)), share_x=True)
    sheet.key(_entries(load))
    unit, seconds = next((each for each in reversed(_UNITS) if end_s >= 3 * each[1]), _UNITS[0])
    for axes, course, each in zip(sheet.panels, courses, seen, strict=False):
        _draw_course(axes, course, seconds)
        for outage in each.outages:
            until_s = end_s if outage.until_ns is None else (outage.until_ns - watch.started_ns) / 1e9
            since_s = (outage.since_ns - watch.started_ns) / 1e9
            looks = {"edgecolor": MUTED, "linewidth": 0, "zorder": 0, **_SHADES[outage.state]}
            axes.axvspan(since_s / seconds, until_s / seconds, **looks)
    if load:
        _draw_load(sheet.panels[-1], load, seconds)
    for axes in sheet.panels:
        number_axis(axes, "x", (0.0, end_s / seconds), is_log=False)
    sheet.panels[-1].set_xlabel(f"time since {watch.time_of_day(watch.started_ns)} UTC [{unit}]")
    return sheet


def _draw_course(axes: Axes, course: Course, seconds: float) -> None:
    x = course.at_s / seconds
    limits = limits_of([*course.low_ms[~np.isnan(course.low_ms)], *course.high_ms[~np.isnan(course.high_ms)]])
    number_axis(axes, "y", limits, is_log=limits[0] > 0)
    axes.fill_between(x, course.low_ms, course.high_ms, color=_ANSWERS, alpha=0.25, linewidth=0)
    axes.plot(x, course.median_ms, color=_ANSWERS, linewidth=1.6)
    alone = ~np.isnan(course.median_ms)  # an answer between two that did not come would have no line
    alone[1:] &= np.isnan(course.median_ms[:-1])
    alone[:-1] &= np.isnan(course.median_ms[1:])
    axes.plot(x[alone], course.median_ms[alone], ".", color=_ANSWERS, markersize=4)
    top = np.full(len(course.failed_s), 0.96)
    axes.plot(course.failed_s / seconds, top, "x", color=_FAILED, markersize=5, transform=axes.get_xaxis_transform())
    axes.set_title(f"{course.service} [ms{scale_note(limits)}]", pad=8)


def _draw_load(axes: Axes, load: Load, seconds: float) -> None:
    x = load.seconds / seconds
    number_axis(axes, "y", limits_of([*load.good_rps, *load.failed_rps], from_zero=True), is_log=False)
    axes.plot(x, load.good_rps, color=MUTED, linewidth=1.8)
    axes.plot(x, load.failed_rps, color=_FAILED, linewidth=1.4, linestyle=(0, (4, 2)))
    axes.set_title(f"load of {load.run} [answers/s]", pad=8)


def _entries(load: Load | None) -> list[Line2D | Patch]:
    entries: list[Line2D | Patch] = [
        Line2D([], [], color=_ANSWERS, linewidth=1.6, label="answer time"),
        Line2D([], [], color=_FAILED, marker="x", linestyle="none", label="no good answer"),
        *(Patch(label=state, edgecolor=MUTED, linewidth=0, **looks) for state, looks in _SHADES.items()),
    ]
    if load:
        entries += [
            Line2D([], [], color=MUTED, linewidth=1.8, label="good answers/s"),
            Line2D([], [], color=_FAILED, linewidth=1.4, linestyle=(0, (4, 2)), label="other answers/s"),
        ]
    return entries
