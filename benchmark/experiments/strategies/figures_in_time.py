"""The figures of a strategy that answers later: what a service says in the course of a load, and an answer's stages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.lines import Line2D

from benchmark.analysis.wording import significant
from benchmark.experiments.strategies.schema import OverTimeData, StagesData
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import number_axis
from benchmark.report.charts.bars import Bar, BarPart, bars_sheet, swatch
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import lines_csv, rows_csv
from benchmark.report.charts.lines import Line, lines, name_ends
from benchmark.report.charts.palette import MUTED, Style, styles
from benchmark.report.charts.picture import Picture, on_page, struck_note

LAW_DASH: Final = (0, (1.0, 2.0))
_PANEL_PX: Final = 260.0
_SECONDS: Final = "seconds since the load began"


@dataclass(frozen=True)
class _Drawn:
    """What is drawn under the name of a contender, or of a stage."""

    harness_floor: bool = False


def over_time_picture(key: str, course: OverTimeData, prefix: str) -> Picture:
    """Return a picture of a watched statistic; `prefix` is left out of the contenders' names."""
    chosen = styles({line.subject: _Drawn() for line in course.lines})
    drawn = [
        Line(line.subject.removeprefix(prefix), line.t_s, line.values, chosen[line.subject], struck=not line.valid)
        for line in course.lines
    ]
    x, y = [t_s for t_s, _ in course.expected], [value for _, value in course.expected]
    law = [Line("law", x, y, Style(MUTED, ""))] if course.expected else []
    called = course.gauge.replace("_", " ")
    said = [f"{line.label} at most {significant(max(line.y))} {course.unit}".rstrip() for line in drawn]
    return Picture(
        key=key,
        title=course.title,
        caption=(
            "What the service said of itself, twice a second, in the first block."
            + (" Dotted: the law, computed before the run." if law else "")
            + struck_note(any(line.struck for line in drawn))
        ),
        alt=alt_text(f"Lines, {called} over time", said),
        element=on_page(lambda layout: _draw_course(key, layout, course, drawn, law)),
        data=lines_csv(_SECONDS, {course.gauge: [*drawn, *law]}),
    )


def _draw_course(key: str, layout: Layout, course: OverTimeData, drawn: Sequence[Line], law: Sequence[Line]) -> Sheet:
    sheet = Sheet(key, layout, [_PANEL_PX])
    (axes,) = sheet.panels
    if law:
        sheet.key([Line2D([], [], color=MUTED, linestyle=LAW_DASH, linewidth=1.6, label="law")])
    axes.set_xlabel(_SECONDS)
    places = [x for line in (*drawn, *law) for x in line.x]
    heights = [y for line in (*drawn, *law) for y in line.y]
    number_axis(axes, "x", (0.0, max(places) * 1.02), is_log=False)
    number_axis(axes, "y", (0.0, max(heights) * 1.06 or 1.0), is_log=False)
    axes.set_title(course.gauge.replace("_", " ") + (f" [{course.unit}]" if course.unit else ""), pad=8)
    for line in law:
        axes.plot(line.x, line.y, color=MUTED, linestyle=LAW_DASH, linewidth=2.4)
    lines(axes, drawn, unit=course.unit)
    name_ends(axes, drawn)
    return sheet


def stages_picture(key: str, stages: StagesData, prefix: str) -> Picture:
    """Return a picture of the stages of an answer, one after the other, a bar for each contender."""
    names = dict.fromkeys(part.name for row in stages.rows for part in row.parts)
    colours = styles({name: _Drawn() for name in names})
    rows = [
        Bar(
            row.subject.removeprefix(prefix),
            f"{significant(sum(part.value for part in row.parts))} {stages.unit}",
            not row.valid,
            parts=[BarPart(part.value, colours[part.name].colour, apart=True, name=part.name) for part in row.parts],
        )
        for row in stages.rows
    ]
    entries = [swatch(name, colours[name].colour) for name in names]
    said = [
        f"{row.label}: " + ", ".join(f"{name} {significant(value)} {stages.unit}" for name, value in row.values.items())
        for row in rows
    ]
    return Picture(
        key=key,
        title=stages.title,
        caption="How long each stage takes on average, one after the other, from the submission to the answer."
        + struck_note(any(row.invalid for row in rows)),
        alt=alt_text("Bars, stages of an answer", said),
        element=on_page(lambda layout: bars_sheet(key, layout, rows, entries, stages.unit)),
        data=rows_csv(stages.unit, rows),
    )
