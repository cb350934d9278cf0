"""Distributions of latency: one hill for each contender, as high where many requests took that long."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from benchmark.analysis.schema import Summary
from benchmark.analysis.wording import Interval, significant
from benchmark.report.charts.chart import Box, Layout, Sheet, faint_grid, shorten
from benchmark.report.charts.lines import log_ticks
from benchmark.report.charts.palette import GRID, INK, MUTED, PAPER, Style, styles

_LOG_FROM: Final = 8.0
_FROM: Final = 0.001  # the axis starts at the smallest of these quantiles
_TO: Final = 0.95  # and ends at the largest p99, or this quantile where there is no p99
_HILL_PX: Final = 30.0
_WORDS_PX: Final = 24.0
ROW_PX: Final = _HILL_PX + _WORDS_PX

Latencies = NDArray[np.float64]


@dataclass(frozen=True)
class Hill:
    """The latencies of one contender at one level, and its percentiles as the record has them."""

    name: str
    latencies_ms: Latencies
    p50_ms: float | None
    p99_ms: float | None
    invalid: bool

    @property
    def words(self) -> str:
        """The percentiles in words."""
        if not self.latencies_ms.size:
            return "not measured"
        p50, p99 = ("n/a*" if ms is None else f"{significant(ms)} ms" for ms in (self.p50_ms, self.p99_ms))
        return f"p50 {p50}, p99 {p99}"


def hills(summary: Summary, samples: pd.DataFrame, users: int) -> list[Hill]:
    """Return the checked answers of every contender at a level; warm-up and errors are left out."""
    counted = samples[samples["measured"].astype(bool) & samples["ok"].astype(bool) & (samples["users"] == users)]
    by_name: Mapping[object, pd.Series[float]] = dict(list(counted.groupby("contender")["latency_ms"]))
    found = []
    for name, contender in summary.rivals.items():
        latencies = by_name.get(name, pd.Series(dtype=float)).to_numpy(dtype=float)
        of = contender.low_load if users == summary.low_users and contender.low_load else contender.level(users)
        p50, p99 = (of.p50_ms, of.p99_ms) if of else (None, None)
        found.append(Hill(name, latencies, p50, p99, bool(latencies.size) and not contender.stands(users)))
    return found


def panel_px(rows: int) -> float:
    """Return the height of a panel with so many rows, title and axis included."""
    return 26 + ROW_PX * rows + 46


def draw_hills(sheet: Sheet, box: Box, summary: Summary, found: list[Hill], title: str) -> None:
    """Draw one panel: a title, the hills below each other, and the axis in ms."""
    layout = sheet.layout
    sheet.text(box.left + 2, box.top + 8, title, bold=True)
    inner = Box(box.left + 2, box.top + 26, box.width - 12, ROW_PX * len(found))
    axes = sheet.axes(inner.left, inner.top, inner.width, inner.height)
    axes.set_ylim(inner.height, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    limits = _limits(found)
    scale = ", log scale" if _is_log(limits) else ""
    axes.set_xlabel(f"latency [ms{scale}]", fontsize=layout.font)
    edges = _set_axis(axes, limits, layout)
    chosen = styles(summary.contenders)
    for i, hill in enumerate(found):
        ground = ROW_PX * (i + 1)
        _draw_hill(axes, hill, chosen[hill.name], edges, ground)
        y = inner.top + ROW_PX * i + 13
        name = shorten(hill.name, layout, inner.width - layout.text_px(hill.words) - 10)
        sheet.text(inner.left + 2, y, name, struck=hill.invalid)
        sheet.text(inner.right, y, hill.words, colour=MUTED, anchor="right", struck=hill.invalid)


def _is_log(limits: Interval) -> bool:
    """Whether a range is so wide that it is drawn on a logarithmic axis."""
    return limits[0] > 0 and limits[1] / limits[0] > _LOG_FROM


def _limits(found: list[Hill]) -> Interval:
    drawn = [hill for hill in found if hill.latencies_ms.size]
    if not drawn:
        return 0.0, 1.0
    low = min(float(np.quantile(hill.latencies_ms, _FROM)) for hill in drawn)
    high = max(hill.p99_ms or float(np.quantile(hill.latencies_ms, _TO)) for hill in drawn)
    if _is_log((low, high)):
        return low / 1.1, high * 1.1
    margin = (high - low) * 0.05 or 1.0
    return max(low - margin, 0.0), high + margin


def _set_axis(axes: Axes, limits: Interval, layout: Layout) -> Latencies:
    """Set the latency axis, logarithmic for a wide range, and return the edges of the bins."""
    bins = 60 if layout.is_narrow else 80
    axes.set_xlim(*limits)
    faint_grid(axes, "x")
    if _is_log(limits):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(log_ticks(*limits)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
        return np.geomspace(*limits, bins + 1)
    axes.locator_params(axis="x", nbins=6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    return np.linspace(*limits, bins + 1)


def _draw_hill(axes: Axes, hill: Hill, style: Style, edges: Latencies, ground: float) -> None:
    """Draw one histogram as high as its row, its median as a line and its p99 as a short tick."""
    axes.axhline(ground, color=GRID, linewidth=0.8)
    counts, _ = np.histogram(hill.latencies_ms, bins=edges)
    if counts.max() == 0:
        return
    heights = ground - counts / counts.max() * (_HILL_PX - 3)
    face = PAPER if hill.invalid else style.colour
    axes.stairs(
        heights, edges, baseline=ground, fill=True, facecolor=face, edgecolor=style.colour, linewidth=1.0,
        alpha=1.0 if hill.invalid else 0.85,
    )  # fmt: skip
    for value, height, width in ((hill.p50_ms, _HILL_PX, 1.8), (hill.p99_ms, 10.0, 1.8)):
        if value is not None and edges[0] <= value <= edges[-1]:
            axes.plot([value, value], [ground, ground - height], color=INK, linewidth=width, solid_capstyle="butt")
