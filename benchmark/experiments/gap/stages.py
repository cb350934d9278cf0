"""The anatomy of a request as stacked bars: side by side for the contenders, and over users for each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from benchmark.analysis.wording import at_users
from benchmark.experiments.gap.anatomy import CLIENT, MODELS, OVERHEAD, PERCENTILES, QUEUE, SLEEP, STAGES
from benchmark.experiments.gap.phrases import plain
from benchmark.experiments.gap.schema import Explained, Stages
from benchmark.report.charts.chart import Box, Layout, Sheet, faint_grid, shorten
from benchmark.report.charts.palette import HARNESS, INK, MUTED, PAPER

TITLES: Final = {
    CLIENT: "client and network",
    QUEUE: "queued before the handler",
    "parse": "parse",
    "features": "features",
    SLEEP: "models: drawn sleep",
    OVERHEAD: "models: all around it",
    MODELS: "models",
    "respond": "respond",
}
# Okabe & Ito (2008); the sleep, which nobody can serve away, is grey.
COLOURS: Final = {
    CLIENT: "#e69f00",
    QUEUE: "#d55e00",
    "parse": "#cc79a7",
    "features": "#009e73",
    SLEEP: HARNESS,
    OVERHEAD: "#0072b2",
    MODELS: HARNESS,
    "respond": "#56b4e9",
}
_BAR_PX: Final = 18.0
_PITCH_PX: Final = 27.0
_GAP_PX: Final = 10.0  # between two contenders
_KEY_PX: Final = 22.0
_PANEL_PX: Final = 230.0


@dataclass(frozen=True)
class Bar:
    """One bar: whose, at which percentile, its stages in the order of drawing, in ms."""

    name: str
    percentile: int
    row: Stages | None  # None where there were not enough samples

    @property
    def words(self) -> str:
        return f"{plain(self.row.client_ms)} ms" if self.row else "n/a*"

    @property
    def pieces(self) -> list[tuple[str, float]]:
        return pieces(self.row) if self.row else []


def pieces(row: Stages) -> list[tuple[str, float]]:
    """Return a row's stages in reading order; what is below zero has no length."""
    ordered = sorted(row.stages_ms, key=lambda name: STAGES.index(name) if name in STAGES else len(STAGES))
    return [(name, max(row.stages_ms[name], 0.0)) for name in ordered]


def bars_at(data: Explained, users: int) -> list[Bar]:
    """Return the bars of every contender at a number of users."""
    found = {(name, row.percentile): row for name, rows in data.anatomy.items() for row in rows if row.users == users}
    names = [name for name in data.contenders if any((name, percent) in found for percent in PERCENTILES)]
    return [Bar(name, percent, found.get((name, percent))) for name in names for percent in PERCENTILES]


def draw_anatomy(layout: Layout, data: Explained, levels: Sequence[int]) -> Sheet:
    """Draw a panel for each level below each other, under a common key."""
    panels = {users: bars_at(data, users) for users in levels}
    used = _used(row for bars in panels.values() for bar in bars if (row := bar.row))
    top = _KEY_PX * len(_key_lines(used, layout)) + 12
    heights = [_panel_px(bars, layout) for bars in panels.values()]
    sheet = Sheet("anatomy", layout, top + sum(heights))
    _draw_key(sheet, used)
    for (users, bars), height in zip(panels.items(), heights, strict=True):
        _draw_panel(sheet, Box(0, top, sheet.width, height), f"At {at_users(users)}", bars)
        top += height
    return sheet


