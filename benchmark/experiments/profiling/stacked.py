"""Horizontal bars of several colours, one bar per contender, in a panel of a sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from benchmark.report.charts.chart import Box, Layout, Sheet, faint_grid, shorten
from benchmark.report.charts.palette import INK, MUTED, PAPER

_ROW_PX: Final = 46.0
_BAR_PX: Final = 18.0
_KEY_LINE_PX: Final = 22.0
_TITLE_PX: Final = 28.0
_AXIS_PX: Final = 48.0
_HATCHED: Final[dict[str, Any]] = {"facecolor": PAPER, "edgecolor": MUTED, "hatch": "////", "linewidth": 0.7}


@dataclass(frozen=True)
class Bar:
    """A contender's bar: lengths by part, in the order of the key, in the unit of the axis."""

    name: str
    label: str
    parts: Mapping[str, float]
    mark: float | None = None  # a line across the bar: what the parts should add up to
    invalid: bool = False


@dataclass(frozen=True)
class Panel:
    """Bars that share an axis; `colours` has the parts in their order, None for a hatched one."""

    title: str
    unit: str
    bars: Sequence[Bar]
    colours: Mapping[str, str | None]
    mark: str = ""  # what the line across a bar is

    @property
    def entries(self) -> list[str]:
        """The parts that occur, for the key."""
        found = {part for bar in self.bars for part, length in bar.parts.items() if length > 0}
        return [part for part in self.colours if part in found] + ([self.mark] if self.mark else [])


def panel_px(panel: Panel, layout: Layout, width: float) -> float:
    """Return the height of a panel in a column of this width."""
    key_px = _KEY_LINE_PX * len(_wrap(panel.entries, layout, width))
    return _TITLE_PX + key_px + 10 + _ROW_PX * len(panel.bars) + _AXIS_PX


def draw_panel(sheet: Sheet, box: Box, panel: Panel) -> None:
    """Draw title, key and bars; name and number stand above each bar, so that phones have room for the bar."""
    sheet.text(box.left + 2, box.top + _TITLE_PX / 2, panel.title, bold=True)
    lines = _wrap(panel.entries, sheet.layout, box.width)
    _draw_key(sheet, box.left, box.top + _TITLE_PX, lines, panel)
    top = box.top + _TITLE_PX + _KEY_LINE_PX * len(lines) + 10
    axes = sheet.axes(box.left + 6, top, box.width - 14, _ROW_PX * len(panel.bars))
    limit = max((max(_length(bar), bar.mark or 0.0) for bar in panel.bars), default=0.0) * 1.02 or 1.0
    axes.set_xlim(0, limit)
    axes.set_ylim(_ROW_PX * len(panel.bars), 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(panel.unit, fontsize=sheet.layout.font)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    faint_grid(axes, "x")
    for i, bar in enumerate(panel.bars):
        middle = _ROW_PX * (i + 1) - _BAR_PX / 2 - 5
        _draw_bar(axes, middle, bar, panel.colours)
        room = box.width - sheet.layout.text_px(bar.label) - 26
        shown = shorten(bar.name, sheet.layout, room)
        sheet.text(box.left + 6, top + middle - 20, shown, bold=True, struck=bar.invalid)
        sheet.text(box.right - 8, top + middle - 20, bar.label, anchor="right", struck=bar.invalid)


def _length(bar: Bar) -> float:
    return sum(length for length in bar.parts.values() if length > 0)


def _draw_bar(axes: Axes, middle: float, bar: Bar, colours: Mapping[str, str | None]) -> None:
    start = 0.0
    axes.barh(middle, _length(bar), _BAR_PX, color=PAPER)  # hides the grid
    for part, colour in colours.items():
        length = bar.parts.get(part, 0.0)
        if length <= 0:
            continue
        if colour is None:
            axes.barh(middle, length, _BAR_PX, left=start, **_HATCHED)
        else:
            # An edge of paper keeps neighbours apart for those who see no difference of colour.
            axes.barh(middle, length, _BAR_PX, left=start, facecolor=colour, edgecolor=PAPER, linewidth=0.6)
        start += length
    if bar.mark is not None:
        axes.plot([bar.mark] * 2, [middle - _BAR_PX * 0.72, middle + _BAR_PX * 0.62], color=INK, linewidth=2)


def _draw_key(sheet: Sheet, left: float, top: float, lines: Sequence[Sequence[str]], panel: Panel) -> None:
    for i, line in enumerate(lines):
        x, y = left + 6, top + _KEY_LINE_PX * (i + 0.5)
        for entry in line:
            colour = panel.colours.get(entry)
            if entry == panel.mark:
                sheet.line([(x + 8, y - 7), (x + 8, y + 7)], INK, 2)
            elif colour is None:
                sheet.box(x, y - 6, 16, 12, **_HATCHED)
            else:
                sheet.box(x, y - 6, 16, 12, facecolor=colour, linewidth=0)
            sheet.text(x + 22, y, entry, colour=MUTED)
            x += _entry_px(entry, sheet.layout)


def _entry_px(entry: str, layout: Layout) -> float:
    return layout.text_px(entry) + 38


def _wrap(entries: Sequence[str], layout: Layout, width: float) -> list[list[str]]:
    """Break the key into lines that fit the width."""
    lines: list[list[str]] = [[]]
    used = 6.0
    for entry in entries:
        needed = _entry_px(entry, layout)
        if lines[-1] and used + needed > width + 14:  # the last entry needs no gap after it
            lines.append([])
            used = 6.0
        lines[-1].append(entry)
        used += needed
    return lines
