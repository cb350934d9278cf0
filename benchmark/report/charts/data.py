"""What a chart is drawn from, as a small CSV that a page offers beside it."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from benchmark.report.charts.bars import Bar, Point
from benchmark.report.charts.lines import Line


def as_csv(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table as CSV: numbers with six significant digits, nothing where there is none."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row] for row in rows)
    return out.getvalue()


def lines_csv(x: str, series: Mapping[str, Sequence[Line]]) -> str:
    """Return a row for each point of the lines, which are given by the name of what they show."""
    return as_csv(
        ["figure", "name", x, "value", "low", "high", "state"],
        (
            (figure, line.label, line.x[i], float(line.y[i]), *_ends(line, i), _state(line.hollow[i]))
            for figure, lines in series.items()
            for line in lines
            for i in range(len(line.x))
        ),
    )


def rows_csv(unit: str, rows: Sequence[Bar] | Sequence[Point]) -> str:
    """Return the rows of a chart of bars or points: their parts, their intervals, and the words beside them."""
    parts = list(dict.fromkeys(name for row in rows for name in row.values))
    return as_csv(
        ["name", *(f"{part} [{unit}]" for part in parts), "low", "high", "label", "state"],
        (
            (
                row.label,
                *(row.values.get(part, "") for part in parts),
                *(row.interval or ("", "")),
                row.words,
                _state(row.invalid),
            )
            for row in rows
        ),
    )


def _ends(line: Line, place: int) -> tuple[object, object]:
    return (line.low[place], line.high[place]) if line.low else ("", "")


def _state(invalid: bool) -> str:
    return "INVALID" if invalid else ""
