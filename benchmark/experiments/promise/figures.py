"""The figures of a promise run: how much of it was missed, and how each second went."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmark.analysis.promises import Verdict
from benchmark.analysis.wording import significant
from benchmark.experiments.promise.answers import worst_outcome
from benchmark.experiments.promise.schema import PromiseEntry, PromiseSummary, Second
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import limits_of, number_axis, scale_note
from benchmark.report.charts.bars import Bar, BarPart, bars_sheet, swatch
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import lines_csv, rows_csv
from benchmark.report.charts.lines import Line, lines, name_ends, title
from benchmark.report.charts.palette import MUTED, styles
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

_PANEL_PX: Final = 170.0
_SECONDS: Final = "seconds since the load began"
_DASH: Final = (0, (1.0, 2.0))


@dataclass(frozen=True)
class _Panel:
    """What of each second is drawn."""

    name: str
    unit: str
    value: Callable[[Second], float | None]
    is_wide: bool = False  # spans magnitudes


_ANSWERED: Final = _Panel("answered", "requests/s", lambda second: second.done)
_IN_TIME: Final = _Panel("kept the promise", "requests/s", lambda second: second.due - second.bad)
_P99: Final = _Panel("p99", "ms", lambda second: second.p99_ms, is_wide=True)
_FIRST_P99: Final = _Panel("p99 until the first answer", "ms", lambda second: second.accepted_p99_ms, is_wide=True)
_SLOWEST: Final = _Panel("slowest answer", "ms", lambda second: second.slowest_ms, is_wide=True)
_IN_FLIGHT: Final = _Panel("requests in flight", "", lambda second: second.in_flight, is_wide=True)
_FAILED: Final = _Panel("wrong answers, or none", "requests/s", lambda second: second.failed)
_PANELS: Final = (_ANSWERED, _IN_TIME, _P99, _FIRST_P99, _SLOWEST, _IN_FLIGHT, _FAILED)
_RATES: Final = (_ANSWERED, _IN_TIME)  # beside which stands what was offered
_LATENCIES: Final = (_P99, _FIRST_P99, _SLOWEST)  # beside which stand the limits
_WITH_ANY: Final = (_P99, _FIRST_P99, _FAILED)  # drawn where there is anything to see


def headline(summary: PromiseSummary) -> Draw | None:
    """Return what draws the headline figure; None where nothing was measured."""
    rows = _rows(summary)
    return (lambda layout: _draw_missed(layout, rows)) if rows else None


def all_figures(summary: PromiseSummary) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order."""
    rows = _rows(summary)
    return [_missed_picture(rows), _course_picture(summary)] if rows else []


def _measured(summary: PromiseSummary) -> dict[str, PromiseEntry]:
    return {name: each for name, each in summary.contenders.items() if each.seconds}


def _rows(summary: PromiseSummary) -> list[Bar]:
    chosen = styles(summary.contenders)
    return [_row(name, each, chosen[name].colour) for name, each in _measured(summary).items()]


def _row(name: str, entry: PromiseEntry, colour: str) -> Bar:
    worst = worst_outcome(entry)
    share_pct = 100 * worst.bad / worst.requests
    words = (
        f"{entry.verdict}, {significant(share_pct, 2)} % missed"
        if entry.verdict is not Verdict.TOO_FEW
        else (f"not told, {significant(share_pct, 2)} % missed")
    )
    return Bar(name, words, not entry.valid, parts=[BarPart(share_pct, colour, name="missed")])


def _missed_picture(rows: Sequence[Bar]) -> Picture:
    return Picture(
        key="missed",
        title="How many requests missed the promise",
        caption=(
            "Of all requests that were due, those that were answered too late, wrongly or not at all: of the "
            "objective that was missed most. Latency counts from when a request was due."
            + struck_note(any(row.invalid for row in rows))
        ),
        alt=alt_text("Bars, share of requests that missed the promise", [f"{row.label} {row.words}" for row in rows]),
        element=on_page(lambda layout: _draw_missed(layout, rows)),
        data=rows_csv("%", rows),
    )


