"""Horizontal bars, one row for each contender: latency against the floor, and CPU per request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from benchmark.analysis.schema import LOAD_GENERATOR, Contender, Summary, in_order, service_cpu_ms
from benchmark.analysis.wording import Interval, at_users, fine_ms, significant
from benchmark.report.charts.chart import Box, Layout, Sheet, faint_grid, shorten
from benchmark.report.charts.palette import INK, MUTED, PAPER, density, styles

_BAR_PX: Final = 18.0
_KEY_LINE_PX: Final = 22.0
_INTERVAL_ROOM: Final = 1.4  # a whisker may stretch the axis by this, and is cut off beyond
_HATCH: Final = "////"
_FLOOR_DENSITY: Final = 0.42


@dataclass(frozen=True)
class Part:
    """A piece of a bar: its length in the unit of the axis, how dense it is painted, or hatched in grey."""

    length: float
    density: float = 1.0
    hatched: bool = False


@dataclass(frozen=True)
class Row:
    """A contender's bar and the words beside it."""

    name: str
    label: str
    colour: str
    parts: tuple[Part, ...] = ()
    interval: Interval | None = None
    invalid: bool = False

    @property
    def length(self) -> float:
        """How long the bar is, on the axis."""
        return sum(part.length for part in self.parts)

    @property
    def end(self) -> float:
        """Where the row's ink ends, on the axis."""
        return max(self.length, self.interval[1]) if self.interval else self.length


@dataclass(frozen=True)
class Swatch:
    """An entry of the key above the bars."""

    text: str
    part: Part | None  # None: the whisker


def low_load_rows(summary: Summary) -> list[Row]:
    """Return each contender's mean latency at the lowest level: the floor, and what is on top of it."""
    chosen = styles(summary.contenders)
    return [
        _low_load_row(name, contender, chosen[name].colour, summary) for name, contender in summary.contenders.items()
    ]


def cpu_rows(summary: Summary) -> list[Row]:
    """Return each contender's CPU time per request, stacked by process; the load generator comes last."""
    chosen = styles(summary.contenders)
    order = roles(summary)
    several = len({c.cpu_users for c in summary.contenders.values() if c.cpu_ms_per_request}) > 1
    rows = []
    for name, contender in summary.contenders.items():
        spent = contender.cpu_ms_per_request
        total_ms = service_cpu_ms(spent)
        if total_ms is None:
            rows.append(Row(name, "not measured", chosen[name].colour))
            continue
        parts = [Part(spent.get(role, 0.0), density(i)) for i, role in enumerate(order)]
        parts.append(Part(spent.get(LOAD_GENERATOR, 0.0), hatched=True))
        where = f" at {at_users(contender.cpu_users)}" if several and contender.cpu_users else ""
        label = f"{significant(total_ms)} ms{where}"
        invalid = not contender.stands(contender.cpu_users or 0)
        rows.append(Row(name, label, chosen[name].colour, tuple(parts), invalid=invalid))
    return rows


def roles(summary: Summary) -> list[str]:
    """Return the roles of the contenders' processes, without the load generator."""
    found = {role for contender in summary.contenders.values() for role in contender.cpu_ms_per_request}
    return in_order(found - {LOAD_GENERATOR})


def low_load_key() -> list[Swatch]:
    """Return the key of the latency bars."""
    return [
        Swatch("floor", Part(1, _FLOOR_DENSITY)),
        Swatch("on top of the floor", Part(1)),
        Swatch("95 % interval", None),
    ]


def cpu_key(summary: Summary) -> list[Swatch]:
    """Return the key of the CPU bars."""
    entries = [Swatch(role, Part(1, density(i))) for i, role in enumerate(roles(summary))]
    return [*entries, Swatch("load generator", Part(1, hatched=True))]


def draw_bars(key: str, layout: Layout, rows: Sequence[Row], swatches: Sequence[Swatch], unit: str) -> Sheet:
    """Draw the rows below their key; on a phone the words stand above each bar."""
    pitch = row_px(layout)
    top = key_px(layout, layout.width, swatches) + 10
    sheet = Sheet(key, layout, top + pitch * len(rows) + 48)
    draw_key(sheet, Box(0.0, 0.0, sheet.width, top), swatches)
    draw_rows(sheet, Box(0.0, top, sheet.width, pitch * len(rows)), rows, unit)
    return sheet


def row_px(layout: Layout) -> float:
    """Return the height of a row."""
    return 44.0 if layout.is_narrow else 32.0


