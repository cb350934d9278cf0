"""Lines over a quantity, each named where it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy
from numpy.typing import NDArray

from benchmark.report.charts.chart import data_px, panel_px, shorten, strike, text_px, tip
from benchmark.report.charts.palette import MUTED, PAPER, Style

_TEXT_PX: Final = 17.0
_LEADER_PX: Final = 18.0
_LEADER: Final[dict[str, Any]] = {"arrowstyle": "-", "patchA": None, "shrinkA": 0, "shrinkB": 0}
_NAMES: Final = 0.34  # of the panel may go to the names, which are shortened where they are longer
_TICKS_PX: Final = 50.0  # what the numbers of an axis take at most
_BAND_ALPHA: Final = 0.2
_MOST_MARKS: Final = 10

Points = Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One line: its points, by x, with the ends of their intervals, and which of them are INVALID."""

    label: str
    x: Points
    y: Points
    style: Style
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    invalid: Sequence[bool] = ()
    words: str = ""  # after the label, or below it
    struck: bool = False  # all of it is INVALID

    @property
    def hollow(self) -> Sequence[bool]:
        """Which points are drawn hollow."""
        return self.invalid or [self.struck] * len(self.x)


def lines(axes: Axes, series: Sequence[Line], band: bool = False, unit: str = "") -> None:
    """Draw lines with their marks, and their intervals as whiskers or as a band.

    INVALID points are hollow and crossed out, and lead nowhere in full colour.
    """
    for each in series:
        style = each.style
        axes.plot(each.x, each.y, **style.line, linewidth=2, alpha=0.5 if each.struck else 1)
        if each.low and band:
            axes.fill_between(each.x, each.low, each.high, color=style.colour, alpha=_BAND_ALPHA, linewidth=0)
        elif each.low:
            error = [[max(y - low, 0.0) for y, low in zip(each.y, each.low, strict=True)],
                     [max(high - y, 0.0) for y, high in zip(each.y, each.high, strict=True)]]  # fmt: skip
            axes.errorbar(each.x, each.y, error, fmt="none", ecolor=style.colour, elinewidth=1.4, capsize=3.5)
        step = max(len(each.x) // _MOST_MARKS, 1)
        for i, (x, y, hollow) in enumerate(zip(each.x, each.y, each.hollow, strict=True)):
            if i % step and i < len(each.x) - 1 and not any(each.invalid[i : i + 1]):
                continue  # a line of many points has a mark at some of them, and at all that are INVALID
            ends = (each.low[i], each.high[i]) if each.low else None
            mark(axes, x, y, style, hollow, gid=tip(f"{each.label} at {x:g}", y, unit, ends, hollow))
            if hollow:
                axes.plot(x, y, "x", markersize=11, color=style.colour, markeredgewidth=1.4)


def mark(axes: Axes, x: float, y: float, style: Style, hollow: bool, **how: Any) -> None:
    """Draw one mark of a contender."""
    looks = {"markerfacecolor": PAPER if hollow else style.colour, "markeredgewidth": 1.4 if hollow else 0.0, **how}
    axes.plot(x, y, style.marker, markersize=7, color=style.colour, **looks)


def title(axes: Axes, text: str, note: str = "") -> None:
    """Write what a panel shows above it, and below that, paler, what has to be known of it."""
    wrapped = fill(note, int(panel_px(axes) / 7)) if note else ""
    shown = shorten(text, panel_px(axes) - _TICKS_PX, bold=True)
    axes.set_title(shown, pad=10 + (wrapped.count("\n") + 1) * _TEXT_PX if note else 8)
    axes.annotate(wrapped, (0, 1), xycoords="axes fraction", xytext=(0, 8), textcoords="offset points", color=MUTED)


def name_ends(axes: Axes, series: Sequence[Line]) -> None:
    """Write each label to the right of where its line ends, moved apart where they would touch; after the limits."""
    to_axes, height_px, room_px = axes.transScale + axes.transLimits, data_px(axes), _NAMES * panel_px(axes)
    ends = [(line, (line.x[-1], line.y[-1])) for line in series if len(line.x)]
    at_px = [float(to_axes.transform(end)[1]) * height_px for _, end in ends]
    inside = [i for i, at in enumerate(at_px) if -1 <= at <= height_px + 1]
    texts = {i: _name(ends[i][0], room_px) for i in inside}
    places = spread([at_px[i] for i in inside], [_TEXT_PX * (1 + t.count("\n")) for t in texts.values()], height_px)
    beside = offset_copy(axes.transAxes, axes.get_figure(root=True), x=_LEADER_PX, units="dots")
    last = max((ends[i][1][0] for i in inside), default=0.0)
    for (i, text), place in zip(texts.items(), places, strict=True):
        line, end = ends[i]
        leader: dict[str, Any] = {"color": line.style.colour}
        if end[0] != last:  # it ends early
            leader = {"color": MUTED, "linestyle": (0, (1, 3))}
        leader["relpos"] = (-4 / max(map(text_px, text.split("\n"))), 0.5)  # a little to the left of the text
        how: dict[str, Any] = {"va": "center", "annotation_clip": False, "arrowprops": {**leader, **_LEADER}}
        strike(axes.annotate(text, end, (1, place / height_px), textcoords=beside, **how), line.struck)


def _name(line: Line, room_px: float) -> str:
    """Return what stands beside a line, its words below its label where both are too long for the room."""
    one = f"{line.label} {line.words}".rstrip()
    if text_px(one) <= room_px:
        return one
    return "\n".join(shorten(part, room_px) for part in (line.label, line.words) if part)


def spread(wanted: Sequence[float], sizes: Sequence[float], high: float, low: float = 0.0) -> list[float]:
    """Return places as near to the wanted ones as keeps what has these sizes apart and within the bounds."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = [wanted[i] for i in order]
    for _ in range(200):
        for i in range(len(places) - 1):
            lack = (sizes[order[i]] + sizes[order[i + 1]]) / 2 - (places[i + 1] - places[i])
            if lack > 0:
                places[i] -= lack / 2
                places[i + 1] += lack / 2
        places = [min(max(p, low + sizes[i] / 2), high - sizes[i] / 2) for i, p in zip(order, places, strict=True)]
    return [place for _, place in sorted(zip(order, places, strict=True))]
