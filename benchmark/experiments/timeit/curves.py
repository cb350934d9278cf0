"""Lines over the number of calls, with the range of the repeats as a band, each named where it ends."""

from dataclasses import dataclass
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from benchmark.analysis.wording import fine_ms, significant
from benchmark.experiments.timeit.schema import TimeitData
from benchmark.report.charts.bars import floors
from benchmark.report.charts.chart import Box, Sheet, faint_grid, shorten, spread
from benchmark.report.charts.palette import INK, MUTED, PAPER, Style, styles

_LINE_GAP_PX: Final = 17.0
_BAND_ALPHA: Final = 0.2
_TICKS_PX: Final = 48.0


@dataclass(frozen=True)
class Quantity:
    """What is drawn over the number of calls, from a frame with columns n, mean, low, high in seconds."""

    title: str
    per_call: bool  # in ms, over a logarithmic axis; else seconds for all n calls

    def of(self, frame: pd.DataFrame, column: str) -> list[float]:
        values = frame[column] / frame["n"] * 1e3 if self.per_call else frame[column]
        return [float(value) for value in values]


TIME: Final = Quantity("Time of n calls [s]", per_call=False)
PER_CALL: Final = Quantity("Time per call [ms]", per_call=True)


def draw_panel(sheet: Sheet, box: Box, data: TimeitData, quantity: Quantity) -> None:
    """Draw one quantity of every contender over the number of calls."""
    layout = sheet.layout
    sheet.text(box.left + 2, box.top + 10, quantity.title, bold=True)
    widest = max((layout.text_px(line) for name in data.series for line in _words(data, name)), default=0.0)
    names_px = 28 + min(widest, 0.4 * box.width)
    axes = sheet.axes(box.left + _TICKS_PX, box.top + 28, box.width - _TICKS_PX - names_px, box.height - 28 - 48)
    _set_axes(axes, data, quantity, layout.font)
    chosen = styles(data.common.contenders)
    for name, frame in data.series.items():
        _draw_line(axes, frame, quantity, chosen[name], data.contender(name).valid)
    if quantity.per_call:
        for floor_ms in _floors_ms(data):
            axes.axhline(floor_ms, color=MUTED, linewidth=1.2, linestyle=(0, (1, 2)))
    _name_lines(sheet, axes, data, quantity, Box(box.right - names_px, box.top, names_px, box.height))


def _floors_ms(data: TimeitData) -> list[float]:
    """Return the floors of the contenders that are drawn."""
    return floors({name: data.contender(name) for name in data.series})


def _words(data: TimeitData, name: str) -> list[str]:
    """Return what stands beside a line: its name, and what a call costs."""
    ms = data.timeit[name].ms_per_call
    return [name] if ms is None else [name, f"{fine_ms(ms)} ms per call"]


def _set_axes(axes: Axes, data: TimeitData, quantity: Quantity, font: float) -> None:
    every = data.series.values()
    most = max(max(frame["n"]) for frame in every)
    high = max(max(quantity.of(frame, "high")) for frame in every)
    low = min(min(quantity.of(frame, "low")) for frame in every)
    if quantity.per_call:
        fewest = min(min(frame["n"]) for frame in every)
        axes.set_xscale("log", base=2)
        axes.set_xlim(fewest / 1.1, most * 1.1)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(min([low, *_floors_ms(data)]) * 0.9, high * 1.04)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
        axes.set_xlim(0, most * 1.02)
        axes.set_ylim(0, high * 1.04)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.set_xlabel(f"calls in a row, n{' [log scale]' if quantity.per_call else ''}", fontsize=font)
    faint_grid(axes, "y")


def _draw_line(axes: Axes, frame: pd.DataFrame, quantity: Quantity, style: Style, valid: bool) -> None:
    """Draw a line with its band; an INVALID one is faded and its points are hollow."""
    n = [int(each) for each in frame["n"]]
    axes.fill_between(
        n, quantity.of(frame, "low"), quantity.of(frame, "high"), color=style.colour, alpha=_BAND_ALPHA, linewidth=0
    )
    axes.plot(
        n, quantity.of(frame, "mean"), color=style.colour, linestyle=(0, style.dash) if style.dash else "solid",
        linewidth=1.8, alpha=1.0 if valid else 0.5, marker=style.marker, markersize=5,
        markevery=max(len(n) // 10, 1), markerfacecolor=style.colour if valid else PAPER,
    )  # fmt: skip


def _name_lines(sheet: Sheet, axes: Axes, data: TimeitData, quantity: Quantity, names: Box) -> None:
    """Write each contender's name to the right of where its line ends, and the floors, moved apart where they touch."""
    ends: list[tuple[list[str], float, float, str, bool]] = []
    for name, frame in data.series.items():
        x, y = axes.transData.transform((int(frame["n"].iloc[-1]), quantity.of(frame, "mean")[-1]))
        colour = styles(data.common.contenders)[name].colour
        lines = _words(data, name)
        ends.append((lines, float(x), sheet.height - float(y), colour, data.contender(name).valid))
    if quantity.per_call:
        for floor_ms in _floors_ms(data):
            x, y = axes.transData.transform((axes.get_xlim()[1], floor_ms))
            ends.append(([f"floor {significant(floor_ms)} ms"], float(x), sheet.height - float(y), MUTED, True))
    window = axes.get_window_extent()
    places = _apart([(len(lines), y) for lines, _, y, _, _ in ends], sheet.height - window.y1, sheet.height - window.y0)
    for (lines, x, y, colour, valid), place in zip(ends, places, strict=True):
        sheet.line([(x + 5, y), (names.left + 12, place), (names.left + 20, place)], colour, dotted=colour == MUTED)
        for i, line in enumerate(lines):
            words = shorten(line, sheet.layout, names.width - 24)
            ink = INK if i == 0 and colour != MUTED else MUTED
            sheet.text(names.left + 24, place + i * _LINE_GAP_PX, words, colour=ink, struck=not valid)


def _apart(blocks: list[tuple[int, float]], top: float, bottom: float) -> list[float]:
    """Return where blocks of so many lines begin, as near to where they want to be as fits without touching."""
    # spread() keeps one gap between all, so every block is given the place of the tallest.
    tallest = max((lines for lines, _ in blocks), default=1)
    return spread([y for _, y in blocks], _LINE_GAP_PX * tallest + 4, top + 8, bottom - _LINE_GAP_PX * (tallest - 1))
