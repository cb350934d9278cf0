"""Rows below each other, each with a name and words: bars of several parts, or points with an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmark.report.charts.axis import number_axis
from benchmark.report.charts.chart import Layout, Sheet, panel_px, shorten, strike, text_px, tip
from benchmark.report.charts.palette import INK, MUTED, PAPER, Style

_BAR_PX: Final = 18.0
_ABOVE_PX: Final = 20.0  # from the middle of a bar to that of the words above it
_INTERVAL_ROOM: Final = 1.4  # a whisker may stretch the axis by this, and is cut off beyond
WHISKER: Final[dict[str, Any]] = {"fmt": "none", "ecolor": INK, "elinewidth": 1.4, "zorder": 4}
_FAINT: Final = 0.42  # how dense the floor is painted

Interval = tuple[float, float]


@dataclass(frozen=True)
class BarPart:
    """A piece of a bar: its length in the unit of the axis, and how it is painted; hatched where it has no colour."""

    length: float
    colour: str | None = None
    density: float = 1.0
    apart: bool = False  # by an edge of paper, for those who see no difference of colour to the next one
    name: str = ""


@dataclass(frozen=True)
class ChartRow:
    """A name, and the words about it."""

    label: str
    words: str
    invalid: bool = False
    brief: str = ""  # the words where there is no room for all of them

    @property
    def reach(self) -> float:
        """Where the row's ink ends, on the axis."""
        return 0.0


@dataclass(frozen=True, kw_only=True)
class Bar(ChartRow):
    """A bar; `across` is where a line stands across it: what its parts should add up to."""

    parts: Sequence[BarPart] = ()
    interval: Interval | None = None
    across: float | None = None

    @property
    def length(self) -> float:
        return sum(part.length for part in self.parts)

    @property
    def reach(self) -> float:
        return max(self.length, self.across or 0.0, *(self.interval or ()))

    @property
    def values(self) -> Mapping[str, float]:
        """The lengths of the parts by name."""
        return {part.name or "value": part.length for part in self.parts}


@dataclass(frozen=True, kw_only=True)
class Point(ChartRow):
    """A point with its interval; `ring` and `tick` are marks of other figures on the same axis."""

    value: float
    style: Style
    interval: Interval | None = None
    ring: float | None = None
    tick: float | None = None

    @property
    def reach(self) -> float:
        return max(self.value, self.ring or 0.0, self.tick or 0.0, *(self.interval or ()))

    @property
    def values(self) -> Mapping[str, float]:
        return {"value": self.value}


def floor_parts(value: float, floor: float, colour: str) -> tuple[BarPart, BarPart]:
    """Return a value as its floor, faint, and what is on top of it."""
    floor = min(floor, value)
    return BarPart(floor, colour, _FAINT, name="floor"), BarPart(value - floor, colour, name="on top of the floor")


def rows_px(count: int, width_px: float) -> float:
    """Return how high so many rows are in a panel of this width: in a narrow one the words stand above the bars."""
    return count * (44.0 if _is_narrow(width_px) else 32.0)


def bars_sheet(key: str, layout: Layout, rows: Sequence[Bar], entries: Sequence[Artist], unit: str) -> Sheet:
    """Draw bars below their key."""
    sheet = Sheet(key, layout, [rows_px(len(rows), layout.width)])
    sheet.key(entries)
    bars(sheet.panels[0], rows, unit)
    return sheet


def bars(axes: Axes, rows: Sequence[Bar], unit: str) -> None:
    """Draw bars; an INVALID one is hollow and crossed out."""
    longest = max((row.length for row in rows), default=0.0)
    limit = min(max((row.reach for row in rows), default=0.0) * 1.02, _INTERVAL_ROOM * longest) or 1.0
    thick = open_rows(axes, rows, (0.0, limit), unit)
    for place, row in enumerate(rows):
        start = 0.0
        axes.barh(place, row.length, thick, color=PAPER)  # hides the grid
        for part in row.parts:
            said = tip(f"{row.label}, {part.name}".rstrip(", "), part.length, unit, invalid=row.invalid)
            axes.barh(place, part.length, thick, left=start, gid=said, **_paint(part, row.invalid))
            start += part.length
        if row.invalid and row.parts:
            axes.plot([0, start], [place, place], color=row.parts[0].colour or MUTED, linewidth=1.2)
        if row.interval:
            middle = sum(row.interval) / 2
            axes.errorbar(middle, place, xerr=row.interval[1] - middle, **WHISKER)
        if row.across is not None:
            axes.plot([row.across] * 2, [place - 0.72 * thick, place + 0.62 * thick], color=INK, linewidth=2)


