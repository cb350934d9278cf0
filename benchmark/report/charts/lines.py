"""Lines over the number of users: throughput and latency, with each line named where it ends."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator

from benchmark.analysis.schema import Contender, Level, Summary
from benchmark.analysis.wording import Interval, significant
from benchmark.report.charts.chart import Box, Layout, Sheet, faint_grid, shorten, spread
from benchmark.report.charts.palette import MUTED, PAPER, Style, styles

_LOG_FROM: Final = 6.0  # a range of values wider than this is drawn on a logarithmic axis
_LINE_GAP_PX: Final = 16.0
_INTERVAL_ROOM: Final = 1.5  # an interval may stretch the axis by this, and is cut off beyond
_STEPS: Final = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Quantity:
    """What is drawn over the users: how it is read from a level, and what it is called."""

    title: str
    unit: str
    value: Callable[[Level], float | None]
    interval: Callable[[Level], Interval | None] = lambda _: None
    from_zero: bool = False
    harness: str = "alone"  # what the harness's own line shows
    has_peak: bool = False  # whether its highest value is what is asked for


THROUGHPUT: Final = Quantity(
    "Throughput",
    "requests/s",
    lambda level: level.rps,
    lambda level: level.ci95_rps,
    from_zero=True,
    harness="ceiling",
    has_peak=True,
)
P50: Final = Quantity("Median latency (p50)", "ms", lambda level: level.p50_ms)
P99: Final = Quantity("Tail latency (p99)", "ms", lambda level: level.p99_ms)


def draw_panel(sheet: Sheet, box: Box, summary: Summary, quantity: Quantity) -> None:
    """Draw one quantity of every contender over the users."""
    layout = sheet.layout
    limits = _limits(summary, quantity)
    scale = ", log scale" if limits[0] > 0 else ""
    sheet.text(box.left + 2, box.top + 10, f"{quantity.title} [{quantity.unit}{scale}]", bold=True)
    note = _harness_note(summary, quantity, limits)
    if note:
        sheet.text(box.left + 2, box.top + 29, note, colour=MUTED)
    ticks_px = 50.0
    widest = max((layout.text_px(_line_name(name, c, quantity)) for name, c in summary.contenders.items()), default=0.0)
    head = 44 if summary.harness_floors else 26
    names_px = 26 + min(widest, 0.36 * box.width)
    axes = sheet.axes(box.left + ticks_px, box.top + head, box.width - ticks_px - names_px, box.height - head - 46)
    axes.set_xlabel("users at the same time [log scale]", fontsize=layout.font)
    _set_user_axis(axes, summary, layout)
    _set_value_axis(axes, limits)
    chosen = styles(summary.contenders)
    for name, contender in summary.contenders.items():
        _draw_line(axes, contender, chosen[name], quantity)
    _name_lines(sheet, axes, summary, quantity, Box(box.right - names_px, box.top, names_px, box.height))


def _values(contenders: Iterable[Contender], quantity: Quantity) -> list[float]:
    """Return every value and every end of an interval that has to be inside the axis."""
    found: list[float] = []
    for level in (level for contender in contenders for level in contender.levels):
        value = quantity.value(level)
        if value is not None:
            found += [value, *(quantity.interval(level) or ())]
    return found


def _limits(summary: Summary, quantity: Quantity) -> Interval:
    """Return the ends of the value axis: the harness's own ceiling must not squash the others."""
    rivals = _values(summary.rivals.values(), quantity)
    values = rivals or _values(summary.contenders.values(), quantity) or [1.0]
    drawn = (summary.rivals if rivals else summary.contenders).values()
    middles = [quantity.value(level) or 0.0 for contender in drawn for level in contender.levels]
    low, high = min(values), min(max(values), _INTERVAL_ROOM * max(middles, default=1.0))
    own = [value for harness in summary.harness_floors.values() for _, value in _points(harness, quantity)]
    if own and rivals and high < max(own) <= 1.3 * high:
        high = max(own)
    if not quantity.from_zero and low > 0 and high / low > _LOG_FROM:
        return low * 0.85, high * 1.15
    return 0.0, high * 1.08 or 1.0


def _harness_note(summary: Summary, quantity: Quantity, limits: Interval) -> str:
    """Say where the harness's own line is when it is not on the axis."""
    for name, contender in summary.harness_floors.items():
        values = [value for _, value in _points(contender, quantity)]
        if not values or (limits[0] <= min(values) and max(values) <= limits[1]):
            continue
        low, high = significant(min(values)), significant(max(values))
        reach = low if low == high else f"{low} to {high}"
        where = "above" if min(values) > limits[1] else "below" if max(values) < limits[0] else "partly off"
        return f"harness {quantity.harness} ({name}): {reach}, {where} this axis"
    return ""


