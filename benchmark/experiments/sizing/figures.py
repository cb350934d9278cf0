"""The figures of a plan: what a million requests cost, and how many of a start from nothing come too late."""

from collections.abc import Sequence
from typing import Final

from benchmark.analysis.wording import significant
from benchmark.experiments.sizing.schema import PlanEntry, PlanSummary
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.bars import Bar, BarPart, bars_sheet, swatch
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import rows_csv
from benchmark.report.charts.palette import styles
from benchmark.report.charts.picture import Draw, Picture, on_page

_COST: Final = "per million requests"


def headline(summary: PlanSummary) -> Draw | None:
    """Return what draws the headline figure; None where no contender keeps the promise."""
    rows = _costs(summary)
    return (lambda layout: _draw_costs(layout, rows)) if rows else None


def all_figures(summary: PlanSummary) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order."""
    costs = _costs(summary)
    return [_costs_picture(costs), _starts_picture(summary)] if costs else []


def _costs(summary: PlanSummary) -> list[Bar]:
    chosen = styles(summary.contenders)
    return [_cost(name, each, chosen[name].colour) for name, each in summary.planned.items()]


def _cost(name: str, entry: PlanEntry, colour: str) -> Bar:
    assert entry.scoring
    cost = entry.per_million or 0.0
    return Bar(
        name, f"{significant(cost)}, {entry.scoring.replicas} pods", False, parts=[BarPart(cost, colour, name="cost")]
    )


def _costs_picture(rows: Sequence[Bar]) -> Picture:
    return Picture(
        key="cost",
        title="What a million requests cost",
        caption=(
            "At the planned rate: what all pods ask for, those of the models and of Redis included, one of each "
            "Deployment more than the rate needs. Predicted."
        ),
        alt=alt_text("Bars, cost per million requests", [f"{row.label} {row.words}" for row in rows]),
        element=on_page(lambda layout: _draw_costs(layout, rows)),
        data=rows_csv(_COST, rows),
    )


def _draw_costs(layout: Layout, rows: Sequence[Bar]) -> Sheet:
    return bars_sheet("cost", layout, rows, [swatch("pods that the rate needs, and one more")], _COST)


def _starts_picture(summary: PlanSummary) -> Picture:
    rows = _starts(summary)
    return Picture(
        key="start",
        title="How many requests of the start miss the promise",
        caption="By how many pods of the scoring handler are kept ready before it. Simulated: see the assumptions.",
        alt=alt_text("Bars, share of requests that miss the promise", [f"{row.label} {row.words}" for row in rows]),
        element=on_page(lambda layout: bars_sheet("start", layout, rows, [swatch("too late, or given up")], "%")),
        data=rows_csv("%", rows),
    )


def _starts(summary: PlanSummary) -> list[Bar]:
    chosen, found = styles(summary.contenders), []
    for name, entry in summary.planned.items():
        for row in entry.starts:
            share_pct = 100 * row.missed / max(row.requests, 1)
            part = BarPart(share_pct, chosen[name].colour, name="missed")
            found.append(Bar(f"{name}, {row.least} ready", f"{significant(share_pct, 2)} %", False, parts=[part]))
    return found