def draw_rows(sheet: Sheet, box: Box, rows: Sequence[Row], unit: str) -> None:
    """Draw the rows into a box of the sheet; the ticks and the unit hang below it."""
    layout, above = sheet.layout, sheet.layout.is_narrow
    left, top, width = box.left, box.top, box.width
    pitch = row_px(layout)
    room = 8.0 if above else 14 + max((layout.text_px(row.label) for row in rows), default=0.0)
    names = 6.0 if above else 14 + min(max((layout.text_px(row.name) for row in rows), default=0.0), 0.3 * width)
    axes = sheet.axes(left + names, top, width - names - room, pitch * len(rows))
    longest = max((row.length for row in rows), default=0.0)
    limit = min(max((row.end for row in rows), default=0.0) * 1.02, _INTERVAL_ROOM * longest) or 1.0
    axes.set_xlim(0, limit)
    axes.set_ylim(pitch * len(rows), 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(not above)
    axes.set_xlabel(unit, fontsize=layout.font)
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    faint_grid(axes, "x")
    for i, row in enumerate(rows):
        middle = pitch * i + (pitch - _BAR_PX / 2 - 5 if above else pitch / 2)
        _draw_bar(axes, middle, row)
        shown = shorten(row.name, layout, width - layout.text_px(row.label) - 12 if above else names - 12)
        if above:
            sheet.text(left + names, top + middle - 20, shown, bold=True, struck=row.invalid)
            sheet.text(left + width - 2, top + middle - 20, row.label, anchor="right", struck=row.invalid)
        else:
            end = float(axes.transData.transform((min(row.end, limit), 0))[0])
            sheet.text(left + names - 8, top + middle, shown, anchor="right", struck=row.invalid)
            sheet.text(end + 8, top + middle, row.label, struck=row.invalid)


def _low_load_row(name: str, contender: Contender, colour: str, summary: Summary) -> Row:
    low = contender.low_load
    if low is None:
        return Row(name, "not measured", colour)
    floor = min(contender.floor_ms, low.mean_ms)
    label = f"{fine_ms(low.mean_ms)} ms"
    if low.over_floor is not None:
        label += f" = {significant(low.over_floor)} × floor"
    parts = (Part(floor, _FLOOR_DENSITY), Part(low.mean_ms - floor))
    return Row(name, label, colour, parts, low.ci95_mean_ms, not contender.stands(summary.low_users))


def _draw_bar(axes: Axes, middle: float, row: Row) -> None:
    """Draw one bar; an INVALID one is hollow and crossed out."""
    start = 0.0
    axes.barh(middle, row.length, _BAR_PX, color=PAPER)  # hides the grid
    for part in row.parts:
        face = PAPER if part.hatched else row.colour
        how: dict[str, object] = {"facecolor": face, "alpha": part.density, "linewidth": 0}
        if part.hatched:
            how = {"facecolor": PAPER, "edgecolor": MUTED, "hatch": _HATCH, "linewidth": 0.7}
        elif row.invalid:
            how = {"facecolor": PAPER, "edgecolor": row.colour, "linewidth": 1.2}
        axes.barh(middle, part.length, _BAR_PX, left=start, **how)  # type: ignore[arg-type]
        start += part.length
    if row.invalid and row.parts:
        axes.plot([0, start], [middle, middle], color=row.colour, linewidth=1.2)
    if row.interval:
        low, high = row.interval
        mean = (low + high) / 2
        axes.errorbar(
            mean, middle, xerr=[[mean - low], [high - mean]], fmt="none", ecolor=INK, elinewidth=1.4, capsize=5
        )


def key_px(layout: Layout, width: float, swatches: Sequence[Swatch]) -> float:
    """Return the height of a key in a column of this width."""
    return _KEY_LINE_PX * len(_wrap(swatches, layout, width))


def draw_key(sheet: Sheet, box: Box, swatches: Sequence[Swatch]) -> None:
    """Draw the key from the top left corner of the box, over as many lines as it needs."""
    for i, line in enumerate(_wrap(swatches, sheet.layout, box.width)):
        x, y = box.left + 2, box.top + _KEY_LINE_PX * (i + 0.5)
        for swatch in line:
            _draw_swatch(sheet, x, y, swatch.part)
            sheet.text(x + 26, y, swatch.text, colour=MUTED)
            x += 44 + sheet.layout.text_px(swatch.text)


def _wrap(swatches: Sequence[Swatch], layout: Layout, width: float) -> list[list[Swatch]]:
    """Break the key into lines that fit the width."""
    lines: list[list[Swatch]] = [[]]
    used = 0.0
    for swatch in swatches:
        needed = layout.text_px(swatch.text) + 44
        if lines[-1] and used + needed > width + 20:  # the last entry needs no gap after it
            lines.append([])
            used = 0.0
        lines[-1].append(swatch)
        used += needed
    return lines


def _draw_swatch(sheet: Sheet, x: float, y: float, part: Part | None) -> None:
    if part is None:
        sheet.line([(x, y), (x + 20, y)], INK, 1.4)
        for end in (x, x + 20):
            sheet.line([(end, y - 5), (end, y + 5)], INK, 1.4)
    elif part.hatched:
        sheet.box(x, y - 6, 20, 12, facecolor=PAPER, edgecolor=MUTED, hatch=_HATCH, linewidth=0.7)
    else:
        sheet.box(x, y - 6, 20, 12, facecolor=MUTED, alpha=part.density, linewidth=0)


def describe_rows(rows: Sequence[Row]) -> str:
    """Return the rows in words, for those who do not see them."""
    return "; ".join(f"{row.name} {row.label}{' (INVALID)' if row.invalid else ''}" for row in rows)


def floors(contenders: Mapping[str, Contender]) -> list[float]:
    """Return the distinct floors in ms."""
    return sorted({contender.floor_ms for contender in contenders.values() if contender.floor_ms > 0})
