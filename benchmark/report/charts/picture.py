"""A chart as a page shows it: drawn for desks and for phones, with its caption."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmark.analysis.schema import Contender
from benchmark.analysis.wording import listing, significant
from benchmark.report.charts import bars
from benchmark.report.charts.chart import NARROW, WIDE, Layout, Sheet, drawing, for_page
from benchmark.report.page import HEADLINE_NAMES


@dataclass(frozen=True)
class Picture:
    """One figure of a page; `alt` says in words what the drawings show."""

    key: str
    title: str
    caption: str
    alt: str
    wide_svg: str
    narrow_svg: str


def struck_note(invalid: bool, hollow: bool = True) -> str:
    """Return what a caption says if something that it describes is INVALID, and drawn so."""
    return f" Struck through{' and hollow' if hollow else ''}: INVALID; the page says why." if invalid else ""


def floor_note(contenders: Mapping[str, Contender]) -> str:
    """Return what a caption says about bars that are split at the contenders' floors."""
    floors = listing([f"{significant(floor)} ms" for floor in bars.floors(contenders)]) or "0 ms"
    return (
        f"The faint part is the floor ({floors}): how long the models take on average, which no implementation can "
        "beat. The solid part is what the serving adds: shorter is better."
    )


def headline_files(draw: Callable[[Layout], Sheet]) -> dict[str, str]:
    """Return a drawing as the SVG files of a run's headline, by name."""
    with drawing():
        return {name: draw(layout).svg() for name, layout in zip(HEADLINE_NAMES, (WIDE, NARROW), strict=True)}


def both(draw: Callable[[Layout], Sheet]) -> dict[str, str]:
    """Return a drawing as the two SVG elements of a Picture."""
    with drawing():
        return {f"{layout.name}_svg": for_page(draw(layout).svg()) for layout in (WIDE, NARROW)}
