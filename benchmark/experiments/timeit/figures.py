"""The figures of a timeit run, each for a desk and for a phone."""

from typing import Final

from benchmark.analysis.wording import fine_ms, significant
from benchmark.experiments.timeit import curves
from benchmark.experiments.timeit.schema import TimeitData
from benchmark.report.charts import bars
from benchmark.report.charts.chart import Box, Layout, Sheet, faint_grid, shorten
from benchmark.report.charts.palette import INK, MUTED, PAPER, styles
from benchmark.report.charts.picture import Picture, both, floor_note, headline_files, struck_note

_PANEL_PX: Final = 380.0
_BAND: Final = " The band reaches from the fastest to the slowest repeat"


def all_figures(data: TimeitData) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order."""
    drawn = [time_figure(data), per_call_figure(data)] if data.series else []
    if any(each.ms_per_call is not None for each in data.timeit.values()):
        drawn.append(cost_figure(data))
    if _percentages(data):
        drawn.append(faster_figure(data))
    return drawn


def headline(data: TimeitData) -> dict[str, str]:
    """Return the headline figure as SVG files by name, for a desk and for a phone; none without a timing."""
    if not data.series:
        return {}
    return headline_files(lambda layout: _panel("timeit-headline", layout, data, curves.TIME))


def time_figure(data: TimeitData) -> Picture:
    """Return the time of n calls in a row, over n."""
    return Picture(
        key="time",
        title="How n calls add up",
        caption=(
            "Seconds for n calls in a row over one connection, over n. Lower is better; the steepness is the time of "
            "a call." + _BAND + ", and may be narrower than its line." + _if_invalid(data)
        ),
        alt=f"Lines over the number of calls; time of {data.calls[-1]} calls: {_times_in_words(data)}.",
        **both(lambda layout: _panel("time", layout, data, curves.TIME)),
    )


def per_call_figure(data: TimeitData) -> Picture:
    """Return the same times divided by n."""
    return Picture(
        key="per-call",
        title="The same, divided by n",
        caption=(
            "Milliseconds per call over the number of calls that were timed together. The more calls, the better the "
            "models' random durations average out, and the narrower the band." + _BAND + ". Dotted: the floor, which "
            "the mean of no implementation can beat." + _if_invalid(data)
        ),
        alt=f"Lines over the number of calls, ms per call among {data.calls[-1]}: {_per_call_in_words(data)}.",
        **both(lambda layout: _panel("per-call", layout, data, curves.PER_CALL)),
    )


def cost_figure(data: TimeitData) -> Picture:
    """Return the fitted milliseconds per call, split into the floor and what is on top of it."""
    rows = [_cost_row(data, name) for name in data.timeit]
    return Picture(
        key="ms-per-call",
        title="Milliseconds per call, against the floor",
        caption=(
            f"The slope of the line through all times. {floor_note(data.common.contenders)} The whisker is the 95 % "
            "interval over the repeats." + _if_invalid(data)
        ),
        alt=f"Horizontal bars, ms per call: {bars.describe_rows(rows)}.",
        **both(lambda layout: bars.draw_bars("ms-per-call", layout, rows, bars.low_load_key(), "ms per call")),
    )


def faster_figure(data: TimeitData) -> Picture:
    """Return by how many percent each contender is faster than the baseline."""
    said = "; ".join(f"{name} {_percent(value)}" for name, value in _percentages(data).items())
    return Picture(
        key="faster",
        title=f"Faster than {data.baseline}, in percent",
        caption=(
            f"100 × (ms per call of {data.baseline} ÷ ms per call of the contender − 1): at 100 %, it makes two calls "
            f"while {data.baseline} makes one. Right of zero is faster. The whisker is the interval that decides "
            "whether a difference is shown; one that crosses zero shows none." + _if_invalid(data)
        ),
        alt=f"Points with intervals, percent faster than {data.baseline}: {said}.",
        **both(lambda layout: _draw_percentages(layout, data)),
    )


def _panel(key: str, layout: Layout, data: TimeitData, quantity: curves.Quantity) -> Sheet:
    sheet = Sheet(key, layout, max(_PANEL_PX, 110 + 32.0 * len(data.timeit)))
    curves.draw_panel(sheet, Box(0, 0, sheet.width, sheet.height), data, quantity)
    return sheet


def _cost_row(data: TimeitData, name: str) -> bars.Row:
    each, contender = data.timeit[name], data.contender(name)
    colour = styles(data.common.contenders)[name].colour
    if each.ms_per_call is None:
        return bars.Row(name, "not measured", colour)
    floor = min(contender.floor_ms, each.ms_per_call)
    label = f"{fine_ms(each.ms_per_call)} ms"
    if each.over_floor:
        label += f" = {significant(each.over_floor)} × floor"
    faint = bars.low_load_key()[0].part
    parts = (bars.Part(floor, faint.density if faint else 1.0), bars.Part(each.ms_per_call - floor))
    return bars.Row(name, label, colour, parts, each.ci95, not contender.valid)


def _percentages(data: TimeitData) -> dict[str, float]:
    """Return the percentages that there are, without the baseline's own."""
    found = {name: each.faster_than_baseline_pct for name, each in data.timeit.items() if name != data.baseline}
    return {name: value for name, value in found.items() if value is not None}


