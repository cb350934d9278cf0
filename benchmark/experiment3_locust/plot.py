"""The page of experiment 3: what broke where, and how it looked over time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from benchmark.experiment3_locust.breaking_point import FOLLOWS, P95_LIMIT
from benchmark.experiment3_locust.examples import EXAMPLES, Example
from benchmark.experiment3_locust.summary import CLOSED_AT_RATE, OPEN_LOOP
from benchmark.record import Run, read_samples
from benchmark.report.bench import machine_line, templates
from benchmark.report.canvas import Layout, Sheet, drawing, faint_grid
from benchmark.report.data import Contender
from benchmark.report.figures import Picture, both
from benchmark.report.palette import GRID, MUTED, Style, styles
from benchmark.report.wording import minute_utc, significant

_PANEL_PX = 170.0
_BINS = 50  # of a figure over time
_TITLES = {
    **{name: example.title for name, example in EXAMPLES.items()},
    OPEN_LOOP: "Open loop at 80 % of the breaking point",
    CLOSED_AT_RATE: "Closed loop at the same rate",
}


@dataclass(frozen=True)
class Course:
    """One contender's example over time, arrays of shape (bins,)."""

    t_s: np.ndarray
    rps: np.ndarray
    p50_ms: np.ndarray
    p95_ms: np.ndarray
    failed_rps: np.ndarray


def write_page(run: Run) -> Path:
    """Write the page of a run, and its headline figure, into the run's directory; return the page's path."""
    summary, manifest = run.summary, run.manifest
    page = templates().get_template("locust.html.j2").render(
        summary=summary,
        manifest=manifest,
        date=minute_utc(summary["started_utc"]),
        machine=machine_line(manifest["environment"]),
        verdict=verdict(summary),
        pictures=pictures(run, summary),
        rows=table_rows(summary),
        follows=f"{1 - FOLLOWS:.0%}",
        limit=f"{P95_LIMIT:g}",
    )  # fmt: skip
    path = run.path / "report.html"
    path.write_text(page, encoding="utf-8")
    with drawing():
        headline = _draw_breaking_points(Layout("headline", 860, 13.0), summary, _styles(summary))
        (run.path / "headline.svg").write_text(headline.svg())
    return path


def verdict(summary: Mapping[str, Any]) -> list[str]:
    """Return one sentence per contender: where it broke, whether that was held, what the closed loop hides."""
    said = []
    for name, entry in summary["contenders"].items():
        point, opened = entry["breaking_point"], entry["open_loop"]
        if point:
            interval = f"95 % interval {significant(point['ci95'][0])} to {significant(point['ci95'][1])}"
            if not point["broke"]:
                said.append(f"{name} did not break at up to {significant(point['rps'])} requests/s.")
            else:
                how = "its goodput no longer followed" if point["reason"] == "goodput" else "its p95 rose"
                said.append(
                    f"{name} broke at {significant(point['rps'])} requests/s ({interval}): {how}. {_held(point)}"
                )
        if opened and opened["p99_ms"] and opened["p99_closed_ms"]:
            said.append(
                f"{name} at {significant(opened['rate_rps'])} requests/s: p99 {significant(opened['p99_ms'])} ms for "
                f"requests that come at their own times, {significant(opened['p99_closed_ms'])} ms in the closed loop."
            )
    return said or ["Nothing was measured, so nothing is claimed."]


def _held(point: Mapping[str, Any]) -> str:
    if point["held"] is None:
        return ""
    if point["held"]:
        return "Held for the whole of the third example."
    if point["held_users"]:
        return f"That was not held for the whole of the third example; {point['held_users']} requests/s were."
    return "That was not held for the whole of the third example, nor were the next lower rates."


def pictures(run: Run, summary: Mapping[str, Any]) -> list[Picture]:
    """Return the figures for which there is anything to draw."""
    chosen = _styles(summary)
    found = []
    if any(entry["breaking_point"] for entry in summary["contenders"].values()):
        found.append(
            Picture(
                key="breaking-points",
                title="The breaking point of each contender",
                caption="The highest offered rate that was answered, in time; the whisker is its 95 % interval. "
                "The hollow mark is the rate that was held for the whole of the third example.",
                alt="; ".join(verdict(summary)),
                **both(lambda layout: _draw_breaking_points(layout, summary, chosen)),
            )
        )
    for name in (*EXAMPLES, OPEN_LOOP):
        findings = {label: f for label, entry in summary["contenders"].items() if (f := _last(entry, name))}
        if findings:
            found.append(_course_picture(run, name, findings, chosen))
    if any(_last(entry, OPEN_LOOP) for entry in summary["contenders"].values()):
        found.append(_tail_picture(run, summary, chosen))
    return found


