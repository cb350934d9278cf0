"""The figure of a gate: how much worse head is than base, beside what is allowed."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from matplotlib.lines import Line2D

from benchmark.analysis.sequential import Decision
from benchmark.experiments.gate.ci import cells
from benchmark.experiments.gate.schema import GateFigure, GateSummary
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.bars import Point, points, rows_px, whisker
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import rows_csv
from benchmark.report.charts.palette import MUTED, Style
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

_STYLES: Final = {
    Decision.WORSE: Style("#d55e00", "s"),
    Decision.NOT_WORSE: Style("#009e73", "o"),
    Decision.OPEN: Style("#0072b2", "D"),
}
_VERDICTS: Final = {Decision.WORSE: "worse", Decision.NOT_WORSE: "not worse", Decision.OPEN: "cannot be told"}
_CUT: Final = 3.0  # times how far the points reach: an interval that reaches beyond is cut off there
_LEAST: Final = 0.02


def headline(summary: GateSummary) -> Draw | None:
    """Return what draws the figure; None where nothing was measured."""
    rows = _rows(summary)
    return partial(_draw, rows=rows) if rows else None


def picture(summary: GateSummary) -> Picture | None:
    """Return the figure as a page shows it; None where nothing was measured."""
    rows = _rows(summary)
    if not rows:
        return None
    return Picture(
        key="changes",
        title="How much worse head is than base",
        caption=(
            "At 1 they are equal, to the right head is worse. The whisker is the interval that decides, the tick what "
            "is allowed." + struck_note(any(row.invalid for row in rows))
        ),
        alt=alt_text("Points, change for the worse", [f"{row.label} {row.words}" for row in rows]),
        element=on_page(partial(_draw, rows=rows)),
        data=rows_csv("times", rows),
    )


def _rows(summary: GateSummary) -> list[Point]:
    return [_row(each) for each in summary.figures if each.change is not None]


def _row(figure: GateFigure) -> Point:
    _, _, change, *_ = cells(figure)
    verdict = _VERDICTS[figure.decision]
    return Point(
        figure.name,
        f"{change}, {verdict}",
        not figure.valid,
        verdict,
        value=1 + (figure.change or 0.0),
        style=_STYLES[figure.decision],
        interval=figure.interval and (1 + figure.interval[0], 1 + figure.interval[1]),
        tick=1 + figure.allowed,
    )


def _draw(layout: Layout, rows: Sequence[Point]) -> Sheet:
    reach = _CUT * max(_LEAST, *(abs(end - 1) for row in rows for end in (row.value, row.tick or 1.0)))
    ends = [1.0] + [end for row in rows for end in (row.value, row.tick or 1.0, *(row.interval or ()))]
    low, high = max(min(ends), 1 - reach), min(max(ends), 1 + reach)
    pad = 0.04 * (high - low)
    sheet = Sheet("changes", layout, [rows_px(len(rows), layout.width)])
    allowed = Line2D(
        [], [], color=MUTED, marker="|", markersize=13, markeredgewidth=2, linestyle="none", label="allowed"
    )
    sheet.key([whisker("interval"), allowed])
    points(sheet.panels[0], rows, (max(low - pad, 0.0), high + pad), "times base's, above 1 for the worse")
    sheet.panels[0].axvline(1, color=MUTED, linewidth=1.2)
    return sheet
