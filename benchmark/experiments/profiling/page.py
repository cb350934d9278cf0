"""The page of a run: the figure, its tables, what the profilers cost, and the profiles to open."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmark.analysis.reasons import Reason, of_contenders
from benchmark.analysis.schema import RunData
from benchmark.analysis.wording import MISSING, at_users, listing, minute_utc, significant
from benchmark.experiments.profiling.export import OPENED_WITH
from benchmark.experiments.profiling.libraries import (
    FRAMEWORK,
    HTTP_CLIENT,
    INTERPRETER,
    KINDS,
    OTHER,
    OWN,
    REDIS_CLIENT,
    SERVER,
    VALIDATION,
    kind_of,
)
from benchmark.experiments.profiling.stacked import Bar, Panel, draw_panel, panel_px
from benchmark.experiments.profiling.summarise import AROUND, RUNNING, WAITING_MODELS, WAITING_REDIS
from benchmark.report.charts.chart import Box, Layout, Sheet
from benchmark.report.charts.palette import HARNESS, INK, MUTED
from benchmark.report.charts.picture import Picture, both, headline_files, struck_note
from benchmark.report.page import machine_line, templates, write_page

_FOLDER: Final = Path(__file__).parent
NOT_ATTRIBUTED: Final = "not attributed"
_COUNTED: Final = "counted by the operating system"
_GAP_PX: Final = 24.0

# Okabe & Ito, Color Universal Design (2008), as in benchmark.report.charts.palette, by purpose; yellow, which
# is unreadable as a line, serves as a surface.
_KIND_COLOURS: Final[Mapping[str, str | None]] = {
    HTTP_CLIENT: "#d55e00",
    FRAMEWORK: "#0072b2",
    SERVER: "#56b4e9",
    REDIS_CLIENT: "#cc79a7",
    VALIDATION: "#f0e442",
    OWN: "#009e73",
    INTERPRETER: "#e69f00",
    OTHER: MUTED,
    NOT_ATTRIBUTED: None,
}
_WAIT_COLOURS: Final[Mapping[str, str | None]] = {
    WAITING_MODELS: HARNESS,
    WAITING_REDIS: "#cc79a7",
    RUNNING: INK,
    AROUND: None,
}

Entries = Mapping[str, Mapping[str, Any]]


def write_report(run: RunData) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    return write_page(run.path, page(run), headline(run.summary))


def headline(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return the headline figure as SVG files by name, for a desk and for a phone; none without a figure."""
    panels = _panels(_condemned(summary), summary["users"])
    return headline_files(lambda layout: _draw("profile-headline", layout, panels)) if panels else {}


def page(run: RunData) -> str:
    """Return the page, the same bytes for the same record."""
    summary, manifest = run.summary, run.manifest
    entries = _condemned(summary)
    found = sentences(entries, summary["users"])
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            summary=summary,
            date=minute_utc(summary["started_utc"]),
            machine=machine_line(manifest["environment"]),
            manifest=manifest,
            plan=manifest["plan"],
            reasons=list(map(Reason.model_validate, of_contenders(summary))),
            findings=[(sentence, stands(entries[name], "cpu_reasons")) for name, sentence in found.items()],
            picture=figure(entries, summary["users"]) if _panels(entries, summary["users"]) else None,
            library_rows=library_rows(entries),
            labels=list(entries),
            cost_rows=cost_rows(entries),
            profiles=_profiles(entries),
        )
    )


def _condemned(summary: Mapping[str, Any]) -> Entries:
    """Return the contenders; none is VALID in a run that is INVALID as a whole.

    An interruption leaves fewer figures, not wrong ones.
    """
    entries: Entries = summary["contenders"]
    reasons = map(Reason.model_validate, of_contenders(summary))
    faults = [reason for reason in reasons if not reason.contender and reason.code != "interrupted"]
    if not faults:
        return entries
    return {name: {**entry, "valid": False, "faults": faults} for name, entry in entries.items()}


def stands(entry: Mapping[str, Any], part: str) -> bool:
    """Whether a part of a contender's figures is VALID: `cpu_reasons` or `wall_reasons`.

    A record that does not say which part is INVALID leaves none VALID.
    """
    if entry["valid"] or "faults" not in entry:
        return bool(entry["valid"])
    return not entry["faults"] and not entry[part]


def figure(entries: Entries, users: int) -> Picture:
    """Return the figure: CPU by library, and beside it the wall clock of one request."""
    panels = _panels(entries, users)
    return Picture(
        key="profile",
        title="Where the time of one request goes",
        caption=(
            f"Left (above, on a phone): CPU time of the scoring handler per request at {at_users(users)}, by what "
            "used it; the line across each bar is what the operating system counted for the same process. Right "
            "(below): the mean latency of one request at one user. Waiting costs no CPU; “running” is the scoring "
            "handler's CPU; “on the way” is the rest: sockets, wake-ups and the client."
            + struck_note(any(bar.invalid for panel in panels for bar in panel.bars), hollow=False)
        ),
        alt="Stacked bars. " + " ".join(sentences(entries, users).values()),
        **both(lambda layout: _draw("profile", layout, panels)),
    )


def _panels(entries: Entries, users: int) -> list[Panel]:
    return [panel for panel in (cpu_panel(entries, users), wall_panel(entries)) if panel.bars]


