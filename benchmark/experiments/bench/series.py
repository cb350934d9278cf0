"""What the figures of `bench` draw: a summary as plain series."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from benchmark.analysis.schema import LOAD_GENERATOR, ContenderSummary, LevelSummary, Summary, in_order, service_cpu_ms
from benchmark.analysis.wording import Interval, at_users, fine_ms, significant
from benchmark.report.charts.axis import Limits, limits_of
from benchmark.report.charts.bars import Bar, BarPart, floor_parts
from benchmark.report.charts.distribution import Hill
from benchmark.report.charts.lines import Line
from benchmark.report.charts.palette import density, styles

_INTERVAL_ROOM: Final = 1.5  # an interval may stretch the axis by this, and is cut off beyond


@dataclass(frozen=True)
class Quantity:
    """What is drawn over the users: how it is read from a level, and what it is called."""

    title: str
    unit: str
    value: Callable[[LevelSummary], float | None]
    interval: Callable[[LevelSummary], Interval | None] = lambda _: None
    is_rate: bool = False  # from zero on, and its highest value is what is asked for

    def points(self, contender: ContenderSummary) -> list[tuple[LevelSummary, float]]:
        """Return the levels that have this figure, by users."""
        found = [(level, self.value(level)) for level in contender.levels]
        return sorted(((level, v) for level, v in found if v is not None), key=lambda point: point[0].users)


RATE: Final = Quantity("Throughput", "requests/s", lambda level: level.rps, lambda level: level.ci95_rps, is_rate=True)
P50: Final = Quantity("Median latency (p50)", "ms", lambda level: level.p50_ms)
P99: Final = Quantity("Tail latency (p99)", "ms", lambda level: level.p99_ms)


def floors(contenders: Mapping[str, ContenderSummary]) -> list[float]:
    """Return the distinct floors in ms."""
    return sorted({contender.floor_ms for contender in contenders.values() if contender.floor_ms > 0})


def low_load_bars(summary: Summary) -> list[Bar]:
    """Return each contender's mean latency at the lowest level: the floor, and what is on top of it."""
    chosen = styles(summary.contenders)
    rows = []
    for name, contender in summary.rivals.items():
        low = contender.low_load
        if low is None:
            rows.append(Bar(name, "not measured"))
            continue
        over = f" = {significant(low.over_floor)} × floor" if low.over_floor is not None else ""
        parts = floor_parts(low.mean_ms, contender.floor_ms, chosen[name].colour)
        invalid = not contender.stands(summary.low_users)
        rows.append(Bar(name, f"{fine_ms(low.mean_ms)} ms{over}", invalid, parts=parts, interval=low.ci95_mean_ms))
    return rows


def cpu_bars(summary: Summary) -> list[Bar]:
    """Return each contender's CPU time per request, stacked by process; the load generator comes last."""
    chosen, order = styles(summary.contenders), roles(summary)
    several = len({c.cpu_users for c in summary.rivals.values() if c.cpu_ms_per_request}) > 1
    rows = []
    for name, contender in summary.rivals.items():
        spent, users = contender.cpu_ms_per_request, contender.cpu_users
        total_ms = service_cpu_ms(spent)
        if total_ms is None:
            rows.append(Bar(name, "not measured"))
            continue
        parts = [
            BarPart(spent.get(role, 0.0), chosen[name].colour, density(i), name=role) for i, role in enumerate(order)
        ]
        where = f" at {at_users(users)}" if several and users else ""
        parts.append(BarPart(spent.get(LOAD_GENERATOR, 0.0), name="load generator"))
        rows.append(Bar(name, f"{significant(total_ms)} ms{where}", not contender.stands(users or 0), parts=parts))
    return rows


def roles(summary: Summary) -> list[str]:
    """Return the roles of the contenders' processes, without the load generator."""
    found = {role for contender in summary.rivals.values() for role in contender.cpu_ms_per_request}
    return in_order(found - {LOAD_GENERATOR})


def hills_at(summary: Summary, samples: pd.DataFrame, users: int) -> list[Hill]:
    """Return the checked answers of every contender at a level; warm-up and errors are left out."""
    counted = samples[samples["measured"].astype(bool) & samples["ok"].astype(bool) & (samples["users"] == users)]
    by_name = {name: group.to_numpy(dtype=float) for name, group in counted.groupby("contender")["latency_ms"]}
    chosen = styles(summary.contenders)
    found = []
    for name, contender in summary.rivals.items():
        latencies = by_name.get(name, np.array([]))
        of = contender.low_load if users == summary.low_users and contender.low_load else contender.level(users)
        p50, p99 = (of.p50_ms, of.p99_ms) if of else (None, None)
        said = [f"{q} n/a*" if ms is None else f"{q} {significant(ms)} ms" for q, ms in (("p50", p50), ("p99", p99))]
        words = ", ".join(said) if latencies.size else "not measured"
        invalid = bool(latencies.size) and not contender.stands(users)
        found.append(Hill(name, words, invalid, values=latencies, p50=p50, p99=p99, style=chosen[name]))
    return found


def lines_of(summary: Summary, quantity: Quantity) -> list[Line]:
    """Return each contender's line over the users."""
    return [_line_of(summary, name, quantity) for name in summary.rivals]


def _line_of(summary: Summary, name: str, quantity: Quantity) -> Line:
    contender, points = summary.contenders[name], quantity.points(summary.contenders[name])
    levels = [level for level, _ in points]
    ends = [quantity.interval(level) or (value, value) for level, value in points]
    return Line(
        name,
        [level.users for level in levels],
        [value for _, value in points],
        styles(summary.contenders)[name],
        [low for low, _ in ends],
        [high for _, high in ends],
        [not contender.stands(level.users) for level in levels],
        words="(no peak)" if quantity.is_rate and contender.no_peak else "",
        struck=bool(contender.faults),
    )


def limits_over_users(summary: Summary, quantity: Quantity) -> Limits:
    """Return the ends of the value axis."""
    drawn = [point for contender in summary.rivals.values() for point in quantity.points(contender)]
    values = [each for level, value in drawn for each in (value, *(quantity.interval(level) or ()))]
    highest = max((value for _, value in drawn), default=1.0)
    return limits_of(values, _INTERVAL_ROOM * highest, quantity.is_rate)
