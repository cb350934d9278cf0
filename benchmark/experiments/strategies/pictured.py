"""Evidence -> what the pictures of a strategy show, beside its law."""

from collections.abc import Mapping

import numpy as np

from benchmark.experiments.strategies.evidence import Evidence
from benchmark.experiments.strategies.law import Chart, OverTime, Stages, Strategy
from benchmark.experiments.strategies.schema import (
    ChartData,
    ChartPoint,
    OverTimeData,
    OverTimeLine,
    StagePart,
    StagesData,
    StagesRow,
)


def chart_data(chart: Chart, strategy: Strategy, subjects: Mapping[str, Evidence]) -> ChartData:
    """Return the points of a chart: the median of the blocks, their range, and the law."""
    points = []
    for name in chart.subjects:
        laws = {law.load: law for law in strategy.laws if (law.subject, law.figure.name) == (name, chart.figure.name)}
        for load, x in chart.over.items():
            known = subjects[name].known(chart.figure, load)
            if not known:
                continue
            ends = float(np.median(known)), min(known), max(known)
            value, low, high = (float(f"{end:.6g}") for end in ends)
            expected = laws[load].expected if load in laws else None
            valid = not subjects[name].reasons_of(load)
            line, place = chart.point_of.get(name, (name, x))
            points.append(
                ChartPoint(subject=line, x=place, value=value, low=low, high=high, expected=expected, valid=valid)
            )
    return ChartData(
        title=chart.title,
        figure=chart.figure.name,
        unit=chart.figure.unit,
        x_label=chart.x_label,
        is_log=chart.is_log,
        points=tuple(points),
    )


def over_time_data(asked: OverTime, subjects: Mapping[str, Evidence]) -> OverTimeData:
    """Return what was watched in the first block that has it."""
    lines = []
    for name in asked.subjects:
        of_load = [seen for (load, _), seen in sorted(subjects[name].observed.items()) if load == asked.load]
        series = next((seen.series for seen in of_load if seen.series), ())
        known = [(t_s, float(said[asked.gauge])) for t_s, said in series if said.get(asked.gauge) is not None]
        if known:
            t_s, values = zip(*known, strict=True)
            valid = not subjects[name].reasons_of(asked.load)
            lines.append(OverTimeLine(subject=name, t_s=t_s, values=values, valid=valid))
    return OverTimeData(
        title=asked.title,
        gauge=asked.gauge,
        unit=asked.unit,
        lines=tuple(lines),
        expected=tuple(sorted(asked.expected.items())),
    )


def stages_data(asked: Stages, subjects: Mapping[str, Evidence]) -> StagesData:
    """Return how long each stage took, as the median of the blocks; without a contender that lacks one."""
    rows = []
    for name in asked.subjects:
        known = [(stage, subjects[name].known(figure, asked.load)) for stage, figure in asked.stages]
        if all(values for _, values in known):
            parts = tuple(StagePart(name=stage, value=float(f"{np.median(values):.6g}")) for stage, values in known)
            rows.append(StagesRow(subject=name, parts=parts, valid=not subjects[name].reasons_of(asked.load)))
    return StagesData(title=asked.title, unit=asked.stages[0][1].unit, rows=tuple(rows))
