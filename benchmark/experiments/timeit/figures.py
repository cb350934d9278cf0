"""The figures of a timeit run, each for a desk and for a phone."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from benchmark.analysis.wording import fine_ms, significant
from benchmark.experiments.timeit.schema import TimeitData
from benchmark.report.charts.axis import number_axis
from benchmark.report.charts.bars import Bar, Point, bars_sheet, floor_key, floor_parts, in_words, points, rows_px
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import lines_csv, rows_csv
from benchmark.report.charts.lines import Line, lines, name_ends, title
from benchmark.report.charts.palette import MUTED, Style, styles
from benchmark.report.charts.picture import Draw, Picture, floor_note, on_page, struck_note

_PANEL_PX: Final = 290.0
_FLOOR: Final = Style(MUTED, "", (1.0, 2.0))
_BAND: Final = " The band reaches from the fastest to the slowest repeat"


def all_figures(data: TimeitData) -> list[Picture]:
    """Return the figures for which there is anything to draw, in reading order."""
    drawn = [time_figure(data), per_call_figure(data)] if data.series else []
    if any(each.ms_per_call is not None for each in data.timeit.values()):
        drawn.append(cost_figure(data))
    if _percentages(data):
        drawn.append(faster_figure(data))
    return drawn


def headline(data: TimeitData) -> Draw | None:
    """Return what draws the headline figure; None without a timing."""
    return partial(_draw_lines, "timeit-headline", data=data, per_call=False) if data.series else None


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
        element=on_page(partial(_draw_lines, "time", data=data, per_call=False)),
        data=_data(data, "seconds", per_call=False),
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
        element=on_page(partial(_draw_lines, "per-call", data=data, per_call=True)),
        data=_data(data, "ms per call", per_call=True),
    )


def cost_figure(data: TimeitData) -> Picture:
    """Return the fitted milliseconds per call, split into the floor and what is on top of it."""
    rows = [_cost_bar(data, name) for name in data.timeit]
    return Picture(
        key="ms-per-call",
        title="Milliseconds per call, against the floor",
        caption=(
            f"The slope of the line through all times. {floor_note(_floors_ms(data, data.common.contenders))} "
            "The whisker is the 95 % interval over the repeats." + _if_invalid(data)
        ),
        alt=f"Horizontal bars, ms per call: {in_words(rows)}.",
        element=on_page(lambda layout: bars_sheet("ms-per-call", layout, rows, floor_key(), "ms per call")),
        data=rows_csv("ms", rows),
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
        element=on_page(lambda layout: _draw_percentages(layout, data)),
    )


def _cost_bar(data: TimeitData, name: str) -> Bar:
    each, contender = data.timeit[name], data.contender(name)
    colour = styles(data.common.contenders)[name].colour
    if each.ms_per_call is None:
        return Bar(name, "not measured")
    over = f" = {significant(each.over_floor)} × floor" if each.over_floor else ""
    parts = floor_parts(each.ms_per_call, contender.floor_ms, colour)
    words = f"{fine_ms(each.ms_per_call)} ms{over}"
    return Bar(name, words, not contender.valid, parts=parts, interval=each.ci95)


def _draw_lines(key: str, layout: Layout, data: TimeitData, per_call: bool) -> Sheet:
    """Draw the time of every contender over the number of calls: of all of them in s, or of each in ms."""
    sheet = Sheet(key, layout, [max(_PANEL_PX, 36.0 * len(data.timeit))])
    (axes,) = sheet.panels
    series = [_line(data, name, per_call) for name in data.series]
    fewest, most = (float(pick(pick(line.x) for line in series)) for pick in (min, max))
    high, low = max(max(line.high) for line in series), 0.0
    title(axes, "Time per call [ms]" if per_call else "Time of n calls [s]")
    axes.set_xlabel(f"calls in a row, n{' [log scale]' if per_call else ''}")
    floors = [_floor_line(floor_ms, fewest, most) for floor_ms in _floors_ms(data, data.series)] if per_call else []
    if per_call:
        low = 0.9 * min(min(each) for each in [*(line.low for line in series), *(floor.y for floor in floors)])
        _calls_axis(axes, fewest, most)
    else:
        number_axis(axes, "x", (0.0, most * 1.02), is_log=False)
        axes.grid(visible=False, axis="x")
    number_axis(axes, "y", (low, high * 1.04), is_log=False)
    lines(axes, series, band=True)
    for floor in floors:
        axes.axhline(floor.y[0], **_FLOOR.line, linewidth=1.2)
    name_ends(axes, [*series, *floors])
    return sheet


def _calls_axis(axes: Axes, fewest: float, most: float) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xlim(fewest / 1.1, most * 1.1)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _data(data: TimeitData, unit: str, per_call: bool) -> str:
    return lines_csv("calls", {unit: [_line(data, name, per_call) for name in data.series]})


def _line(data: TimeitData, name: str, per_call: bool) -> Line:
    """Return a contender's mean with the range of its repeats."""
    frame = data.series[name]
    scale = 1e3 / frame["n"] if per_call else 1.0
    mean, low, high = ((frame[column] * scale).tolist() for column in ("mean", "low", "high"))
    ms, valid = data.timeit[name].ms_per_call, data.contender(name).valid
    words = "" if ms is None else f"{fine_ms(ms)} ms per call"
    style = styles(data.common.contenders)[name]
    return Line(name, frame["n"].tolist(), mean, style, low, high, words=words, struck=not valid)


def _floor_line(floor_ms: float, fewest: float, most: float) -> Line:
    return Line(f"floor {significant(floor_ms)} ms", [fewest, most], [floor_ms, floor_ms], _FLOOR)


def _floors_ms(data: TimeitData, names: Iterable[str]) -> list[float]:
    """Return the distinct floors of these contenders."""
    floors = {data.contender(name).floor_ms for name in names}
    return sorted(floor for floor in floors if floor > 0)


def _percentages(data: TimeitData) -> dict[str, float]:
    """Return the percentages that there are, without the baseline's own."""
    found = {name: each.faster_than_baseline_pct for name, each in data.timeit.items() if name != data.baseline}
    return {name: value for name, value in found.items() if value is not None}


def _draw_percentages(layout: Layout, data: TimeitData) -> Sheet:
    chosen = styles(data.common.contenders)
    rows = [
        Point(
            name, _percent(value), not data.percentage_stands(name),
            value=value, style=chosen[name], interval=data.timeit[name].interval_pct,
        )
        for name, value in _percentages(data).items()
    ]  # fmt: skip
    ends = [0.0] + [end for row in rows for end in (row.value, *(row.interval or ()))]
    pad = 0.04 * (max(ends) - min(ends)) or 1.0
    sheet = Sheet("faster", layout, [rows_px(len(rows), layout.width)])
    points(sheet.panels[0], rows, (min(ends) - pad, max(ends) + pad), f"% faster than {data.baseline}")
    sheet.panels[0].axvline(0, color=MUTED, linewidth=1.2)
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
