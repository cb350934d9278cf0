"""Predicted line and measured points over users: rate and median latency, for each contender."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmark.experiments.gap.phrases import percent
from benchmark.experiments.gap.schema import Explained, Predicted
from benchmark.report.charts.chart import Box, Layout, Sheet, faint_grid
from benchmark.report.charts.lines import log_ticks
from benchmark.report.charts.palette import INK, MUTED, PAPER, Style

_PANEL_PX: Final = 210.0
_KEY_PX: Final = 24.0
_LOG_FROM: Final = 6.0


@dataclass(frozen=True)
class Quantity:
    """What is drawn over the users."""

    title: str
    predicted: Callable[[Predicted], float | None]
    measured: Callable[[Predicted], float | None]
    may_be_log: bool

    def error(self, row: Predicted) -> float | None:
        """Return predicted / measured - 1, None where one of them is missing or the level was fitted."""
        predicted, measured = self.predicted(row), self.measured(row)
        return None if row.calibrated or predicted is None or not measured else predicted / measured - 1


RATE: Final = Quantity("rate [requests/s]", lambda row: row.rps_predicted, lambda row: row.rps_measured, False)
P50: Final = Quantity("p50 [ms]", lambda row: row.p50_predicted_ms, lambda row: row.p50_measured_ms, True)
QUANTITIES: Final = (RATE, P50)


def draw_prediction(layout: Layout, data: Explained) -> Sheet:
    """Draw a row for each contender: rate and median side by side; on a phone below each other."""
    names = [name for name in data.contenders if data.prediction.get(name)]
    columns = 1 if layout.is_narrow else 2
    lines = 2 if layout.is_narrow else 1
    top = _KEY_PX * lines + 6
    sheet = Sheet("prediction", layout, top + _PANEL_PX * len(names) * 2 / columns)
    _draw_key(sheet)
    width = sheet.width / columns
    for i, name in enumerate(names):
        for j, quantity in enumerate(QUANTITIES):
            row, column = divmod(2 * i + j, columns)
            box = Box(column * width, top + row * _PANEL_PX, width, _PANEL_PX)
            _draw_panel(sheet, box, data, name, quantity)
    return sheet


def errors(
    rows: Sequence[Predicted], quantity: Quantity, below: int | None = None, since: int | None = None
) -> list[tuple[int, float]]:
    """Return the users and the error of each level below one number of users, or from another on.

    What was measured and is INVALID is no measure of a prediction.
    """
    return [
        (row.users, error)
        for row in rows
        if (error := quantity.error(row)) is not None and not row.reasons
        if (below is None or row.users < below) and (since is None or row.users >= since)
    ]


def worst(rows: Sequence[Predicted], quantity: Quantity) -> tuple[int, float] | None:
    """Return the users and the error of the level that was predicted worst."""
    return max(errors(rows, quantity), key=lambda each: abs(each[1]), default=None)


def _draw_panel(sheet: Sheet, box: Box, data: Explained, name: str, quantity: Quantity) -> None:
    layout, rows = sheet.layout, sorted(data.prediction[name], key=lambda row: row.users)
    sheet.text(box.left + 2, box.top + 10, f"{name}: {quantity.title}", bold=True)
    found = worst(rows, quantity)
    if found:
        sheet.text(box.right - 12, box.top + 10, f"worst {percent(found[1])}", colour=MUTED, anchor="right")
    axes = sheet.axes(box.left + 52, box.top + 26, box.width - 66, box.height - 80)
    _set_axes(axes, rows, quantity, layout)
    _draw_lines(axes, rows, quantity, data.styles[name])


def _set_axes(axes: Axes, rows: Sequence[Predicted], quantity: Quantity, layout: Layout) -> None:
    users = [row.users for row in rows]
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(users) / 1.3, max(users) * 1.3)
    axes.xaxis.set_major_locator(FixedLocator(users))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.set_xlabel("users at the same time [log scale]", fontsize=layout.font)
    values = [v for row in rows for v in (quantity.predicted(row), quantity.measured(row)) if v is not None] or [1.0]
    low, high = min(values), max(values)
    if quantity.may_be_log and low > 0 and high / low > _LOG_FROM:
        axes.set_yscale("log")
        axes.set_ylim(low * 0.8, high * 1.25)
        axes.yaxis.set_major_locator(FixedLocator(log_ticks(low * 0.8, high * 1.25)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.set_ylim(0, high * 1.1 or 1.0)
        axes.locator_params(axis="y", nbins=5)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    faint_grid(axes, "y")


def _draw_lines(axes: Axes, rows: Sequence[Predicted], quantity: Quantity, style: Style) -> None:
    """Draw the prediction as a line and measurements as points, hollow where the prediction was fitted on them."""
    line = [(row.users, value) for row in rows if (value := quantity.predicted(row)) is not None]
    axes.plot([x for x, _ in line], [y for _, y in line], color=style.colour, linewidth=2.0)
    for row in rows:
        value = quantity.measured(row)
        if value is not None:
            face = PAPER if row.calibrated else style.colour
            marker = "x" if row.reasons else "o"
            axes.plot(row.users, value, marker, markersize=7.5, markerfacecolor=face, markeredgecolor=INK,
                      markeredgewidth=1.2, zorder=4)  # fmt: skip


def _draw_key(sheet: Sheet) -> None:
    entries = (("predicted", None), ("measured", MUTED), ("measured, and fitted on", PAPER))
    x, y = 2.0, _KEY_PX / 2
    for text, face in entries:
        if x > 2 and x + 30 + sheet.layout.text_px(text) > sheet.width:
            x, y = 2.0, y + _KEY_PX
        axes = sheet.axes(x, y - 8, 22, 16)
        axes.set_axis_off()
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        if face is None:
            axes.plot([0, 1], [0.5, 0.5], color=MUTED, linewidth=2.0)
        else:
            axes.plot(0.5, 0.5, "o", markersize=7.5, markerfacecolor=face, markeredgecolor=INK, markeredgewidth=1.2)
        sheet.text(x + 28, y, text, colour=MUTED)
        x += 52 + sheet.layout.text_px(text)
