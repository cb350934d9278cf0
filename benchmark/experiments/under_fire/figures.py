"""The figures of a run under fire: what came in each half second, contenders beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from benchmark.analysis.wording import significant
from benchmark.experiments.under_fire.observed import BIN_S, OK
from benchmark.experiments.under_fire.schema import (
    Course,
    OverloadResult,
    TroubleResult,
    TroubleSummary,
    UnderFireSummary,
)
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import number_axis
from benchmark.report.charts.bars import swatch
from benchmark.report.charts.chart import Layout, Sheet, panel_px, shorten, strike
from benchmark.report.charts.data import as_csv
from benchmark.report.charts.palette import INK, MUTED, PAPER, density
from benchmark.report.charts.picture import Draw, Picture, on_page, struck_note

OVERLOAD_KEY: Final = "overload-course"
_GOOD, _BAD = "#0072b2", "#d55e00"
_PANEL_PX: Final = 150.0
_COLUMNS: Final = 3
_TICKS_PX: Final = 50.0  # what the numbers of an axis take at most
_SHADE_ALPHA: Final = 0.16
_RIGHT: Final = "right answers"
_SECONDS: Final = "seconds since measuring began"


@dataclass(frozen=True)
class _Panel:
    """What one contender did: its course, and when the fault was."""

    label: str
    course: Course
    shaded: tuple[float, float]
    struck: bool

    @property
    def top(self) -> float:
        """The highest rate, of all outcomes together."""
        return float(max(np.sum(list(self.course.rates.values()), axis=0), default=0.0)) if self.course.rates else 0.0

    @property
    def end_s(self) -> float:
        return self.course.t_s[-1] + BIN_S if self.course.t_s else 0.0


def headline(summary: UnderFireSummary) -> Draw | None:
    """Return what draws overload, or without it the first fault; None if nothing was measured."""
    for key, panels in (
        ("headline", _overload_panels(summary.overload)),
        *(("headline", _panels(trouble.results)) for trouble in summary.troubles),
    ):
        if panels:
            return partial(_draw, key=key, panels=panels)
    return None


def trouble_picture(trouble: TroubleSummary) -> Picture | None:
    """Return what came under one fault; None if nobody was measured."""
    panels = _panels(trouble.results)
    said = [
        f"{each.contender} {_rates(each.before_rps, each.during_rps, each.after_rps)}"
        for each in trouble.results
        if each.is_measured
    ]
    return _picture(trouble.name, f"{trouble.says[:1].upper()}{trouble.says[1:]}", "the fault", panels, said)


def overload_picture(results: Sequence[OverloadResult]) -> Picture | None:
    """Return what came under overload; None if nobody was measured."""
    said = [
        f"{each.contender} {significant(each.good_rps)} right answers per second of {significant(each.offered_rps)}"
        for each in results
        if each.is_measured
    ]
    return _picture(OVERLOAD_KEY, "Three times what each carries", "the overload", _overload_panels(results), said)


def _panels(results: Sequence[TroubleResult]) -> list[_Panel]:
    return [_Panel(r.contender, r.course, (r.begun_s, r.over_s), not r.valid) for r in results if r.is_measured]


def _overload_panels(results: Sequence[OverloadResult]) -> list[_Panel]:
    return [_Panel(r.contender, r.course, (r.begun_s, r.over_s), not r.valid) for r in results if r.is_measured]


def _rates(*rates: float | None) -> str:
    return ", ".join(significant(rate) for rate in rates) + " right answers per second before, during, after"


def _picture(key: str, name: str, shaded: str, panels: Sequence[_Panel], said: Sequence[str]) -> Picture | None:
    if not panels:
        return None
    outcomes = _outcomes(panels)
    return Picture(
        key=key,
        title=name,
        caption=(
            f"Answers per second, by half seconds: right ones in blue, all else in red by status. Shaded: {shaded}."
            + struck_note(any(panel.struck for panel in panels), hollow=False)
        ),
        alt=alt_text("Areas, answers over time", said),
        element=on_page(partial(_draw, key=key, panels=panels)),
        data=as_csv(
            ["contender", "second", *(f"{outcome} [1/s]" for outcome in outcomes)],
            (
                (panel.label, at, *(panel.course.rates[o][i] if o in panel.course.rates else 0.0 for o in outcomes))
                for panel in panels
                for i, at in enumerate(panel.course.t_s)
            ),
        ),
    )


def _outcomes(panels: Sequence[_Panel]) -> list[str]:
    """Return all outcomes, right answers first."""
    found = {outcome for panel in panels for outcome in panel.course.rates}
    return sorted(found, key=lambda outcome: (outcome != OK, outcome))


def _draw(layout: Layout, key: str, panels: Sequence[_Panel]) -> Sheet:
    sheet = Sheet(key, layout, [_PANEL_PX] * len(panels), columns=_COLUMNS)
    bad = [outcome for outcome in _outcomes(panels) if outcome != OK]
    sheet.key([swatch(_RIGHT, _GOOD), *(swatch(o, _BAD, density(place)) for place, o in enumerate(bad))])
    top, end_s = max(panel.top for panel in panels) * 1.06 or 1.0, max(panel.end_s for panel in panels)
    for axes, panel in zip(sheet.panels, panels, strict=True):
        number_axis(axes, "x", (0.0, end_s), is_log=False)
        number_axis(axes, "y", (0.0, top), is_log=False)
        name = shorten(panel.label, panel_px(axes) - _TICKS_PX, bold=True)
        strike(axes.set_title(name, pad=8), panel.struck)
        axes.axvspan(*panel.shaded, color=MUTED, alpha=_SHADE_ALPHA, linewidth=0)
        _fill(axes, panel.course, bad)
    sheet.panels[-1].set_xlabel(_SECONDS)
    return sheet


def _fill(axes: Axes, course: Course, bad: Sequence[str]) -> None:
    """Draw the outcomes on top of each other, right answers at the bottom."""
    if not course.t_s:
        return
    edges = [*course.t_s, course.t_s[-1] + BIN_S]
    floor = np.zeros(len(course.t_s))
    for outcome, colour, dense in [(OK, _GOOD, 1.0), *((o, _BAD, density(place)) for place, o in enumerate(bad))]:
        if outcome not in course.rates:
            continue
        reach = floor + np.array(course.rates[outcome])
        axes.stairs(reach, edges, baseline=floor, fill=True, facecolor=PAPER, linewidth=0)
        axes.stairs(reach, edges, baseline=floor, fill=True, facecolor=colour, alpha=dense, linewidth=0)
        floor = reach
    axes.stairs(floor, edges, color=INK, linewidth=0.6, baseline=None)
