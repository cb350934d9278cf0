"""Distributions: one hill for each contender, as high where many values lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from benchmark.report.charts.axis import Limits, number_axis, scale_note
from benchmark.report.charts.bars import ChartRow, write_row
from benchmark.report.charts.chart import panel_px
from benchmark.report.charts.palette import GRID, INK, PAPER, Style

_LOG_FROM: Final = 8.0
_FROM: Final = 0.001  # the axis starts at the smallest of these quantiles
_TO: Final = 0.95  # and ends at the largest p99, or this quantile where there is no p99
_ROW_PX: Final = 54.0
_HILL: Final = 0.52  # of a row; the rest is for its words

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Hill(ChartRow):
    """The values of one contender, and those two that are marked: its median and its p99."""

    values: Values
    p50: float | None
    p99: float | None
    style: Style


def hills_px(count: int) -> float:
    """Return how high so many hills are."""
    return _ROW_PX * count


def hills(axes: Axes, rows: Sequence[Hill], unit: str) -> None:
    """Draw the hills below each other, each as high as its row: the median is a line, the p99 a short one."""
    limits = _limits(rows)
    number_axis(axes, "x", limits, _is_log(limits))
    axes.set_xlabel(f"{unit[:-1]}{scale_note(limits) if _is_log(limits) else ''}]")
    axes.set_ylim(len(rows) - 1, -1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    bins = 60 if panel_px(axes) < 400 else 80
    edges = np.geomspace(*limits, bins + 1) if _is_log(limits) else np.linspace(*limits, bins + 1)
    for ground, row in enumerate(rows):
        axes.axhline(ground, color=GRID, linewidth=0.8)
        _hill(axes, row, edges, ground)
        write_row(axes, row, ground - _HILL / 2 - 0.02, 0.0, above=True)


def _hill(axes: Axes, row: Hill, edges: Values, ground: float) -> None:
    counts, _ = np.histogram(row.values, bins=edges)
    if counts.max() == 0:
        return
    heights = ground - counts / counts.max() * _HILL
    face, alpha = (PAPER, 1.0) if row.invalid else (row.style.colour, 0.85)
    axes.stairs(
        heights, edges, baseline=ground, fill=True, facecolor=face, edgecolor=row.style.colour, linewidth=1, alpha=alpha
    )
    for value, height in ((row.p50, _HILL), (row.p99, 0.4 * _HILL)):
        if value is not None and edges[0] <= value <= edges[-1]:
            axes.plot([value, value], [ground, ground - height], color=INK, linewidth=1.8, solid_capstyle="butt")


def _limits(rows: Sequence[Hill]) -> Limits:
    drawn = [row for row in rows if row.values.size]
    if not drawn:
        return 0.0, 1.0
    low = min(float(np.quantile(row.values, _FROM)) for row in drawn)
    high = max(row.p99 or float(np.quantile(row.values, _TO)) for row in drawn)
    if _is_log((low, high)):
        return low / 1.1, high * 1.1
    margin = (high - low) * 0.05 or 1.0
    return max(low - margin, 0.0), high + margin


def _is_log(limits: Limits) -> bool:
    """Whether a range is so wide that it is drawn on a logarithmic axis."""
    return limits[0] > 0 and limits[1] / limits[0] > _LOG_FROM
