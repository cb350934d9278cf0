"""A chart as a page shows it: drawn for desks and for phones, with its caption and its data."""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from benchmark.analysis.wording import listing, significant
from benchmark.report.charts.chart import NARROW, WIDE, Layout, Sheet, drawing
from benchmark.report.charts.inline import for_page

HEADLINE_NAMES: Final = ("headline.svg", "headline-narrow.svg")  # the one figure of a run, for a desk and for a phone

Draw = Callable[[Layout], Sheet]


@dataclass(frozen=True)
class Picture:
    """One figure of a page; `alt` says in words what the drawings show, which are drawn when they are asked for.

    `data` is what they are drawn from, as CSV.
    """

    key: str
    title: str
    caption: str
    alt: str
    element: Callable[[Layout], str]
    data: str = ""

    @cached_property
    def wide_svg(self) -> str:
        """The drawing for a desk, as an element of a page."""
        return self.element(WIDE)

    @cached_property
    def narrow_svg(self) -> str:
        """The drawing for a phone, as an element of a page."""
        return self.element(NARROW)

    @property
    def rows(self) -> list[list[str]]:
        """The data as a table: its head, and its rows."""
        return list(csv.reader(self.data.splitlines()))


def struck_note(invalid: bool, hollow: bool = True) -> str:
    """Return what a caption says if something that it describes is INVALID, and drawn so."""
    return f" Struck through{' and hollow' if hollow else ''}: INVALID; the page says why." if invalid else ""


def floor_note(floors_ms: Iterable[float]) -> str:
    """Return what a caption says about bars that are split at these floors."""
    floors = listing([f"{significant(floor)} ms" for floor in floors_ms]) or "0 ms"
    return (
        f"The faint part is the floor ({floors}): how long the models take on average, which no implementation can "
        "beat. The solid part is what the serving adds: shorter is better."
    )


def svg_file(draw: Draw, layout: Layout) -> str:
    """Return a drawing as a complete SVG file, the same bytes for the same data."""
    with drawing(layout):
        return draw(layout).svg()


def headline_files(draw: Draw) -> dict[str, str]:
    """Return a drawing as the SVG files of a run's headline, by name."""
    return {name: svg_file(draw, layout) for name, layout in zip(HEADLINE_NAMES, (WIDE, NARROW), strict=True)}


def on_page(draw: Draw) -> Callable[[Layout], str]:
    """Return what draws an element of a page."""
    return lambda layout: for_page(svg_file(draw, layout))
