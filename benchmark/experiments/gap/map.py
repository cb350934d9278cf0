"""The crossover map: who carries the higher rate, over users and over what the models compute."""

from collections import Counter
from collections.abc import Sequence
from math import isfinite, log
from typing import Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from benchmark.analysis.wording import significant
from benchmark.experiments.gap.schema import Crossing, Explained, shown
from benchmark.report.charts.bars import swatch
from benchmark.report.charts.chart import Layout, Sheet, strike, text_px
from benchmark.report.charts.lines import title
from benchmark.report.charts.palette import GRID, INK, PAPER

# Okabe & Ito (2008): the two ends of a diverging scale whose middle is the paper, so that it also works in the dark.
TO_COLOUR: Final = "#0072b2"
FROM_COLOUR: Final = "#d55e00"
_DEEPEST: Final = 0.62  # text has to stay legible on it
_PALE: Final = 0.12
_ROW_PX: Final = 40.0
_SMALLEST_END: Final = log(1.25)  # the colour scale reaches at least this ratio


class Grid:
    """The points of a map in columns of users and rows of CPU ms."""

    def __init__(self, points: Sequence[Crossing]) -> None:
        self.users = sorted({point.users for point in points})
        self.cpu_ms = sorted({point.cpu_ms for point in points})
        self.measured = {(p.cpu_ms, p.users): p for p in points if p.stands}
        self.predicted = {(p.cpu_ms, p.users): p.ratio for p in points if not p.measured}
        self.predicted |= {(p.cpu_ms, p.users): p.ratio_predicted for p in points if p.ratio_predicted}
        # Where what was measured is INVALID the map shows what was predicted, as if nothing had been measured.
        told = {(p.cpu_ms, p.users): p for p in points if not p.measured}
        told |= {
            (p.cpu_ms, p.users): Crossing(cpu_ms=p.cpu_ms, users=p.users, ratio=p.ratio_predicted)
            for p in points
            if p.reasons and p.ratio_predicted
        }
        self._places = told | self.measured
        self.doubted = {(p.cpu_ms, p.users): p for p in points if p.reasons and (p.cpu_ms, p.users) not in told}

    def point(self, cpu_ms: float, users: int) -> Crossing | None:
        """Return what is known of a place: what was measured, or else predicted."""
        return self._places.get((cpu_ms, users))

    def log_ratios(self) -> NDArray[np.float64]:
        """Return log ratios, shape (CPU ms, users), nan where nothing is known: predicted, or else measured."""
        measured = {place: point.ratio for place, point in self.measured.items()}
        known = [[(measured | self.predicted).get((cpu, users)) for users in self.users] for cpu in self.cpu_ms]
        return np.array([[log(ratio) if ratio and ratio > 0 else np.nan for ratio in row] for row in known])


def draw_map(layout: Layout, data: Explained, ends: tuple[str, str]) -> Sheet:
    """Draw the map; each place has a number where there is room, measured ones are framed."""
    grid = Grid(data.crossover)
    sheet = Sheet("crossover", layout, [_ROW_PX * len(grid.cpu_ms)])
    sheet.key(_key(ends))
    (axes,) = sheet.panels
    axes.set_xlim(-0.5, len(grid.users) - 0.5)
    axes.set_ylim(-0.5, len(grid.cpu_ms) - 0.5)
    axes.set_xticks(range(len(grid.users)), [str(users) for users in grid.users])
    axes.set_yticks(range(len(grid.cpu_ms)), [f"{cpu_ms:g}" for cpu_ms in grid.cpu_ms])
    axes.set_xlabel("users at the same time")
    title(axes, "CPU of a model [ms]")
    deepest = max([abs(log(p.ratio)) for p in data.crossover if p.ratio > 0] + [_SMALLEST_END])
    column_px = (layout.width - 70) / len(grid.users)
    for i, cpu_ms in enumerate(grid.cpu_ms):
        for j, users in enumerate(grid.users):
            point = grid.point(cpu_ms, users) or grid.doubted.get((cpu_ms, users))
            if point and point.ratio > 0:
                text = significant(point.ratio, 2 if layout.is_narrow else 3)
                has_room = point.measured or column_px > text_px(text) + 4
                _draw_place(axes, point, (j, i), deepest, text if has_room else "")
    _draw_line_of_one(axes, grid)
    return sheet


