"""Predicted line and measured points over users: rate and median latency, for each contender."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmark.experiments.gap.formats import percent
from benchmark.experiments.gap.schema import Explained, Predicted
from benchmark.report.charts.axis import limits_of, number_axis, users_axis
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.lines import title
from benchmark.report.charts.palette import INK, MUTED, PAPER, Style

_PANEL_PX: Final = 132.0
_MARK: Final[dict[str, Any]] = {"markersize": 7.5, "markeredgecolor": INK, "markeredgewidth": 1.2, "linestyle": "none"}


@dataclass(frozen=True)
class PredictedQuantity:
    """What is drawn over the users."""

    title: str
    predicted: Callable[[Predicted], float | None]
    measured: Callable[[Predicted], float | None]
    may_be_log: bool

    def error(self, row: Predicted) -> float | None:
        """Return predicted / measured - 1, None where one of them is missing or the level was fitted."""
        predicted, measured = self.predicted(row), self.measured(row)
        return None if row.calibrated or predicted is None or not measured else predicted / measured - 1


RATE: Final = PredictedQuantity("rate [requests/s]", lambda row: row.rps_predicted, lambda row: row.rps_measured, False)
P50: Final = PredictedQuantity("p50 [ms]", lambda row: row.p50_predicted_ms, lambda row: row.p50_measured_ms, True)
QUANTITIES: Final = (RATE, P50)


def draw_prediction(layout: Layout, data: Explained) -> Sheet:
    """Draw a row for each contender: rate and median side by side; on a phone below each other."""
    drawn = [(name, quantity) for name in data.contenders if data.prediction.get(name) for quantity in QUANTITIES]
    sheet = Sheet("prediction", layout, [_PANEL_PX] * len(drawn), columns=2)
    sheet.key(_key())
    for axes, (name, quantity) in zip(sheet.panels, drawn, strict=True):
        rows = sorted(data.prediction[name], key=lambda row: row.users)
        found = worst(rows, quantity)
        title(axes, f"{name}: {quantity.title}", f"worst {percent(found[1])}" if found else "")
        _draw(axes, rows, quantity, data.styles[name])
    return sheet


def errors(rows: Sequence[Predicted], quantity: PredictedQuantity) -> list[tuple[int, float]]:
    """Return the users and the error of each level; what was measured and is INVALID is no measure of a prediction."""
    return [(row.users, error) for row in rows if (error := quantity.error(row)) is not None and not row.reasons]


def worst(rows: Sequence[Predicted], quantity: PredictedQuantity) -> tuple[int, float] | None:
    """Return the users and the error of the level that was predicted worst."""
    return max(errors(rows, quantity), key=lambda each: abs(each[1]), default=None)


def _draw(axes: Axes, rows: Sequence[Predicted], quantity: PredictedQuantity, style: Style) -> None:
    """Draw the prediction as a line and measurements as points, hollow where the prediction was fitted on them."""
    line = [(row.users, value) for row in rows if (value := quantity.predicted(row)) is not None]
    points = [(row, value) for row in rows if (value := quantity.measured(row)) is not None]
    limits = limits_of([v for _, v in line] + [v for _, v in points], from_zero=not quantity.may_be_log)
    users_axis(axes, [row.users for row in rows])
    number_axis(axes, "y", limits, limits[0] > 0)
    axes.plot([x for x, _ in line], [y for _, y in line], color=style.colour, linewidth=2)
    for row, value in points:
        face = PAPER if row.calibrated else style.colour
        axes.plot(row.users, value, marker="x" if row.reasons else "o", markerfacecolor=face, zorder=4, **_MARK)


def _key() -> list[Artist]:
    measured = (("measured", MUTED), ("measured, and fitted on", PAPER))
    marks = [Line2D([], [], marker="o", markerfacecolor=face, label=text, **_MARK) for text, face in measured]
    return [Line2D([], [], color=MUTED, linewidth=2, label="predicted"), *marks]
