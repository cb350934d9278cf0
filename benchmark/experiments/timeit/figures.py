"""The figures of a timeit run, each for a desk and for a phone."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from benchmark.analysis.wording import fine_ms, significant
from benchmark.experiments.timeit.schema import TimeitData
from benchmark.report.alt_text import alt_text
from benchmark.report.charts.axis import number_axis
from benchmark.report.charts.bars import Bar, Point, bars_sheet, floor_key, floor_parts, points, rows_px
from benchmark.report.charts.chart import Layout, Sheet
from benchmark.report.charts.data import lines_csv, rows_csv
from benchmark.report.charts.lines import Line, lines, name_ends, title
from benchmark.report.charts.palette import MUTED, Style, styles
from benchmark.report.charts.picture import Draw, Picture, floor_note, on_page, struck_note

_PANEL_PX: Final = 290.0
_FLOOR: Final = Style(MUTED, "", (1.0, 2.0))
_BAND: Final = " The band reaches from the fastest to the slowest repeat."


def all_figures(data: TimeitData) -> list[Picture]:
    """Return the figures for which there is anything to draw, the most telling one first."""
    drawn = [cost_figure(data)] if any(each.ms_per_call is not None for each in data.timeit.values()) else []
    if data.series:
        drawn += [time_figure(data), per_call_figure(data)]
    if _multiples(data):
        drawn.append(multiple_figure(data))
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
            "Seconds for n calls in a row over one connection. Lower is better; the slope is the time per call."
            + _BAND
            + _if_invalid(data)
        ),
        alt=alt_text(f"Lines over the number of calls; time of {data.calls[-1]} calls", _times_in_words(data)),
        element=on_page(partial(_draw_lines, "time", data=data, per_call=False)),
        data=_data(data, "seconds", per_call=False),
    )


def per_call_figure(data: TimeitData) -> Picture:
    """Return the same times divided by n."""
    return Picture(
        key="per-call",
        title="The same, divided by n",
        caption=(
            "Milliseconds per call. With more calls the random durations of the models average out."
            + _BAND
            + " Dotted: the floor, which no implementation's mean can be below."
            + _if_invalid(data)
        ),
        alt=alt_text(f"Lines over the number of calls, ms per call among {data.calls[-1]}", _per_call_in_words(data)),
        element=on_page(partial(_draw_lines, "per-call", data=data, per_call=True)),
        data=_data(data, "ms per call", per_call=True),
    )


def cost_figure(data: TimeitData) -> Picture:
    """Return the fitted milliseconds per call, split into the floor and what is on top of it."""
    rows = [_cost_bar(data, name) for name in data.timeit]
    return Picture(
        key="ms-per-call",
        title="What one call costs: the models' own time, and what serving adds",
        caption=(
            f"Time per call in ms. {floor_note(_floors_ms(data, data.common.contenders))} "
            "The whisker is the 95 % interval over the repeats." + _if_invalid(data)
        ),
        alt=alt_text("Bars, time per call", [f"{_name(data, row.label)} {row.words}" for row in rows]),
        element=on_page(lambda layout: bars_sheet("ms-per-call", layout, rows, floor_key(), "ms per call")),
        data=rows_csv("ms", rows),
    )


def multiple_figure(data: TimeitData) -> Picture:
    """Return the time per call of each contender as a multiple of the baseline's."""
    rows = _multiple_rows(data)
    found = [f"{_name(data, name)} {_times_words(times)}" for name, times in _multiples(data).items()]
    return Picture(
        key="multiple",
        title=f"Time per call, as a multiple of {data.baseline}'s",
        caption=(
            "At 0.5, a call takes half the time. Left of 1 is faster. The whisker is the interval that decides "
            "whether a difference is shown; one that crosses 1 shows none." + _if_invalid(data)
        ),
        alt=alt_text(f"Points with intervals, time per call as a multiple of {data.baseline}'s", found),
        element=on_page(lambda layout: _draw_multiples(layout, data, rows)),
        data=rows_csv("times", rows),
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


def _multiples(data: TimeitData) -> dict[str, float]:
    """Return each contender's multiple of the baseline's time, where there is one, without the baseline's own."""
    found = {name: each.times for name, each in data.timeit.items() if name != data.baseline}
    return {name: times for name, times in found.items() if times is not None}


def _multiple_rows(data: TimeitData) -> list[Point]:
    chosen = styles(data.common.contenders)
    return [
        Point(
            name, _times_words(times), not data.multiple_stands(name),
            value=times, style=chosen[name], interval=data.timeit[name].times_interval,
        )
        for name, times in _multiples(data).items()
    ]  # fmt: skip


def _draw_multiples(layout: Layout, data: TimeitData, rows: Sequence[Point]) -> Sheet:
    ends = [1.0] + [end for row in rows for end in (row.value, *(row.interval or ()))]
    pad = 0.04 * (max(ends) - min(ends)) or 1.0
    sheet = Sheet("multiple", layout, [rows_px(len(rows), layout.width)])
    points(sheet.panels[0], rows, (min(ends) - pad, max(ends) + pad), f"times {data.baseline}")
    sheet.panels[0].axvline(1, color=MUTED, linewidth=1.2)
    return sheet


def _times_words(times: float) -> str:
    return f"{significant(times)} ×"


def _times_in_words(data: TimeitData) -> list[str]:
    means = {name: significant(float(frame["mean"].iloc[-1])) for name, frame in data.series.items()}
    return [f"{_name(data, name)} {mean} s" for name, mean in means.items()]


def _per_call_in_words(data: TimeitData) -> list[str]:
    last = {name: frame.iloc[-1] for name, frame in data.series.items()}
    per_call_ms = {name: 1e3 * float(row["mean"]) / float(row["n"]) for name, row in last.items()}
    return [f"{_name(data, name)} {fine_ms(ms)} ms" for name, ms in per_call_ms.items()]


def _name(data: TimeitData, name: str) -> str:
    return name if data.contender(name).valid else f"{name} (INVALID)"


def _if_invalid(data: TimeitData) -> str:
    return struck_note(not all(data.contender(name).valid for name in data.series))