def table_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a row per Locust run."""
    rows = []
    for name, entry in summary["contenders"].items():
        for f in entry["examples"]:
            users = f.get("plan", {}).get("users", "")
            p99 = significant(f["p99_ms"]) if f["p99_ms"] else "n/a*"
            cells = (
                str(users),
                f"{f['n']:,}",
                f"{f['errors']:,}",
                significant(f["rps"]),
                significant(f["p50_ms"]),
                significant(f["p95_ms"]),
                p99,
                f"{f['late']}, {f['dropped']}",
                f"{f['generator_cpu']:.2f}",
            )
            rows.append({"name": name, "example": f["example"], "cells": cells, "stem": f["stem"], "invalid": False})
    return rows


def _styles(summary: Mapping[str, Any]) -> dict[str, Style]:
    return styles({name: Contender(title=entry["title"]) for name, entry in summary["contenders"].items()})


def _last(entry: Mapping[str, Any], example: str) -> dict[str, Any] | None:
    """Return the finding of an example; of several tries, the last."""
    found = [finding for finding in entry["examples"] if finding["example"] == example]
    return found[-1] if found else None


def _draw_breaking_points(layout: Layout, summary: Mapping[str, Any], chosen: Mapping[str, Style]) -> Sheet:
    points = {n: e["breaking_point"] for n, e in summary["contenders"].items() if e["breaking_point"]}
    row_px, left = 34.0, max((layout.text_px(name) for name in points), default=80) + 16
    sheet = Sheet("breaking-points", layout, row_px * len(points) + 60)
    axes = sheet.axes(left, 8, sheet.width - left - 90, row_px * len(points))
    axes.set_xlim(0, 1.08 * max((point["ci95"][1] for point in points.values()), default=1.0))
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xlabel("offered rate [requests/s]", fontsize=layout.font)
    faint_grid(axes, "x")
    for place, (name, point) in enumerate(points.items()):
        style = chosen[name]
        axes.plot(point["ci95"], [place, place], color=style.colour, linewidth=2)
        axes.plot([point["rps"]], [place], marker=style.marker, color=style.colour, markersize=9)
        if point["held_users"]:
            held = point["held_users"]
            axes.plot([held], [place], marker=style.marker, markersize=14, fillstyle="none", color=style.colour)
        y = 8 + row_px * (place + 0.5)
        sheet.text(left - 8, y, name, anchor="right")
        sheet.text(sheet.width - 84, y, ("" if point["broke"] else "> ") + f"{significant(point['rps'])} rps")
    return sheet


def _course_picture(run: Run, name: str, findings: Mapping[str, Any], chosen: Mapping[str, Style]) -> Picture:
    courses = {label: _course(run, finding) for label, finding in findings.items()}
    plans = {label: finding.get("plan") for label, finding in findings.items()}
    peaks = ", ".join(f"{label} {significant(float(np.nanmax(c.rps)))} requests/s" for label, c in courses.items())
    return Picture(
        key=name,
        title=_TITLES[name],
        caption="Checked answers per second, median and 95th percentile of the latency over the time since the start; "
        "behind the rate, dotted, what the users offered. Crosses are failed requests per second.",
        alt=f"Lines over time; highest rates: {peaks}.",
        **both(lambda layout: _draw_courses(name, layout, courses, plans, chosen)),
    )


def _course(run: Run, finding: Mapping[str, Any]) -> Course:
    frame = read_samples(run.path / "samples" / f"0-{finding['stem']}.csv")
    t_s = ((frame["end_ns"] - finding["start_ns"]) / 1e9).to_numpy(dtype=float)
    end_s = float((finding.get("plan") or {}).get("duration_s") or t_s.max())
    edges = np.linspace(0, end_s, _BINS + 1)
    width_s = end_s / _BINS
    index = np.digitize(t_s, edges) - 1
    ok, latency = frame["ok"].to_numpy(dtype=bool), frame["response_ms"].to_numpy(dtype=float)
    groups = [latency[(index == i) & ok] for i in range(_BINS)]
    failed = np.array([np.sum((index == i) & ~ok) for i in range(_BINS)]) / width_s
    p50, p95 = (np.array([np.percentile(g, q) if len(g) else np.nan for g in groups]) for q in (50, 95))
    return Course(edges[:-1] + width_s / 2, np.array([len(g) for g in groups]) / width_s, p50, p95, failed)


def _draw_courses(
    key: str,
    layout: Layout,
    courses: Mapping[str, Course],
    plans: Mapping[str, Any],
    chosen: Mapping[str, Style],
) -> Sheet:
    legend_rows = _legend_rows(layout, list(courses))
    head = 22.0 * len(legend_rows) + 6
    sheet = Sheet(key, layout, head + 3 * (_PANEL_PX + 26) + 34)
    _draw_legend(sheet, legend_rows, chosen)
    panels: list[tuple[str, Callable[[Course], np.ndarray], bool]] = [
        ("rate [requests/s]", lambda course: course.rps, False),
        ("p50 [ms, log scale]", lambda course: course.p50_ms, True),
        ("p95 [ms, log scale]", lambda course: course.p95_ms, True),
    ]
    for place, (title, value, is_log) in enumerate(panels):
        top = head + place * (_PANEL_PX + 26)
        sheet.text(2, top + 10, title, bold=True)
        axes = sheet.axes(54, top + 22, sheet.width - 66, _PANEL_PX - 22)
        if is_log:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda v, _: significant(v))
            axes.yaxis.set_minor_formatter(lambda *_: "")
        for label, course in courses.items():
            style = chosen[label]
            axes.plot(course.t_s, value(course), color=style.colour, linewidth=1.8, dashes=style.dash or (None, None))
        if not is_log:
            _draw_offers(axes, courses, plans, chosen)
        axes.set_xlim(0, max(float(course.t_s[-1]) for course in courses.values()) * 1.01)
        faint_grid(axes, "y")
        if place == len(panels) - 1:
            axes.set_xlabel("time since the start [s]", fontsize=layout.font)
    return sheet


def _draw_offers(
    axes: Axes, courses: Mapping[str, Course], plans: Mapping[str, Any], chosen: Mapping[str, Style]
) -> None:
    """Draw what the users offered behind the rate, and failed requests as crosses."""
    for label, course in courses.items():
        if plans[label]:
            example = Example(**plans[label])
            offered = [example.users_at(t_s) for t_s in course.t_s]
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


def _draw_legend(sheet: Sheet, rows: list[list[str]], chosen: Mapping[str, Style]) -> None:
    for place, row in enumerate(rows):
        x = 4.0
        for name in row:
            sheet.line([(x, 12 + 22 * place), (x + 20, 12 + 22 * place)], chosen[name].colour, width=3)
            sheet.text(x + 26, 12 + 22 * place, name)
            x += sheet.layout.text_px(name) + 44


def _tail_picture(run: Run, summary: Mapping[str, Any], chosen: Mapping[str, Style]) -> Picture:
    tails: dict[str, dict[str, np.ndarray]] = {}
    for label, entry in summary["contenders"].items():
        for name in (OPEN_LOOP, CLOSED_AT_RATE):
            finding = _last(entry, name)
            if finding:
                frame = read_samples(run.path / "samples" / f"0-{finding['stem']}.csv")
                tails.setdefault(label, {})[name] = _sorted_ms(frame)
    return Picture(
        key="tails",
        title="What a closed loop hides",
        caption="Share of requests that took longer than a time, both axes on log scale: solid for requests that come "
        "at their own times (latency from the scheduled time), dotted for paced users at the same rate.",
        alt="Tail distributions of each contender in an open and in a closed loop at the same rate.",
        **both(lambda layout: _draw_tails(layout, tails, chosen)),
    )


def _sorted_ms(frame: pd.DataFrame) -> np.ndarray:
    return np.sort(frame.loc[frame["ok"], "response_ms"].to_numpy(dtype=float))


def _draw_tails(layout: Layout, tails: Mapping[str, Mapping[str, np.ndarray]], chosen: Mapping[str, Style]) -> Sheet:
    legend_rows = _legend_rows(layout, list(tails))
    head = 22.0 * len(legend_rows) + 6
    sheet = Sheet("tails", layout, head + 330)
    _draw_legend(sheet, legend_rows, chosen)
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
    axes.xaxis.set_major_formatter(lambda v, _: significant(v))
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.set_xlabel("latency [ms, log scale]", fontsize=layout.font)
    axes.grid(color=GRID, linewidth=0.8)
    return sheet
