"""Figures that matplotlib lays out, and how a figure becomes an SVG file.

A figure is drawn for two widths, a column on a desk and a phone, since text that is scaled
down is text that is not read. One unit of the SVG is one pixel.
"""

import io
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.gridspec import SubplotSpec
from matplotlib.legend_handler import HandlerLine2D
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from benchmark.analysis.wording import significant, span
from benchmark.report.charts.palette import GRID, INK, MUTED, PAPER

_AROUND_PX: Final = 150.0  # room for titles, keys and axes to begin with
PX: Final = 1 / 72  # of an inch: matplotlib's SVG has 72 units per inch
_MEASURED_FONT: Final = "DejaVu Sans"  # comes with matplotlib, and is wider than what a page will have
_FILE_FONTS: Final = "system-ui, Verdana, 'DejaVu Sans', sans-serif"
_STRUCK: Final = "struck"  # ids that the drawing is given for what matplotlib cannot do
_TIP: Final = "tip: "
_SVG: Final = "{http://www.w3.org/2000/svg}"
_HREF: Final = "{http://www.w3.org/1999/xlink}href"
_NO_METADATA: Final[dict[str, Any]] = {"Date": None, "Creator": None, "Format": None, "Type": None}

_RC: Final[dict[Any, Any]] = {
    "font.family": [_MEASURED_FONT],
    "text.parse_math": False,  # a contender may be named a$b
    "svg.fonttype": "none",
    "hatch.linewidth": 0.7,
    "figure.dpi": 72,
    "figure.facecolor": PAPER,
    "figure.subplot.left": 0.02,  # where the layout begins to look for room
    "figure.subplot.right": 0.98,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 4 * PX,
    "figure.constrained_layout.h_pad": 5 * PX,
    "figure.constrained_layout.wspace": 0.04,
    "figure.constrained_layout.hspace": 0.05,
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "errorbar.capsize": 4,
    "legend.frameon": False,
    "legend.borderpad": 0,
    "legend.borderaxespad": 0.4,
    "legend.handlelength": 1.3,
    "legend.handletextpad": 0.5,
    "legend.columnspacing": 1.2,
    **{f"{each}size": "medium" for each in ("axes.title", "axes.label", "xtick.label", "ytick.label", "legend.font")},
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


WIDE: Final = Layout("wide", 860, 13.0)
NARROW: Final = Layout("narrow", 358, 12.0)


class Sheet:
    """A figure whose panels stand in columns on a desk and below each other on a phone.

    `heights_px` are those of the panels' data areas: the figure becomes as high as titles, keys and axes need.
    """

    def __init__(
        self, key: str, layout: Layout, heights_px: Sequence[float], columns: int = 1, share_x: bool = False
    ) -> None:
        self.name = f"{key}-{layout.name}"
        columns = 1 if layout.is_narrow else min(columns, len(heights_px))
        self._rows_px = [max(heights_px[i : i + columns]) for i in range(0, len(heights_px), columns)]
        ample_px = sum(self._rows_px) + _AROUND_PX * (1 + len(self._rows_px))
        self.figure = Figure(figsize=(layout.width * PX, ample_px * PX))
        FigureCanvasSVG(self.figure)
        grid = self.figure.subplots(
            len(self._rows_px), columns, squeeze=False, sharex=share_x, height_ratios=self._rows_px
        )
        self.panels: list[Axes] = list(grid.flat)
        for spare in self.panels[len(heights_px) :]:
            spare.remove()
        del self.panels[len(heights_px) :]

    def key(self, handles: Sequence[Artist], struck: Collection[str] = ()) -> None:
        """Draw a key of the whole figure above it, over as many lines as it needs."""
        add_key(self.figure, handles, self.figure.get_figwidth() / PX - 12, struck, loc="outside upper left")

    def fit(self) -> None:
        """Lay the figure out, as high as it takes for the panels to be as high as they were asked to be."""
        engine = self.figure.get_layout_engine()
        if engine is None:
            return  # has been fitted
        columns = _place(self.panels[0]).get_gridspec().ncols
        for _ in range(3):
            engine.execute(self.figure)
            drawn_px = sum(axes.get_window_extent().height for axes in self.panels[::columns])
            lacking_px = sum(self._rows_px) - drawn_px
            if abs(lacking_px) < 1:
                break
            self.figure.set_figheight(self.figure.get_figheight() + lacking_px * PX)
        self.figure.set_layout_engine("none")

    def svg(self) -> str:
        """Return a complete SVG file, the same bytes for the same drawing."""
        self.fit()
        return svg_of(self.figure, self.name)


@contextmanager
def drawing(layout: Layout) -> Iterator[None]:
    """The settings that every figure is drawn with, whatever the process has set before."""
    with mpl.rc_context(), mpl.rc_context(mpl.rcParamsDefault):
        mpl.rcParams.update({**_RC, "font.size": layout.font})
        yield


def svg_of(figure: Figure, name: str) -> str:
    """Return a figure as an SVG file; its name makes its ids differ from those of others."""
    out = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        FigureCanvasSVG(figure).print_svg(out, metadata=_NO_METADATA)
    return _tidied(out.getvalue())


def _tidied(svg: str) -> str:
    """Return what matplotlib has drawn in pixels, without ids that nothing refers to, with struck texts and tips."""
    ElementTree.register_namespace("", _SVG.strip("{}"))
    ElementTree.register_namespace("xlink", _HREF.removesuffix("href").strip("{}"))
    root = ElementTree.fromstring(svg)
    for size in ("width", "height"):
        root.set(size, root.attrib[size].removesuffix("pt"))
    for group in root.iter(f"{_SVG}g"):
        name = group.attrib.pop("id", "")
        for text in group.findall(f"{_SVG}text") if name == _STRUCK else ():
            text.set("text-decoration", "line-through")
        if name.startswith(_TIP):
            title = ElementTree.Element(f"{_SVG}title")
            title.text = name.removeprefix(_TIP)
            group.insert(0, title)
    for text in root.iter(f"{_SVG}text"):
        text.set("style", text.get("style", "").replace(f"'{_MEASURED_FONT}'", _FILE_FONTS))
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def strike(text: Text, struck: bool = True) -> Text:
    """Mark a text to be struck through in the SVG; matplotlib cannot."""
    text.set_gid(_STRUCK if struck else None)
    return text


def tip(name: str, value: float, unit: str, interval: tuple[float, float] | None = None, invalid: bool = False) -> str:
    """Return the `gid` of a mark that shows its value when the pointer rests on it.

    The unit may be what stands at an axis, `latency [ms, log scale]`.
    """
    unit = unit.partition("[")[2].rstrip("]").partition(",")[0] or unit
    ends = f" ({span(interval)})" if interval and interval[0] < interval[1] else ""
    said = f"{_TIP}{name}: {significant(value)} {unit}".rstrip()
    return f"{said}{ends}{', INVALID' if invalid else ''}"


def add_key(
    owner: Figure | Axes, handles: Sequence[Artist], width_px: float, struck: Collection[str] = (), **place: Any
) -> None:
    """Draw a key in as many columns as fit the width, in reading order."""
    whiskers = [h for h in handles if isinstance(h, Line2D) and h.get_marker() == "|" and h.get_linestyle() == "-"]
    ends = {each: HandlerLine2D(numpoints=2, marker_pad=0) for each in whiskers}
    for columns in range(len(handles), 0, -1):
        in_columns = [handle for column in range(columns) for handle in handles[column::columns]]
        key = owner.legend(handles=in_columns, ncols=columns, handler_map=ends, labelcolor=MUTED, **place)
        if columns == 1 or key.get_window_extent().width <= width_px:
            break
        key.remove()
    for text in key.get_texts():
        strike(text, text.get_text() in struck)
        text.set_text(shorten(text.get_text(), width_px - 30))


def panel_key(axes: Axes, handles: Sequence[Artist], title: str) -> None:
    """Draw the title of a panel, and below it the key of this panel alone."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "alignment": "left"}
    add_key(axes, handles, panel_px(axes) - 12, (), title=title, title_fontproperties={"weight": "bold"}, **place)


def panel_px(axes: Axes) -> float:
    """Return the width of the column of a figure that a panel stands in."""
    figure = axes.figure.figure
    return float(figure.get_figwidth() / PX / _place(axes).get_gridspec().ncols)


def data_px(axes: Axes) -> float:
    """Return the height that was asked for the data area of a panel."""
    heights: Any = _place(axes).get_gridspec().get_height_ratios()
    return float(heights[_place(axes).rowspan.start])


def _place(axes: Axes) -> SubplotSpec:
    place = axes.get_subplotspec()
    if place is None:
        raise ValueError("the axes are no panel of a sheet")
    return place


@lru_cache(maxsize=4096)
def _text_px(text: str, font: float, bold: bool) -> float:
    looks = FontProperties(family=_MEASURED_FONT, size=font, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, looks, ismath=False)[0])


def text_px(text: str, bold: bool = False, font: float | None = None) -> float:
    """Return how wide a text will be at most, in pixels; at the size of the drawing, unless another is given."""
    return _text_px(text, font or mpl.rcParams["font.size"], bold)


def shorten(text: str, width_px: float, bold: bool = False) -> str:
    """Return the text, or its two ends around an ellipsis where it is wider than `width_px`."""
    short = text
    for letters in range(len(text), 4, -1):
        if text_px(short, bold) <= width_px:
            break
        tail = letters // 3
        short = f"{text[: letters - tail - 1]}…{text[-tail:]}"
    return short