def cpu_panel(entries: Entries, users: int) -> Panel:
    """Return CPU per request by kind of library, a bar for each contender that has one."""
    bars = [
        Bar(
            name,
            f"{significant(entry['cpu_ms_counted'])} ms",
            {**entry["cpu_by_kind"], NOT_ATTRIBUTED: entry["cpu_not_attributed"]},
            entry["cpu_ms_counted"],
            not stands(entry, "cpu_reasons"),
        )
        for name, entry in entries.items()
        if entry["cpu_ms_counted"]
    ]
    return Panel(f"CPU per request, {at_users(users)}", "CPU [ms]", bars, _KIND_COLOURS, _COUNTED)


def wall_panel(entries: Entries) -> Panel:
    """Return the latency of one request, split by what it waits for."""
    bars = [
        Bar(
            name,
            f"{significant(sum(entry['wall_split_ms'].values()))} ms",
            entry["wall_split_ms"],
            invalid=not stands(entry, "wall_reasons"),
        )
        for name, entry in entries.items()
        if entry["wall_split_ms"]
    ]
    return Panel("One request, by the clock on the wall", "mean latency [ms]", bars, _WAIT_COLOURS)


def sentences(entries: Entries, users: int) -> dict[str, str]:
    """Return the finding of each contender in a sentence, by contender."""
    said = {}
    for name, entry in entries.items():
        if not entry["cpu_ms_counted"]:
            continue
        kinds, counted = entry["cpu_by_kind"], entry["cpu_ms_counted"]
        largest = max(kinds, key=lambda kind: kinds[kind])
        libraries = listing([lib for lib in entry["cpu_by_library"] if kind_of(lib) == largest])
        rest = entry["cpu_not_attributed"] / counted
        said[name] = (
            f"{name}: {significant(counted)} ms of CPU per request at {at_users(users)}; the largest share, "
            f"{significant(kinds[largest])} ms or {kinds[largest] / counted:.0%}, is the {largest} ({libraries}). "
            f"Not attributed: {_signed(rest, 1)}."
        )
    return said


def library_rows(entries: Entries) -> list[tuple[str, str, list[str]]]:
    """Return library, kind and each contender's ms per request with its share, by kind and size."""
    largest: dict[str, float] = {}
    for entry in entries.values():
        for library, ms in entry["cpu_by_library"].items():
            largest[library] = max(ms, largest.get(library, 0.0))
    order = sorted(largest, key=lambda library: (KINDS.index(kind_of(library)), -largest[library]))
    rows = [
        (library, kind_of(library), [_share(e["cpu_by_library"].get(library), e) for e in entries.values()])
        for library in order
    ]
    rows.append((NOT_ATTRIBUTED, "", [_share(e["cpu_not_attributed"], e) for e in entries.values()]))
    rows.append(("counted", "by the operating system", [_share(e["cpu_ms_counted"], e) for e in entries.values()]))
    return rows


def cost_rows(entries: Entries) -> list[tuple[str, list[str]]]:
    """Return what each profiler cost: contender, then profiler, side, users, calls, latency and CPU."""
    return [
        (
            name,
            [
                cost["profiler"],
                cost["side"],
                str(cost["users"]),
                f"{cost['n']:,}",
                significant(cost["p50_ms_without"]),
                significant(cost["p50_ms_with"]),
                _ratio(cost["p50_ms_without"], cost["p50_ms_with"]),
                significant(cost["cpu_ms_without"]),
                significant(cost["cpu_ms_with"]),
                _ratio(cost["cpu_ms_without"], cost["cpu_ms_with"]),
            ],
        )
        for name, entry in entries.items()
        for cost in entry["profiler_cost"]
    ]


def _draw(key: str, layout: Layout, panels: Sequence[Panel]) -> Sheet:
    """Draw the panels side by side, or below each other on a phone."""
    width = float(layout.width) if layout.is_narrow else (layout.width - _GAP_PX * (len(panels) - 1)) / len(panels)
    heights = [panel_px(panel, layout, width) for panel in panels]
    sheet = Sheet(key, layout, sum(heights) + 16 * len(panels) if layout.is_narrow else max(heights))
    left = top = 0.0
    for panel, height in zip(panels, heights, strict=True):
        # Side by side, the axes stand on one line: what a shorter key leaves over is above it.
        lower = 0.0 if layout.is_narrow else max(heights) - height
        draw_panel(sheet, Box(left, top + lower, width, height), panel)
        left, top = (left, top + height + 16) if layout.is_narrow else (left + width + _GAP_PX, top)
    return sheet


def _share(ms: float | None, entry: Mapping[str, Any]) -> str:
    if ms is None or not entry["cpu_ms_counted"]:
        return MISSING
    return f"{ms:.2f} ({ms / entry['cpu_ms_counted']:.0%})".replace("-", "−")


def _ratio(without: float | None, with_it: float | None) -> str:
    return _signed(with_it / without - 1, 0) if without and with_it else MISSING


def _signed(share: float, digits: int) -> str:
    return f"{share:+.{digits}%}".replace("-", "−")


def _profiles(entries: Entries) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Return contenders with the links to their profiles: address, name, what opens it."""
    return [
        (name, [(f"profiles/{name}/{file}", file, _opened_with(file)) for file in entry["profiles"]])
        for name, entry in entries.items()
        if entry["profiles"]
    ]


def _opened_with(file: str) -> str:
    return next(what for suffix, what in OPENED_WITH.items() if file.endswith(suffix))