def _draw_missed(layout: Layout, rows: Sequence[Bar]) -> Sheet:
    return bars_sheet("missed", layout, rows, [swatch("missed the promise")], "% of requests")


def _course_picture(summary: PromiseSummary) -> Picture:
    every = {panel: _lines(summary, panel) for panel in _PANELS}
    drawn = {panel: found for panel, found in every.items() if panel not in _WITH_ANY or _shows(found)}
    said = [f"{line.label} at most {significant(max(line.y))} ms" for line in drawn[_SLOWEST] if len(line.y)]
    limits_ms = sorted({limit_ms for limit_ms in summary.limits_ms if limit_ms is not None})
    return Picture(
        key="course",
        title="The load, second by second",
        caption=(
            "By the second in which a request was due; answered: in which the answer came. Dotted: the rate that was "
            "offered, and the limits that were promised. The p99 is that of the second and of as many before it as "
            f"459 requests take; the slowest of a second rests on one answer.{_unfailing(drawn)}"
            + struck_note(any(not each.valid for each in _measured(summary).values()))
        ),
        alt=alt_text("Lines, slowest answer of each second", said),
        element=on_page(lambda layout: _draw_course(layout, summary, drawn, limits_ms)),
        data=lines_csv(_SECONDS, {f"{panel.name} [{panel.unit}]": found for panel, found in drawn.items()}),
    )


def _lines(summary: PromiseSummary, panel: _Panel) -> list[Line]:
    chosen, found = styles(summary.contenders), []
    for name, entry in _measured(summary).items():
        points = [(second, panel.value(each)) for second, each in enumerate(entry.seconds)]
        x = [second + 0.5 for second, value in points if value is not None]
        y = [float(value) for _, value in points if value is not None]
        found.append(Line(name, x, y, chosen[name], struck=not entry.valid))
    return found


def _shows(found: Sequence[Line]) -> bool:
    """Whether any line of a panel is above 0."""
    return any(value > 0 for line in found for value in line.y)


def _unfailing(drawn: Mapping[_Panel, Sequence[Line]]) -> str:
    return "" if _FAILED in drawn else " No request failed or got a wrong answer."


def _draw_course(
    layout: Layout, summary: PromiseSummary, drawn: dict[_Panel, list[Line]], limits_ms: Sequence[float]
) -> Sheet:
    sheet = Sheet("course", layout, [_PANEL_PX] * len(drawn))
    sheet.key([Line2D([], [], color=MUTED, linestyle=_DASH, linewidth=1.6, label="offered, or promised")])
    until_s = max((line.x[-1] for found in drawn.values() for line in found if len(line.x)), default=1.0) + 0.5
    for axes, (panel, found) in zip(sheet.panels, drawn.items(), strict=True):
        values = [value for line in found for value in line.y]
        if panel in _RATES:
            values += summary.expected
        if panel in _LATENCIES:
            values += limits_ms
        limits = limits_of([max(value, 1.0) for value in values] if panel.is_wide else values,
                           from_zero=not panel.is_wide)  # fmt: skip
        number_axis(axes, "x", (0.0, until_s), is_log=False)
        number_axis(axes, "y", limits, is_log=limits[0] > 0)
        unit = f" [{panel.unit}{scale_note(limits)}]" if panel.unit else scale_note(limits)
        title(axes, panel.name + unit)
        if panel in _RATES:
            _dotted(axes, [second + 0.5 for second in range(len(summary.expected))], summary.expected)
        for limit_ms in limits_ms if panel in _LATENCIES else ():
            _dotted(axes, [0.0, until_s], [limit_ms, limit_ms])
        lines(axes, found, unit=panel.unit)
        name_ends(axes, found)
    sheet.panels[-1].set_xlabel(_SECONDS)
    return sheet


def _dotted(axes: Axes, x: Sequence[float], y: Sequence[float]) -> None:
    axes.plot(x, y, color=MUTED, linestyle=_DASH, linewidth=2.0)
