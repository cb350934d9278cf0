"""The figure of a run: what the CPU time of a request goes to, and what a request waits for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from matplotlib.artist import Artist

from benchmark.analysis.wording import at_users, significant
from benchmark.experiments.profiling.libraries import (
    FRAMEWORK,
    HTTP_CLIENT,
    INTERPRETER,
    OTHER,
    OWN,
    REDIS_CLIENT,
    SERVER,
    VALIDATION,
)
from benchmark.experiments.profiling.standing import Entries, stands
from benchmark.experiments.profiling.summarise import AROUND, RUNNING, WAITING_MODELS, WAITING_REDIS
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.bars import Bar, BarPart, across, bars, rows_px, swatch
from benchmark.report.charts.chart import Layout, Sheet, panel_key
from benchmark.report.charts.data import rows_csv
from benchmark.report.charts.palette import HARNESS, INK, MUTED
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

NOT_ATTRIBUTED: Final = "not attributed"
_COUNTED: Final = "counted by the operating system"

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


@dataclass(frozen=True)
class StackedPanel:
    """Bars that share an axis, and their key."""

    title: str
    unit: str
    bars: Sequence[Bar]
    key: Sequence[Artist]


def figure(entries: Entries, users: int) -> Picture:
    """Return CPU by library, and beside it the wall clock of one request."""
    drawn = panels(entries, users)
    return Picture(
        key="profile",
        title="CPU and waiting time of one request",
        caption=(
            f"CPU time of the scoring handler per request at {at_users(users)}, by what used it; the line across each "
            "bar is what the operating system counted for that process. Then the mean latency of one request at one "
            "user: waiting costs no CPU, “running” is the scoring handler's CPU, “on the way” is the rest: sockets, "
            "wake-ups and the client." + struck_note(any(bar.invalid for panel in drawn for bar in panel.bars))
        ),
        alt=alt_text("Stacked bars, CPU per request and latency of one request", _in_words(drawn)),
        element=on_page(lambda layout: _draw("profile", layout, drawn)),
        data=rows_csv("ms", [replace(bar, label=f"{bar.label}: {each.title}") for each in drawn for bar in each.bars]),
    )


def panels(entries: Entries, users: int) -> list[StackedPanel]:
    """Return the panels with anything in them."""
    return [panel for panel in (cpu_panel(entries, users), wall_panel(entries)) if panel.bars]


def _in_words(drawn: Sequence[StackedPanel]) -> list[str]:
    rows = [(panel.unit, bar) for panel in drawn for bar in panel.bars]
    return [f"{bar.label}{' (INVALID)' if bar.invalid else ''}, {unit}: {bar.words}" for unit, bar in rows]


def cpu_panel(entries: Entries, users: int) -> StackedPanel:
    """Return CPU per request by kind of library, a bar for each contender that has one."""
    found = [
        Bar(
            name,
            f"{significant(entry['cpu_ms_counted'])} ms",
            not stands(entry, "cpu_reasons"),
            parts=_parts({**entry["cpu_by_kind"], NOT_ATTRIBUTED: entry["cpu_not_attributed"]}, _KIND_COLOURS),
            across=entry["cpu_ms_counted"],
        )
        for name, entry in entries.items()
        if entry["cpu_ms_counted"]
    ]
    return StackedPanel(
        f"CPU per request, {at_users(users)}", "CPU [ms]", found, [*_key(found, _KIND_COLOURS), across(_COUNTED)]
    )


def wall_panel(entries: Entries) -> StackedPanel:
    """Return the latency of one request, split by what it waits for."""
    found = [
        Bar(
            name,
            f"{significant(sum(entry['wall_split_ms'].values()))} ms",
            not stands(entry, "wall_reasons"),
            parts=_parts(entry["wall_split_ms"], _WAIT_COLOURS),
        )
        for name, entry in entries.items()
        if entry["wall_split_ms"]
    ]
    return StackedPanel("Latency of one request", "mean latency [ms]", found, _key(found, _WAIT_COLOURS))


def _parts(lengths: Mapping[str, float], colours: Mapping[str, str | None]) -> list[BarPart]:
    """Return the parts of a bar in the order of the key; what is below zero has no length."""
    drawn = [(part, colour) for part, colour in colours.items() if lengths.get(part, 0) > 0]
    return [BarPart(lengths[part], colour, apart=True, name=part) for part, colour in drawn]


def _key(found: Sequence[Bar], colours: Mapping[str, str | None]) -> list[Artist]:
    """Return a key of the parts that occur."""
    used = {part.colour for bar in found for part in bar.parts}
    return [swatch(part, colour) for part, colour in colours.items() if colour in used]


def headline_of(drawn: Sequence[StackedPanel]) -> Draw | None:
    """Return what draws the panels; None without a panel."""
    return (lambda layout: _draw("profile-headline", layout, drawn)) if drawn else None


def _draw(key: str, layout: Layout, drawn: Sequence[StackedPanel]) -> Sheet:
    column_px = layout.width / (1 if layout.is_narrow else len(drawn))
    sheet = Sheet(key, layout, [rows_px(len(panel.bars), column_px) for panel in drawn], columns=len(drawn))
    for axes, panel in zip(sheet.panels, drawn, strict=True):
        bars(axes, panel.bars, panel.unit)
        panel_key(axes, panel.key, panel.title)
    return sheet
