"""The waterfall: from one contender to the other, a step for each factor, ending where the measured value stands."""

import operator
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmark.analysis.wording import Interval
from benchmark.experiments.gap.phrases import (
    NAMES,
    UNITS,
    amount,
    factor_title,
    none_of,
    setting,
    share_text,
)
from benchmark.experiments.gap.schema import MULTIPLIED, Attribution, Explained, shown
from benchmark.report.charts.bars import row_px
from benchmark.report.charts.chart import Layout, Sheet, faint_grid, shorten
from benchmark.report.charts.lines import log_ticks
from benchmark.report.charts.palette import INK, MUTED, PAPER

# Tol, Colour Schemes (2021), "muted": told apart by the colour-blind, and not the colours of contenders.
_COLOURS: Final = ("#44aa99", "#cc6677", "#999933", "#88ccee", "#aa4499")
_BAR_PX: Final = 18.0
_FAINT: Final = 0.35  # a step whose interval shows no effect
_ENDS_DENSITY: Final = 0.55
_INTERVAL_ROOM: Final = 1.5  # a whisker may stretch the axis by this, and is cut off beyond


@dataclass(frozen=True)
class Step:
    """One row: where its bar begins and ends on the axis, its interval there, and its words."""

    name: str
    amount: str
    setting: str  # what the factor was set to; empty for the two contenders
    start: float
    end: float
    interval: Interval | None
    colour: str | None  # None for the two contenders
    shown: bool = True

    @property
    def words(self) -> str:
        """What stands beside the bar."""
        return f"{self.amount} {self.setting}".rstrip()


def steps(data: Explained, response: str, attribution: Attribution) -> list[Step]:
    """Return the rows: `from`, each factor with the largest first, and `to` where it was measured."""
    colours = colours_of(data)
    shares = sorted(attribution.shares.items(), key=lambda item: -strength(response, item[1].value))
    step = operator.mul if response in MULTIPLIED else operator.add
    places = list(accumulate((share.value for _, share in shares), step, initial=attribution.from_value))
    rows = [_end_row(data, response, attribution.from_, attribution.from_value)]
    for (name, share), start, end in zip(shares, places, places[1:], strict=False):
        interval = (step(start, share.ci95[0]), step(start, share.ci95[1])) if share.ci95 else None
        rows.append(
            Step(
                name=factor_title(data, name),
                amount=share_text(response, share.value),
                setting=setting(data, name),
                start=start,
                end=end,
                interval=interval,
                colour=colours.get(name, MUTED),
                shown=shown(share.ci95, none_of(response)),
            )
        )
    return [*rows, _end_row(data, response, attribution.to, attribution.to_value)]


def strength(response: str, share: float) -> float:
    """Return how much a share does, whichever way: of several of one response, the larger does more."""
    return abs(share) if response not in MULTIPLIED else max(share, 1 / share) if share > 0 else 0.0


def remainder(response: str, attribution: Attribution) -> float:
    """Return how far the shares end from the measured value, as a share of it; 0 but for rounding."""
    place = attribution.from_value
    for share in attribution.shares.values():
        place = place * share.value if response in MULTIPLIED else place + share.value
    return place / attribution.to_value - 1 if attribution.to_value else 0.0


def colours_of(data: Explained) -> dict[str, str]:
    """Return each factor's colour: the same in every waterfall."""
    return {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(data.factors)}


def draw_waterfall(
    layout: Layout, key: str, data: Explained, response: str, attribution: Attribution, invalid: bool
) -> Sheet:
    """Draw the rows below each other; on a phone the words stand above each bar."""
    rows, above = steps(data, response, attribution), layout.is_narrow
    pitch = row_px(layout)
    sheet = Sheet(key, layout, pitch * len(rows) + 56)
    names = 6.0 if above else 16 + min(max(layout.text_px(row.name) for row in rows), 0.3 * sheet.width)
    room = 8.0 if above else min(16 + max(layout.text_px(row.words) for row in rows), 0.42 * sheet.width)
    axes = sheet.axes(names, 4, sheet.width - names - room, pitch * len(rows))
    low, high = _limits(response, rows)
    _set_axis(axes, response, (low, high))
    axes.set_ylim(pitch * len(rows), 0)
    axes.set_xlabel(_unit(response), fontsize=layout.font)
    before: float | None = None
    for i, row in enumerate(rows):
        middle = pitch * i + (pitch - _BAR_PX / 2 - 5 if above else pitch / 2)
        if before is not None:
            axes.plot([row.start if row.colour else row.end] * 2, [before, middle], color=MUTED, linewidth=0.9)
        _draw_step(axes, row, middle, low, invalid)
        before = middle
        _write(sheet, axes, row, 4 + middle, names, high, invalid)
    return sheet