def points(axes: Axes, rows: Sequence[Point], limits: Interval, unit: str) -> None:
    """Draw points with their whiskers; an INVALID one is hollow."""
    open_rows(axes, rows, limits, unit)
    for place, row in enumerate(rows):
        low, high = row.interval or (row.value, row.value)
        error = [[max(row.value - low, 0.0)], [max(high - row.value, 0.0)]]
        axes.errorbar(row.value, place, xerr=error, **WHISKER)
        face = PAPER if row.invalid else row.style.colour
        looks: dict[str, Any] = {"markersize": 8, "color": row.style.colour, "markerfacecolor": face, "zorder": 5}
        axes.plot(
            row.value, place, row.style.marker, gid=tip(row.label, row.value, unit, row.interval, row.invalid), **looks
        )
        if row.ring:
            axes.plot(row.ring, place, row.style.marker, markersize=14, fillstyle="none", color=row.style.colour)
        if row.tick:
            axes.plot(row.tick, place, "|", color=MUTED, markersize=16, markeredgewidth=2, zorder=1)


def open_rows(axes: Axes, rows: Sequence[ChartRow], limits: Interval, unit: str, is_log: bool = False) -> float:
    """Set up an axis for rows and write their names and words; return how thick a bar is, on the other axis."""
    above = _is_narrow(panel_px(axes))
    number_axis(axes, "x", limits, is_log)
    axes.set_xlabel(unit)
    axes.set_yticks([])
    axes.spines["left"].set_visible(not above)
    pitch_px = rows_px(1, panel_px(axes))
    high, low = (30, 14) if above else (pitch_px / 2, pitch_px / 2)
    axes.set_ylim(len(rows) - 1 + low / pitch_px, -high / pitch_px)
    for place, row in enumerate(rows):
        write_row(axes, row, place, min(row.reach, limits[1]), above)
    return _BAR_PX / pitch_px


def write_row(axes: Axes, row: ChartRow, place: float, end: float, above: bool) -> None:
    """Write the words above what is drawn, or the name before it and the words after it."""
    width_px, words = panel_px(axes), row.words
    if above:
        fits = text_px(row.label, bold=True) + text_px(words) < width_px - 24
        words = words if fits else row.brief or words
        name = shorten(row.label, width_px - text_px(words) - 24, bold=True)
        _write(axes, name, (0, place), (0, _ABOVE_PX), "left", row.invalid, bold=True)
        _write(axes, words, (1, place), (0, _ABOVE_PX), "right", row.invalid)
        return
    _write(axes, shorten(row.label, 0.3 * width_px), (0, place), (-8, 0), "right", row.invalid)
    _write(axes, shorten(words, 0.42 * width_px), (end, place), (8, 0), "left", row.invalid, coords="data")


def swatch(text: str, colour: str | None = MUTED, density: float = 1.0) -> Artist:
    """Return an entry of a key for a part; hatched where it has no colour."""
    return Patch(label=text, **_paint(BarPart(1.0, colour, density), False))


def across(text: str) -> Artist:
    """Return the entry of a key for the lines across bars."""
    return Line2D([], [], color=INK, marker="|", markersize=13, markeredgewidth=2, linestyle="none", label=text)


def whisker(text: str = "95 % interval") -> Artist:
    """Return the entry of a key for intervals."""
    return Line2D([], [], color=INK, marker="|", markersize=9, markeredgewidth=1.4, linewidth=1.4, label=text)


def floor_key() -> list[Artist]:
    """Return the key of bars that are split at the floor."""
    return [swatch("floor", density=_FAINT), swatch("on top of the floor"), whisker()]


def in_words(rows: Sequence[ChartRow]) -> str:
    """Return the rows in words, for those who do not see them."""
    return "; ".join(f"{row.label} {row.words}{' (INVALID)' if row.invalid else ''}" for row in rows)


def _is_narrow(width_px: float) -> bool:
    return width_px < 500


def _paint(part: BarPart, hollow: bool) -> dict[str, Any]:
    if part.colour is None:
        return {"facecolor": PAPER, "edgecolor": MUTED, "hatch": "////", "linewidth": 0.7}
    if hollow:
        return {"facecolor": PAPER, "edgecolor": part.colour, "linewidth": 1.2}
    return {"facecolor": part.colour, "alpha": part.density, "edgecolor": PAPER, "linewidth": 0.6 * part.apart}


def _write(
    axes: Axes, text: str, place: tuple[float, float], offset: tuple[float, float], side: str, struck: bool,
    bold: bool = False, coords: str = "axes fraction",
) -> None:  # fmt: skip
    """Write a line on paper of its own, so that no grid runs through it."""
    written = axes.annotate(
        text, place, offset, xycoords=(coords, "data"), textcoords="offset points", ha=side, va="center_baseline",
        fontweight="bold" if bold else "normal", annotation_clip=False,
        bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip
    strike(written, struck)
