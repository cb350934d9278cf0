"""Sheets in pixels to draw on, and how a drawing becomes SVG that can stand inside a page.

A figure is drawn for two widths, a column on a desk and a phone, since text that is scaled
down is text that is not read. Positions are given in pixels from the top left corner.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from benchmark.report.charts.palette import CSS_VARIABLES, GRID, INK, MUTED, PAPER

_POINTS_PER_INCH: Final = 72  # matplotlib's SVG unit; one point is one pixel of ours
_MEASURED_FONT: Final = "DejaVu Sans"  # comes with matplotlib, and is wider than what a page will have
_FILE_FONTS: Final = "system-ui, Verdana, 'DejaVu Sans', sans-serif"
_STRUCK: Final = "struck"

_RC: Final[dict[Any, Any]] = {
    "font.family": [_MEASURED_FONT],
    "text.parse_math": False,  # a contender may be named a$b
    "svg.fonttype": "none",
    "hatch.linewidth": 0.7,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


@dataclass(frozen=True)
class Layout:
    """A width to draw for, in pixels, and the size of its text."""

    name: str
    width: int
    font: float

    @property
    def is_narrow(self) -> bool:
        return self.width < 500

    def text_px(self, text: str) -> float:
        """Return how wide a text will be at most, in pixels."""
        return _text_px(text, self.font)


WIDE: Final = Layout("wide", 860, 13.0)
NARROW: Final = Layout("narrow", 358, 12.0)


@dataclass(frozen=True)
class Box:
    """A rectangle of a sheet, in pixels from the top left corner."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width


@lru_cache(maxsize=1024)
def _text_px(text: str, font: float) -> float:
    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(family=_MEASURED_FONT, size=font, weight="bold"), ismath=False
    )
    return float(width)


class Sheet:
    """A figure of a fixed size in pixels."""

    def __init__(self, key: str, layout: Layout, height: float) -> None:
        self.key = key
        self.layout = layout
        self.width, self.height = float(layout.width), float(height)
        size = (self.width / _POINTS_PER_INCH, self.height / _POINTS_PER_INCH)
        self.figure = Figure(figsize=size, dpi=_POINTS_PER_INCH)
        self.figure.patch.set_facecolor(PAPER)
        self._struck = 0

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes whose data area is this rectangle, with nothing but a faint frame below and left."""
        bottom = self.height - top - height
        axes = self.figure.add_axes(
            (left / self.width, bottom / self.height, width / self.width, height / self.height),
            facecolor=PAPER,
        )
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=self.layout.font, length=3, pad=4)
        axes.set_axisbelow(True)
        return axes

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        colour: str = INK,
        bold: bool = False,
        anchor: str = "left",
        struck: bool = False,
    ) -> None:
        """Write one line whose middle is at height `y`, on paper of its own so that no grid runs through it."""
        written = self.figure.text(
            x / self.width,
            1 - y / self.height,
            text,
            color=colour,
            fontsize=self.layout.font,
            fontweight="bold" if bold else "normal",
            ha=anchor,
            va="center_baseline",
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.5},
        )
        if struck:
            self._struck += 1
            written.set_gid(f"{_STRUCK}-{self._struck}")

    def line(
        self, points: Sequence[tuple[float, float]], colour: str, width: float = 1.0, dotted: bool = False
    ) -> None:
        """Draw a line through places on the sheet."""
        xs = [x / self.width for x, _ in points]
        ys = [1 - y / self.height for _, y in points]
        self.figure.add_artist(Line2D(xs, ys, color=colour, linewidth=width, linestyle=(0, (1, 3)) if dotted else "-"))

    def box(self, x: float, y: float, width: float, height: float, **how: Any) -> None:
        """Draw a rectangle from its top left corner; `how` are matplotlib's patch properties."""
        corner = (x / self.width, 1 - (y + height) / self.height)
        patch = Rectangle(corner, width / self.width, height / self.height, transform=self.figure.transFigure, **how)
        self.figure.add_artist(patch)

    def svg(self) -> str:
        """Return a complete SVG file, the same bytes for the same drawing."""
        out = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": f"{self.key}-{self.layout.name}"}):
            FigureCanvasSVG(self.figure).print_svg(
                out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
            )
        points_as_pixels = r'(<svg[^>]*? width="[\d.]+)pt(" height="[\d.]+)pt"'
        svg = re.sub(points_as_pixels, r'\1\2"', out.getvalue())
        svg = svg.replace(f"font-family: '{_MEASURED_FONT}'", f"font-family: {_FILE_FONTS}")
        return _strike(_tidy_ids(svg, f"{self.key}-{self.layout.name}"))


@contextmanager
def drawing() -> Iterator[None]:
    """The settings that every figure is drawn with, whatever the process has set before."""
    with mpl.rc_context(), mpl.rc_context(mpl.rcParamsDefault):
        mpl.rcParams.update(_RC)
        yield


def for_page(svg: str) -> str:
    """Return an SVG file as an element of a page: no prologue, scaled to its column, coloured by the page."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", element, flags=re.DOTALL)
    opening, rest = element.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', opening)
    if view is None:
        raise ValueError("the drawing has no viewBox")
    for colour, variable in CSS_VARIABLES.items():
        rest = rest.replace(colour, f"var(--{variable})")
    rest = re.sub(r"font-family: [^;\"]*(; )?", "", rest)
    return f'<svg {view[0]} aria-hidden="true">{rest}'.replace("xlink:href", "href").strip()


def shorten(text: str, layout: Layout, width_px: float) -> str:
    """Return the text, or its two ends around an ellipsis where it is wider than `width_px`."""
    if layout.text_px(text) <= width_px:
        return text
    for letters in range(len(text) - 1, 4, -1):
        tail = letters // 3
        short = f"{text[: letters - tail - 1]}…{text[-tail:]}"
        if layout.text_px(short) <= width_px:
            break
    return short


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places as near to the wanted ones as keeps `gap` between neighbours and all within bounds."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    places = [min(max(wanted[i], low), high) for i in order]
    for _ in range(200):
        moved = False
        for i in range(len(places) - 1):
            lack = gap - (places[i + 1] - places[i])
            if lack > 1e-6:
                places[i] -= lack / 2
                places[i + 1] += lack / 2
                moved = True
        places = [min(max(place, low), high) for place in places]
        if not moved:
            break
    return [place for _, place in sorted(zip(order, places, strict=True))]


def faint_grid(axes: Axes, direction: str) -> None:
    """Draw the grid of one direction, `x` or `y`, behind the data."""
    axes.grid(axis="x" if direction == "x" else "y", color=GRID, linewidth=0.8)


def _tidy_ids(svg: str, prefix: str) -> str:
    """Prefix the ids that something refers to and drop the others, so that figures do not clash in a page."""
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    kept = used | set(re.findall(rf'id="({_STRUCK}-\d+)"', svg))

    def rename(match: re.Match[str]) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in kept else ""

    svg = re.sub(r' id="([^"]+)"', rename, svg)
    svg = re.sub(r'((?:href="|url\()#)', rf"\g<1>{prefix}-", svg)
    return re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)


def _strike(svg: str) -> str:
    """Strike through the texts that were marked so; matplotlib cannot."""
    return re.sub(
        rf'<g id="[^"]*{_STRUCK}-\d+">(.*?<text [^>]*?)style="',
        r'<g>\1style="text-decoration: line-through; ',
        svg,
        flags=re.DOTALL,
    )
