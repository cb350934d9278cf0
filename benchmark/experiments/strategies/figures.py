"""The figures of a run of strategies: what each gained, and each law beside what was measured."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from matplotlib.lines import Line2D

from benchmark.analysis.wording import significant
from benchmark.experiments.strategies.figures_in_time import LAW_DASH, over_time_picture, stages_picture
from benchmark.experiments.strategies.schema import ChartData, LawResult, StrategiesSummary, StrategySummary
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import number_axis
from benchmark.report.charts.bars import Bar, BarPart, Point, bars_sheet, points, rows_px, whisker
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import lines_csv, rows_csv
from benchmark.report.charts.lines import Line, lines, name_ends
from benchmark.report.charts.palette import MUTED, Style, styles
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

_PANEL_PX: Final = 300.0
_CUT: Final = 1.4  # times the largest figure: a tolerance that reaches beyond is cut off there


@dataclass(frozen=True)
class _Drawn:
    """What is drawn under the name of a contender."""

    harness_floor: bool = False


def headline(summary: StrategiesSummary) -> Draw | None:
    """Return what draws the gain of each strategy; None without any."""
    rows = _gain_rows(summary)
    return partial(_draw_gains, rows=rows) if rows else None


def gains_picture(summary: StrategiesSummary) -> Picture | None:
    """Return the gain of each strategy; None without any."""
    rows = _gain_rows(summary)
    if not rows:
        return None
    return Picture(
        key="gains",
        title="What each strategy gains, for the trouble that it is made for",
        caption=(
            "How many times as good the strategy is as doing without. The whisker is the range of the blocks. "
            "Gains of different strategies are of different figures: they do not compete."
            + struck_note(any(row.invalid for row in rows))
        ),
        alt=alt_text("Bars, gain of each strategy", [f"{row.label} {row.words}" for row in rows]),
        element=on_page(partial(_draw_gains, rows=rows)),
        data=rows_csv("times", rows),
    )


def strategy_pictures(name: str, strategy: StrategySummary) -> list[Picture]:
    """Return the pictures of a strategy: its own charts, then all of its laws."""
    prefix = f"{name.replace('_', '-')}-"  # of its contenders' names, which says nothing in its own section
    charts = [_without_prefix(chart, prefix) for chart in strategy.charts]
    drawn = [_chart_picture(f"{name}-{i}", chart) for i, chart in enumerate(charts) if chart.points]
    drawn += [
        over_time_picture(f"{name}-over-time-{i}", e, prefix) for i, e in enumerate(strategy.over_time) if e.lines
    ]
    drawn += [stages_picture(f"{name}-stages-{i}", e, prefix) for i, e in enumerate(strategy.stages) if e.rows]
    rows = _law_rows(strategy, prefix)
    if rows:
        drawn.append(_laws_picture(f"{name}-laws", rows))
    return drawn


def _without_prefix(chart: ChartData, prefix: str) -> ChartData:
    points = [point.model_copy(update={"subject": point.subject.removeprefix(prefix)}) for point in chart.points]
    return chart.model_copy(update={"points": tuple(points)})


def _gain_rows(summary: StrategiesSummary) -> list[Bar]:
    colours = styles({name: _Drawn() for name in summary.strategies})
    rows = []
    for name, strategy in summary.strategies.items():
        gain = strategy.gain
        if gain is None or gain.times is None:
            continue
        interval = (
            (gain.low, gain.high) if gain.low is not None and gain.high is not None and summary.blocks > 1 else None
        )
        parts = (BarPart(gain.times, colours[name].colour, name="gain"),)
        words = f"{significant(gain.times, 2)} ×"
        rows.append(Bar(name.replace("_", " "), words, not gain.valid, parts=parts, interval=interval))
    return rows


def _draw_gains(layout: Layout, rows: Sequence[Bar]) -> Sheet:
    return bars_sheet("gains", layout, rows, [whisker("range of the blocks")], "times")


def _law_rows(strategy: StrategySummary, prefix: str) -> list[Point]:
    """Return each law as a share of what it expects; a bound, or a law that expects nothing, is in the table only."""
    chosen = styles({law.subject: _Drawn() for law in strategy.laws})
    rows = []
    for law in strategy.laws:
        is_bound = not law.at_least and law.at_most == law.expected
        if law.value is None or not law.expected or is_bound:
            continue
        measured = f"{called(law.figure)} {significant(law.value)} {law.unit}".rstrip()
        words = f"{measured}, law {significant(law.expected)}"
        tolerance = (law.at_least / law.expected, law.at_most / law.expected)
        subject = law.subject.removeprefix(prefix)
        label = f"{subject} {law.load}" if law.load else called(law.figure)
        brief = f"{significant(law.value / law.expected)} × law"
        value, style = law.value / law.expected, chosen[law.subject]
        rows.append(Point(label, words, not law.valid, brief, value=value, style=style, interval=tolerance))
    return rows


def _laws_picture(key: str, rows: Sequence[Point]) -> Picture:
    return Picture(
        key=key,
        title="Measured, as a multiple of the law",
        caption=(
            "At 1, the measurement is what the law says. The whisker is the tolerance, which was fixed before the run."
            + struck_note(any(row.invalid for row in rows))
        ),
        alt=alt_text("Points, measured over law", [f"{row.label} {row.words}" for row in rows]),
        element=on_page(lambda layout: _draw_laws(key, layout, rows)),
        data=rows_csv("times", rows),
    )


def _draw_laws(key: str, layout: Layout, rows: Sequence[Point]) -> Sheet:
    ends = [1.0] + [end for row in rows for end in (row.value, *(row.interval or ()))]
    ends = [min(end, _CUT * max(1.0, *(row.value for row in rows))) for end in ends]
    pad = 0.04 * (max(ends) - min(ends)) or 0.1
    sheet = Sheet(key, layout, [rows_px(len(rows), layout.width)])
    points(sheet.panels[0], rows, (max(min(ends) - pad, 0.0), max(ends) + pad), "times the law")
    sheet.panels[0].axvline(1, color=MUTED, linewidth=1.2)
    return sheet


def _chart_picture(key: str, chart: ChartData) -> Picture:
    series = _chart_lines(chart)
    said = [f"{line.label} {significant(line.y[-1])} {chart.unit} at {line.x[-1]:g}" for line in series]
    return Picture(
        key=key,
        title=chart.title,
        caption=(
            "Points: the median of the blocks, with their range. Dotted: the law, computed before the run."
            + struck_note(any(not point.valid for point in chart.points))
        ),
        alt=alt_text(f"Lines over {chart.x_label}", said),
        element=on_page(lambda layout: _draw_chart(key, layout, chart, series)),
        data=lines_csv(chart.x_label, {chart.figure: [*series, *_law_lines(chart)]}),
    )


def _draw_chart(key: str, layout: Layout, chart: ChartData, series: Sequence[Line]) -> Sheet:
    sheet = Sheet(key, layout, [_PANEL_PX])
    sheet.key([Line2D([], [], color=MUTED, linestyle=LAW_DASH, linewidth=1.6, label="law")])
    (axes,) = sheet.panels
    axes.set_xlabel(chart.x_label)
    laws = _law_lines(chart)
    places = [x for line in series for x in line.x]
    heights = [y for line in (*series, *laws) for y in (*line.y, *line.high)]
    if chart.is_log:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlim(min(places) / 1.1, max(places) * 1.1)
    else:
        number_axis(axes, "x", (0.0, max(places) * 1.02), is_log=False)
    number_axis(axes, "y", (0.0, max(heights) * 1.06 or 1.0), is_log=False)
    axes.set_title(called(chart.figure) + (f" [{chart.unit}]" if chart.unit else ""), pad=8)
    for law in laws:
        axes.plot(law.x, law.y, color=law.style.colour, linestyle=LAW_DASH, linewidth=2.4)
    lines(axes, series, unit=chart.unit)
    name_ends(axes, series)
    return sheet


def _chart_lines(chart: ChartData) -> list[Line]:
    found = []
    for name, style in _chart_styles(chart).items():
        own = sorted((point for point in chart.points if point.subject == name), key=lambda point: point.x)
        x, y, low, high = ([getattr(point, key) for point in own] for key in ("x", "value", "low", "high"))
        found.append(Line(name, x, y, style, low, high, [not point.valid for point in own]))
    return found


def _law_lines(chart: ChartData) -> list[Line]:
    found = []
    for name, style in _chart_styles(chart).items():
        known = sorted((p.x, p.expected) for p in chart.points if p.subject == name and p.expected is not None)
        if known:
            found.append(Line(f"{name}, law", [x for x, _ in known], [y for _, y in known], style))
    return found


def _chart_styles(chart: ChartData) -> Mapping[str, Style]:
    return styles({point.subject: _Drawn() for point in chart.points})


def off_in_words(law: LawResult) -> str:
    """Return how far a measurement is off its law; nothing for a bound, below which nothing is expected."""
    is_bound = not law.at_least and law.expected == law.at_most
    return "" if law.off is None or is_bound else f"{law.off:+.1%}".replace("%", " %").replace("-", "−")


def called(figure: str) -> str:
    """Return the name of a figure in words, without its unit."""
    return re.sub(r"_(ms|rps|pct|mb|per_s)$", "", figure).replace("_", " ")