def draw_growth(layout: Layout, data: Explained, percentile: int = 50) -> Sheet:
    """Draw for each contender its stages over the users, with an axis of its own."""
    panels = {
        name: sorted((row for row in data.anatomy[name] if row.percentile == percentile), key=lambda row: row.users)
        for name in data.contenders
        if name in data.anatomy
    }
    columns = 1 if layout.is_narrow else 2
    used = _used(row for rows in panels.values() for row in rows)
    top = _KEY_PX * len(_key_lines(used, layout)) + 12
    sheet = Sheet("growth", layout, top + _PANEL_PX * ceil(len(panels) / columns))
    _draw_key(sheet, used)
    width = sheet.width / columns
    for i, (name, rows) in enumerate(panels.items()):
        box = Box(i % columns * width, top + i // columns * _PANEL_PX, width, _PANEL_PX)
        _draw_over_users(sheet, box, name, rows)
    return sheet


def in_words(bars: Iterable[Bar]) -> str:
    """Return bars in words, for those who do not see them."""
    return "; ".join(
        f"{bar.name} p{bar.percentile} {bar.words}"
        + (f" ({', '.join(f'{TITLES.get(stage, stage)} {plain(ms)}' for stage, ms in bar.pieces)})" if bar.row else "")
        for bar in bars
    )


def _panel_px(bars: Sequence[Bar], layout: Layout) -> float:
    names = len({bar.name for bar in bars})
    heads = _KEY_PX if layout.is_narrow else _GAP_PX
    return 26 + _PITCH_PX * len(bars) + heads * names + 54


def _draw_panel(sheet: Sheet, box: Box, title: str, bars: Sequence[Bar]) -> None:
    layout, above = sheet.layout, sheet.layout.is_narrow
    sheet.text(box.left + 2, box.top + 10, title, bold=True)
    widest = max((layout.text_px(bar.name) for bar in bars), default=0.0)
    names = layout.text_px("p99") + 14 + (0 if above else min(widest, 0.25 * box.width) + 10)
    room = 12 + max((layout.text_px(bar.words) for bar in bars), default=0.0)
    height = box.height - 80
    axes = sheet.axes(box.left + names, box.top + 26, box.width - names - room, height)
    axes.set_xlim(0, max((bar.row.client_ms for bar in bars if bar.row), default=1.0) * 1.02)
    axes.set_ylim(height, 0)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.set_xlabel("latency [ms]", fontsize=layout.font)
    faint_grid(axes, "x")
    y, before = 0.0, ""
    for bar in bars:
        invalid = bool(bar.row and bar.row.reasons)
        if bar.name != before:
            y += _KEY_PX if above else _GAP_PX if before else _GAP_PX / 2
            x, side = (box.left + 2, "left") if above else (box.left + names - layout.text_px("p99") - 20, "right")
            place = box.top + 26 + y + (-8 if above else _PITCH_PX)
            sheet.text(x, place, shorten(bar.name, layout, box.width if above else x), bold=True, anchor=side)
            before = bar.name
        middle = y + _PITCH_PX / 2
        _draw_bar(axes, bar, middle, invalid)
        sheet.text(box.left + names - 8, box.top + 26 + middle, f"p{bar.percentile}", colour=MUTED, anchor="right")
        end = float(axes.transData.transform((bar.row.client_ms if bar.row else 0.0, 0))[0])
        sheet.text(end + 8, box.top + 26 + middle, bar.words, struck=invalid)
        y += _PITCH_PX


def _draw_bar(axes: Axes, bar: Bar, middle: float, invalid: bool) -> None:
    start = 0.0
    for stage, ms in bar.pieces:
        colour = COLOURS.get(stage, INK)
        face = PAPER if invalid else colour
        axes.barh(middle, ms, _BAR_PX, left=start, facecolor=face, edgecolor=colour, linewidth=1.2 if invalid else 0)
        start += ms


def _draw_over_users(sheet: Sheet, box: Box, name: str, rows: Sequence[Stages]) -> None:
    layout = sheet.layout
    sheet.text(box.left + 2, box.top + 10, f"{name} [ms]", bold=True)
    axes = sheet.axes(box.left + 48, box.top + 26, box.width - 64, box.height - 84)
    axes.set_xlim(-0.6, max(len(rows), 1) - 0.4)
    axes.set_ylim(0, max((row.client_ms for row in rows), default=1.0) * 1.05)
    axes.set_xticks(range(len(rows)), [str(row.users) for row in rows])
    axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.set_xlabel("users at the same time", fontsize=layout.font)
    faint_grid(axes, "y")
    for place, row in enumerate(rows):
        base = 0.0
        for stage, ms in pieces(row):
            colour = COLOURS.get(stage, INK)
            face, line = (PAPER, 1.2) if row.reasons else (colour, 0.0)
            axes.bar(place, ms, 0.72, bottom=base, facecolor=face, edgecolor=colour, linewidth=line)
            base += ms


def _used(rows: Iterable[Stages]) -> list[str]:
    names = {name for row in rows for name in row.stages_ms}
    return [name for name in STAGES if name in names]


def _draw_key(sheet: Sheet, used: Sequence[str]) -> None:
    for i, line in enumerate(_key_lines(used, sheet.layout)):
        x, y = 2.0, _KEY_PX * (i + 0.5)
        for name in line:
            sheet.box(x, y - 6, 16, 12, facecolor=COLOURS[name], linewidth=0)
            sheet.text(x + 21, y, TITLES[name], colour=MUTED)
            x += _entry_px(name, sheet.layout)


def _key_lines(used: Sequence[str], layout: Layout) -> list[list[str]]:
    """Break the key into lines that fit the sheet."""
    lines: list[list[str]] = [[]]
    for name in used:
        if lines[-1] and sum(_entry_px(each, layout) for each in [*lines[-1], name]) > layout.width + 16:
            lines.append([])
        lines[-1].append(name)
    return lines


def _entry_px(name: str, layout: Layout) -> float:
    return 37 + layout.text_px(TITLES[name])
