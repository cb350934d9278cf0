"""The axes of charts: numbers on an even or a logarithmic scale, and numbers of users."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10
from typing import Final, Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from benchmark.report.charts.chart import data_px, panel_px

_LOG_FROM: Final = 6.0  # a range of values wider than this is drawn on a logarithmic axis
_TICK_PX: Final = {"x": 52.0, "y": 30.0}  # what a tick and its number take
_STEPS: Final = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))

Limits = tuple[float, float]


def limits_of(values: Iterable[float], at_most: float = float("inf"), from_zero: bool = False) -> Limits:
    """Return the ends of an axis for these values: from 0, or for a wide range from above it, for a log scale."""
    found = list(values) or [1.0]
    low, high = min(found), min(max(found), at_most)
    if not from_zero and low > 0 and high / low > _LOG_FROM:
        return low * 0.85, high * 1.15
    return 0.0, high * 1.08 or 1.0


def scale_note(limits: Limits) -> str:
    """Return what stands beside the unit of an axis with these ends."""
    return ", log scale" if limits[0] > 0 else ""


def number_axis(axes: Axes, name: Literal["x", "y"], limits: Limits, is_log: bool) -> None:
    """Set one axis, with a faint grid and as many ticks as there is room for."""
    axis: Axis = axes.xaxis if name == "x" else axes.yaxis
    length_px = panel_px(axes) - 60 if name == "x" else data_px(axes)
    room = max(int(length_px / _TICK_PX[name]), 2)
    axes.set(**{f"{name}scale": "log" if is_log else "linear", f"{name}lim": limits})
    ticks = _log_ticks(limits, room) if is_log else []
    even = MaxNLocator(min(room, 4 if is_log else 7), steps=[1, 2, 2.5, 5, 10])
    axis.set_major_locator(FixedLocator(ticks) if len(ticks) > 2 else even)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(lambda value, _: f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}")
    axes.grid(axis=name, linewidth=0.8)


def users_axis(axes: Axes, levels: Iterable[int]) -> None:
    """Set the axis of users, on a log scale, with a tick at each level and a number where there is room for it."""
    ticks = sorted(set(levels)) or [1]
    room = (panel_px(axes) - 150) / 28
    apart = (ticks[-1] / ticks[0]) ** (1 / max(room, 1))
    named: list[int] = []
    for level in reversed(ticks):  # the highest level keeps its own
        if not named or level * apart <= named[-1]:
            named.append(level)
    axes.set_xscale("log", base=2)
    axes.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.25)
    axes.set_xticks(ticks, [str(level) if level in named else "" for level in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("users at the same time [log scale]")


def _log_ticks(limits: Limits, room: int) -> Sequence[float]:
    """Return 1-2-5 ticks within the limits, or coarser ones where there is no room for them."""
    low, high = limits
    decades = [10.0**power for power in range(floor(log10(low)), ceil(log10(high)) + 1)]
    found = [
        [step * decade for decade in decades for step in steps if low <= step * decade <= high] for steps in _STEPS
    ]
    return next((ticks for ticks in found if len(ticks) <= room), found[-1])