def _set_user_axis(axes: Axes, summary: Summary, layout: Layout) -> None:
    measured = {level.users for contender in summary.contenders.values() for level in contender.levels}
    levels = sorted(measured | set(summary.levels)) or [1]
    axes.set_xscale("log", base=2)
    axes.set_xlim(levels[0] / 1.25, levels[-1] * 1.25)
    axes.xaxis.set_major_locator(FixedLocator(levels))
    places = [float(axes.transData.transform((level, 1.0))[0]) for level in levels]
    axes.xaxis.set_major_formatter(FixedFormatter(_thin(levels, places, layout)))
    axes.xaxis.set_minor_locator(NullLocator())


def _thin(levels: Sequence[int], places_px: Sequence[float], layout: Layout) -> list[str]:
    """Return the labels of the ticks, empty where one would touch the next; the highest level keeps its own."""
    labels: list[str] = []
    free_px = float("inf")
    for level, place in reversed(list(zip(levels, places_px, strict=True))):
        half = layout.text_px(str(level)) / 2
        fits = place + half + 3 < free_px
        labels.append(str(level) if fits else "")
        free_px = place - half if fits else free_px
    return labels[::-1]


def _set_value_axis(axes: Axes, limits: Interval) -> None:
    if limits[0] > 0:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(log_ticks(*limits)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.locator_params(axis="y", nbins=6)
    axes.set_ylim(*limits)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    faint_grid(axes, "y")


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1-2-5 ticks within the limits."""
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    return [step * 10.0**decade for decade in decades for step in _STEPS if low <= step * 10.0**decade <= high]


def _points(contender: Contender, quantity: Quantity) -> list[tuple[Level, float]]:
    """Return the levels that have this figure, by users."""
    found = [(level, quantity.value(level)) for level in contender.levels]
    return sorted(((level, v) for level, v in found if v is not None), key=lambda point: point[0].users)


def _draw_line(axes: Axes, contender: Contender, style: Style, quantity: Quantity) -> None:
    """Draw a line with its intervals; INVALID points are hollow and crossed out, and lead nowhere in full colour."""
    points = _points(contender, quantity)
    dash = (0, style.dash) if style.dash else "solid"
    faded = 0.5 if contender.faults else 1.0
    axes.plot(
        [level.users for level, _ in points],
        [value for _, value in points],
        color=style.colour,
        linestyle=dash,
        linewidth=2.0,
        alpha=faded,
    )
    for level, value in points:
        valid = contender.stands(level.users)
        interval = quantity.interval(level)
        if interval and not contender.harness_floor:
            error = [[max(value - interval[0], 0.0)], [max(interval[1] - value, 0.0)]]
            axes.errorbar(level.users, value, yerr=error, fmt="none", ecolor=style.colour, elinewidth=1.4, capsize=3.5)
        face = style.colour if valid else PAPER
        axes.plot(
            level.users, value, style.marker, markersize=7, markerfacecolor=face, markeredgecolor=style.colour,
            markeredgewidth=1.4 if not valid else 0.0,
        )  # fmt: skip
        if not valid:
            axes.plot(level.users, value, "x", markersize=11, markeredgecolor=style.colour, markeredgewidth=1.4)


def _name_lines(sheet: Sheet, axes: Axes, summary: Summary, quantity: Quantity, names: Box) -> None:
    """Write each contender's name to the right of where its line ends, moved apart where they would touch."""
    chosen = styles(summary.contenders)
    low, high = axes.get_ylim()
    ends: list[tuple[str, float, float]] = []
    for name, contender in summary.contenders.items():
        points = _points(contender, quantity)
        if points and low <= points[-1][1] <= high:
            x, y = axes.transData.transform((points[-1][0].users, points[-1][1]))
            ends.append((name, float(x), sheet.height - float(y)))
    window = axes.get_window_extent()
    top, bottom = sheet.height - window.y1, sheet.height - window.y0
    places = spread([y for _, _, y in ends], _LINE_GAP_PX, top + 8, bottom)
    for (name, x, y), place in zip(ends, places, strict=True):
        leader = [(x + 6, y), (names.left + 12, place), (names.left + 20, place)]
        ends_early = x < max(x for _, x, _ in ends) - 1
        sheet.line(leader, MUTED if ends_early else chosen[name].colour, dotted=ends_early)
        invalid = bool(summary.contenders[name].faults)
        words = shorten(_line_name(name, summary.contenders[name], quantity), sheet.layout, names.width - 24)
        sheet.text(names.left + 24, place, words, struck=invalid)


def _line_name(name: str, contender: Contender, quantity: Quantity) -> str:
    if contender.harness_floor:
        return f"{name} (harness)"
    return f"{name} (no peak)" if quantity.has_peak and contender.no_peak else name