def has_line(grid: Grid) -> bool:
    """Whether the ratio passes 1 anywhere between two known places."""
    ratios = grid.log_ratios()
    known = ratios[np.isfinite(ratios)]
    return bool(known.size) and bool(known.min() < 0 < known.max())


def crossing_ms(grid: Grid, users: int) -> float | None:
    """Return at how many CPU ms the ratio passes 1 at a number of users, by straight lines between places.

    The lowest place, if there are several; None if it never does.
    """
    column = grid.log_ratios()[:, grid.users.index(users)]
    for i in range(len(column) - 1):
        here, there = float(column[i]), float(column[i + 1])
        if isfinite(here) and isfinite(there) and here * there <= 0 and here != there:
            return grid.cpu_ms[i] + (grid.cpu_ms[i + 1] - grid.cpu_ms[i]) * here / (here - there)
    return None


def shown_ahead(data: Explained, ends: tuple[str, str]) -> dict[str, int]:
    """Return at how many measured places each contender is shown to carry more; first who does with the least CPU."""
    places = sorted((p for p in data.crossover if p.stands and shown(p.ci95, 1.0)), key=lambda p: (p.cpu_ms, p.users))
    return Counter(ends[1] if place.ratio > 1 else ends[0] for place in places)


def _draw_place(axes: Axes, point: Crossing, place: tuple[int, int], deepest: float, text: str) -> None:
    x, y = place
    depth = _DEEPEST * min(abs(log(point.ratio)) / deepest, 1.0)
    colour = PAPER if point.reasons else TO_COLOUR if point.ratio > 1 else FROM_COLOUR
    square = (x - 0.5, y - 0.5)
    axes.add_patch(Rectangle(square, 1, 1, facecolor=colour, alpha=depth, edgecolor="none", linewidth=0))
    axes.add_patch(Rectangle(square, 1, 1, fill=False, edgecolor=GRID, linewidth=0.6))
    if point.measured:
        frame = (x - 0.43, y - 0.4)
        axes.add_patch(Rectangle(frame, 0.86, 0.8, fill=False, edgecolor=INK, linewidth=1.5, zorder=5))
    weight = "bold" if point.measured else "normal"
    written = strike(
        axes.text(x, y, text, ha="center", va="center_baseline", fontweight=weight, zorder=6), bool(point.reasons)
    )
    if depth < _PALE:  # here the line of 1 may pass, and a number that is crossed out would read as INVALID
        written.set_bbox({"facecolor": PAPER, "edgecolor": "none", "pad": 1.5})


def _draw_line_of_one(axes: Axes, grid: Grid) -> None:
    if not has_line(grid) or min(len(grid.users), len(grid.cpu_ms)) < 2:
        return
    # To the edges of the map: a stub that ends within a square would read as the sign of its number.
    ratios = np.ma.masked_invalid(np.pad(grid.log_ratios(), 1, mode="edge"))
    across, up = ([-0.5, *range(n), n - 0.5] for n in (len(grid.users), len(grid.cpu_ms)))
    for width, colour in ((5.0, PAPER), (2.4, INK)):  # the line on paper of its own
        axes.contour(across, up, ratios, levels=[0.0], colors=[colour], linewidths=[width], zorder=4)


def _key(ends: tuple[str, str]) -> list[Artist]:
    sides = ((ends[1], TO_COLOUR), (ends[0], FROM_COLOUR))
    return [
        *(swatch(f"{name} carries more", colour, _DEEPEST) for name, colour in sides),
        Patch(facecolor="none", edgecolor=INK, linewidth=1.5, label="measured, others predicted"),
        Line2D([], [], color=INK, linewidth=2.4, label="ratio 1: both carry the same"),
    ]
