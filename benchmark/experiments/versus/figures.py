"""The figures of `versus`: both latencies side by side, and each block's difference."""

from collections.abc import Sequence
from typing import Final

from benchmark.analysis.wording import fine_ms
from benchmark.experiments.versus.answers import place_of
from benchmark.experiments.versus.observed import AT_RATE, ONE_USER
from benchmark.experiments.versus.schema import VersusSummary
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.bars import Bar, BarPart, bars_sheet, whisker
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import rows_csv
from benchmark.report.charts.palette import Style, styles
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

_UNIT: Final = "ms"


class _Drawn:
    """What the palette asks of a contender."""

    harness_floor = False


def headline(summary: VersusSummary) -> Draw | None:
    """Return what draws the headline figure; None where nothing was measured."""
    rows = _rows(summary)
    return (lambda layout: _draw(layout, rows)) if rows else None


def all_figures(summary: VersusSummary) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order."""
    rows = _rows(summary)
    if not rows:
        return []
    return [
        Picture(
            key="latency",
            title="Mean latency",
            caption=(
                "At one user from sending a request to its answer; at a rate from when a request was due. The whiskers "
                "are those of each service by itself: the difference, paired by block, is known more closely."
                + struck_note(any(row.invalid for row in rows))
            ),
            alt=alt_text("Bars, mean latency", [f"{row.label} {row.words}" for row in rows]),
            element=on_page(lambda layout: _draw(layout, rows)),
            data=rows_csv(_UNIT, rows),
        )
    ]


def _rows(summary: VersusSummary) -> list[Bar]:
    chosen: dict[str, Style] = styles({label: _Drawn() for label in summary.sides})
    found = []
    for name in (ONE_USER, AT_RATE):
        for label, entry in summary.sides.items():
            measured = entry.figures.get(name)
            if measured and measured.mean:
                words = f"{fine_ms(measured.mean)} ms"
                parts = [BarPart(measured.mean, chosen[label].colour, name="mean")]
                place = f"{label} {place_of(summary, name)}"
                found.append(Bar(place, words, not measured.valid, parts=parts, interval=measured.ci95))
    return found


def _draw(layout: Layout, rows: Sequence[Bar]) -> Sheet:
    return bars_sheet("latency", layout, rows, [whisker()], _UNIT)