def in_words(data: Explained, response: str, attribution: Attribution) -> str:
    """Return the rows in words, for those who do not see them."""
    return "; ".join(
        f"{row.name} {row.words}{'' if row.shown else ' (no effect shown)'}"
        for row in steps(data, response, attribution)
    )


def _end_row(data: Explained, response: str, name: str, value: float) -> Step:
    cell = data.cell_of(name)
    figure = cell.figure(response) if cell else None
    return Step(name, amount(response, value), "", 0.0, value, figure.ci95 if figure else None, None)


def _limits(response: str, rows: list[Step]) -> Interval:
    places = [place for row in rows for place in ((row.end,) if row.colour is None else (row.start, row.end))]
    reach = [end for row in rows for end in row.interval or ()]
    high = min(max([*places, *reach]), _INTERVAL_ROOM * max(places))
    if response in MULTIPLIED:
        return min(places) / 1.35, high * 1.08
    return min(0.0, *places), high * 1.03 or 1.0


def _set_axis(axes: Axes, response: str, limits: Interval) -> None:
    axes.set_yticks([])
    if response in MULTIPLIED:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(log_ticks(*limits)))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.locator_params(axis="x", nbins=6)
    axes.set_xlim(*limits)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    faint_grid(axes, "x")


def _unit(response: str) -> str:
    scale = ", log scale" if response in MULTIPLIED else ""
    return f"{NAMES[response]} [{UNITS[response]}{scale}]"


def _draw_step(axes: Axes, row: Step, middle: float, low: float, invalid: bool) -> None:
    """Draw one bar: solid for an effect, faint where none is shown, hollow if it is INVALID."""
    start = low if row.colour is None else min(row.start, row.end)
    length = (row.end if row.colour is None else max(row.start, row.end)) - start
    colour = row.colour or MUTED
    axes.barh(middle, length, _BAR_PX, left=start, color=PAPER)  # hides the grid
    density = 1.0 if row.colour and row.shown else _FAINT if row.colour else _ENDS_DENSITY
    how: dict[str, object] = {"facecolor": colour, "alpha": density, "linewidth": 0}
    if invalid:
        how = {"facecolor": PAPER, "edgecolor": colour, "linewidth": 1.2}
    axes.barh(middle, length, _BAR_PX, left=start, **how)  # type: ignore[arg-type]
    if row.interval:
        left, right = row.interval
        error = [[max(row.end - left, 0.0)], [max(right - row.end, 0.0)]]
        axes.errorbar(row.end, middle, xerr=error, fmt="none", ecolor=INK, elinewidth=1.4, capsize=5)


def _write(sheet: Sheet, axes: Axes, row: Step, y: float, names: float, high: float, invalid: bool) -> None:
    layout, is_end = sheet.layout, row.colour is None
    if layout.is_narrow:
        fits = layout.text_px(row.words) + layout.text_px(row.name) < sheet.width - 18
        words = row.words if fits else row.amount
        name = shorten(row.name, layout, sheet.width - layout.text_px(words) - 18)
        sheet.text(names, y - 20, name, bold=is_end, struck=invalid)
        sheet.text(sheet.width - 2, y - 20, words, anchor="right", struck=invalid)
        return
    ends = [row.end, row.start if row.colour else row.end, *(row.interval or ())]
    place = float(axes.transData.transform((min(max(ends), high), 0))[0])
    words = shorten(row.words, layout, sheet.width - place - 10)
    sheet.text(names - 8, y, shorten(row.name, layout, names - 12), bold=is_end, anchor="right", struck=invalid)
    sheet.text(place + 9, y, words, struck=invalid)
