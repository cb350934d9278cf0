"""The waterfall: from one contender to the other, a step for each factor, ending where the measured value stands."""

import operator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from matplotlib.axes import Axes

from benchmark.analysis.wording import Interval
from benchmark.experiments.gap.formats import NAMES, UNITS, amount, factor_title, setting, share_text
from benchmark.experiments.gap.schema import MULTIPLIED, Attribution, Explained, none_of, shown
from benchmark.report.charts.bars import WHISKER, ChartRow, open_rows, rows_px
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.palette import MUTED, PAPER

# Tol, Colour Schemes (2021), "muted": told apart by the colour-blind, and not the colours of contenders.
_COLOURS: Final = ("#44aa99", "#cc6677", "#999933", "#88ccee", "#aa4499")
_FAINT: Final = 0.35  # a step whose interval shows no effect
_ENDS_DENSITY: Final = 0.55
_INTERVAL_ROOM: Final = 1.5  # a whisker may stretch the axis by this, and is cut off beyond


@dataclass(frozen=True, kw_only=True)
class WaterfallStep(ChartRow):
    """One row: where its bar begins and ends on the axis, and its interval there."""

    start: float
    end: float
    interval: Interval | None
    colour: str | None = None  # None for the two contenders
    shown: bool = True

    @property
    def reach(self) -> float:
        return max(self.end, self.start if self.colour else self.end, *(self.interval or ()))


def steps(data: Explained, response: str, attribution: Attribution, invalid: bool = False) -> list[WaterfallStep]:
    """Return the rows: `from`, each factor with the largest first, and `to` where it was measured."""
    colours = colours_of(data)
    shares = sorted(attribution.shares.items(), key=lambda item: -strength(response, item[1].value))
    step = operator.mul if response in MULTIPLIED else operator.add
    places = list(accumulate((share.value for _, share in shares), step, initial=attribution.from_value))
    rows = [_end_row(data, response, attribution.from_, attribution.from_value, invalid)]
    for (name, share), start, end in zip(shares, places, places[1:], strict=False):
        interval = (step(start, share.ci95[0]), step(start, share.ci95[1])) if share.ci95 else None
        rows.append(
            WaterfallStep(
                label=factor_title(data, name),
                words=f"{share_text(response, share.value)} {setting(data, name)}".rstrip(),
                brief=share_text(response, share.value),
                invalid=invalid,
                start=start,
                end=end,
                interval=interval,
                colour=colours.get(name, MUTED),
                shown=shown(share.ci95, none_of(response)),
            )
        )
    return [*rows, _end_row(data, response, attribution.to, attribution.to_value, invalid)]


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
    """Draw the rows below each other, each step from where the last one ended."""
    rows = steps(data, response, attribution, invalid)
    sheet = Sheet(key, layout, [rows_px(len(rows), layout.width)])
    (axes,) = sheet.panels
    limits, scale = _limits(response, rows), ", log scale" if response in MULTIPLIED else ""
    unit = f"{NAMES[response]} [{UNITS[response]}{scale}]"
    thick = open_rows(axes, rows, limits, unit, response in MULTIPLIED)
    for place, row in enumerate(rows):
        if place:
            axes.plot([row.start if row.colour else row.end] * 2, [place - 1, place], color=MUTED, linewidth=0.9)
        _draw_step(axes, row, place, limits[0], thick)
    return sheet


def _end_row(data: Explained, response: str, name: str, value: float, invalid: bool) -> WaterfallStep:
    cell = data.cell_of(name)
    figure = cell.figure(response) if cell else None
    interval = figure.ci95 if figure else None
    return WaterfallStep(name, amount(response, value), invalid, start=0.0, end=value, interval=interval)


def _limits(response: str, rows: list[WaterfallStep]) -> Interval:
    places = [place for row in rows for place in ((row.end,) if row.colour is None else (row.start, row.end))]
    reach = [end for row in rows for end in row.interval or ()]
    high = min(max([*places, *reach]), _INTERVAL_ROOM * max(places))
    if response in MULTIPLIED:
        return min(places) / 1.35, high * 1.08
    return min(0.0, *places), high * 1.03 or 1.0


def _draw_step(axes: Axes, row: WaterfallStep, place: int, low: float, thick: float) -> None:
    """Draw one bar: solid for an effect, faint where none is shown, hollow if it is INVALID."""
    start, end = sorted((row.start if row.colour else low, row.end))
    colour = row.colour or MUTED
    density = 1.0 if row.colour and row.shown else _FAINT if row.colour else _ENDS_DENSITY
    solid: dict[str, Any] = {"facecolor": colour, "alpha": density, "linewidth": 0}
    hollow: dict[str, Any] = {"facecolor": PAPER, "edgecolor": colour, "linewidth": 1.2}
    axes.barh(place, end - start, thick, left=start, color=PAPER)  # hides the grid
    axes.barh(place, end - start, thick, left=start, **(hollow if row.invalid else solid))
    if row.interval:
        left, right = row.interval
        error = [[max(row.end - left, 0.0)], [max(right - row.end, 0.0)]]
        axes.errorbar(row.end, place, xerr=error, **WHISKER)