def _draw_percentages(layout: Layout, data: TimeitData) -> Sheet:
    """Draw a point with its whisker in each row; on a phone the words stand above."""
    values, chosen, above = _percentages(data), styles(data.common.contenders), layout.is_narrow
    pitch = bars.row_px(layout)
    sheet = Sheet("faster", layout, pitch * len(values) + 58)
    names = 8.0 if above else 18 + max(layout.text_px(name) for name in values)
    labels = 8.0 if above else 18 + max(layout.text_px(_percent(value)) for value in values.values())
    axes = sheet.axes(names, 4, sheet.width - names - labels, pitch * len(values))
    ends = [0.0, *values.values()] + [end for name in values for end in data.timeit[name].interval_pct or ()]
    pad = 0.04 * (max(ends) - min(ends)) or 1.0
    axes.set_xlim(min(ends) - pad, max(ends) + pad)
    axes.set_ylim(pitch * len(values), 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=MUTED, linewidth=1.2)
    axes.locator_params(axis="x", nbins=6)
    axes.set_xlabel(f"% faster than {data.baseline}", fontsize=layout.font)
    faint_grid(axes, "x")
    for i, (name, value) in enumerate(values.items()):
        middle, stands = pitch * i + (pitch - 12 if above else pitch / 2), data.percentage_stands(name)
        low, high = data.timeit[name].interval_pct or (value, value)
        error = [[max(value - low, 0.0)], [max(high - value, 0.0)]]
        axes.errorbar(value, middle, xerr=error, fmt="none", ecolor=INK, elinewidth=1.4, capsize=5, zorder=4)
        axes.plot(value, middle, chosen[name].marker, color=chosen[name].colour, markersize=8, zorder=3,
                  markerfacecolor=chosen[name].colour if stands else PAPER)  # fmt: skip
        y = 4 + middle - (20 if above else 0)
        x, side = (names, "left") if above else (names - 10, "right")
        sheet.text(x, y, shorten(name, layout, 0.5 * sheet.width), bold=above, anchor=side, struck=not stands)
        sheet.text(sheet.width - 2, y, _percent(value), anchor="right", struck=not stands)
    return sheet


def _percent(value: float) -> str:
    return f"{'+' if value > 0 else ''}{significant(value)} %"


def _times_in_words(data: TimeitData) -> str:
    return "; ".join(
        f"{name} {significant(float(frame['mean'].iloc[-1]))} s{'' if data.contender(name).valid else ' (INVALID)'}"
        for name, frame in data.series.items()
    )


def _per_call_in_words(data: TimeitData) -> str:
    return "; ".join(
        f"{name} {fine_ms(1e3 * float(frame['mean'].iloc[-1]) / int(frame['n'].iloc[-1]))} ms"
        for name, frame in data.series.items()
    )


def _if_invalid(data: TimeitData) -> str:
    return struck_note(not all(data.contender(name).valid for name in data.series))
