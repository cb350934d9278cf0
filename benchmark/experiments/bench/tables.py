"""Rows for the tables of the page: every cell is text, and what is missing is a dash."""

from collections.abc import Callable, Sequence
from typing import Final

from benchmark.analysis.schema import Comparison, ContenderSummary, LevelSummary, Summary, in_order, service_cpu_ms
from benchmark.analysis.wording import MISSING, Interval, fine_ms, significant, span
from benchmark.experiments.bench.questions import QUESTIONS, Question, Standing
from benchmark.report.tables import NO_PEAK, NOT_ENOUGH, GlanceCell, GlanceRow, TableRow

_FIGURES: Final = {
    "low_load_mean_ms": "mean latency at low load",
    "peak_rps": "highest rate",
    "cpu_ms_per_request": "CPU per request",
}


def glance_rows(summary: Summary) -> list[GlanceRow]:
    """Return one row per contender: latency at the lowest level, highest rate, and CPU per request."""
    columns = [
        [question.standing(summary, name, each) for name, each in summary.rivals.items()] for question in QUESTIONS
    ]
    cells = [_glance_cells(summary, question, column) for question, column in zip(QUESTIONS, columns, strict=True)]
    return [
        GlanceRow(name, rival.title, row, invalid=bool(rival.faults and rival.measured))
        for (name, rival), row in zip(summary.rivals.items(), zip(*cells, strict=True), strict=True)
    ]


def _glance_cells(summary: Summary, question: Question, column: Sequence[Standing | None]) -> list[GlanceCell]:
    """Return the cells of one figure, with bars as long as its values, and how each compares with the baseline's."""
    longest = max((each.value for each in column if each), default=0.0)
    base = next((each.value for each in column if each and each.name == summary.baseline and not each.no_peak), None)
    cells = []
    for each in column:
        if each is None:
            cells.append(GlanceCell(MISSING))
            continue
        text = fine_ms if question.unit == "ms" else significant
        value = f"{'≥ ' if each.no_peak else ''}{text(each.value)} {question.unit}"
        is_compared = base and not each.no_peak and each.name != summary.baseline
        times = f"{significant(each.value / base, 2)} × {summary.baseline}" if base and is_compared else ""
        cells.append(GlanceCell(value, times, each.value / longest if longest else None))
    return cells


def low_load_rows(summary: Summary) -> list[TableRow]:
    """Return one row per contender: the floor, and latency at the lowest level."""
    return [_low_load_row(name, c, c.stands(summary.low_users)) for name, c in summary.contenders.items()]


def peak_rows(summary: Summary, roles: Sequence[str]) -> list[TableRow]:
    """Return one row per contender: its highest rate, its CPU per request, and its memory by role."""
    return [_peak_row(name, contender, roles) for name, contender in summary.contenders.items()]


def level_rows(summary: Summary, cpu_roles: Sequence[str]) -> list[TableRow]:
    """Return one row per contender and level."""
    return [
        _level_row(name, contender, level, cpu_roles)
        for name, contender in summary.contenders.items()
        for level in sorted(contender.levels, key=lambda level: level.users)
    ]


def comparison_rows(summary: Summary) -> list[TableRow]:
    """Return one row per comparison with the baseline."""
    return [_comparison_row(comparison, summary) for comparison in summary.comparisons]


def comparison_head(summary: Summary) -> str:
    """Return the heading above the intervals of comparisons: those that decide, in an older record those of 95 %."""
    adjusted = any(comparison.confidence is not None for comparison in summary.comparisons)
    count = len(summary.comparisons)
    return f"interval, adjusted for {count} comparisons" if adjusted and count > 1 else "95 % interval"


def cpu_roles(summary: Summary) -> list[str]:
    """Return every role whose CPU was recorded."""
    levels = (level for contender in summary.contenders.values() for level in contender.levels)
    return in_order(role for level in levels for role in level.cpu_ms_per_request)


def memory_roles(summary: Summary) -> list[str]:
    """Return every role whose memory was recorded."""
    return in_order(role for contender in summary.contenders.values() for role in contender.rss_mb)


def _low_load_row(name: str, contender: ContenderSummary, valid: bool) -> TableRow:
    low = contender.low_load
    floor = MISSING if contender.harness_floor else significant(contender.floor_ms)
    why = (*contender.faults, *contender.notes)
    if low is None:
        return _row(name, (floor, *[MISSING] * 7), valid, contender, why)
    cells = (
        floor,
        f"{low.n:,}",
        fine_ms(low.mean_ms),
        _span(low.ci95_mean_ms),
        _percentile(low.p50_ms, fine_ms),
        _percentile(low.p95_ms),
        _percentile(low.p99_ms),
        significant(low.over_floor),
    )
    return _row(name, cells, valid, contender, why)


def _peak_row(name: str, contender: ContenderSummary, roles: Sequence[str]) -> TableRow:
    peak, cpu = contender.peak, contender.cpu_ms_per_request
    rate = [MISSING] * 6
    if peak:
        tail = _percentile(peak.p99_ms)
        generator = significant(peak.generator_cpu, 2)
        interval = _span(peak.ci95_rps)
        rate = [
            contender.at_least + significant(peak.rps),
            interval,
            str(peak.users),
            _percentile(peak.p50_ms),
            tail,
            generator,
        ]
    cells = (
        *rate,
        significant(service_cpu_ms(cpu)),
        str(contender.cpu_users) if contender.cpu_users else MISSING,
        *(significant(contender.rss_mb.get(role)) for role in roles),
    )
    return _row(name, cells, contender.stands(peak.users if peak else 0), contender, ())


def _level_row(name: str, contender: ContenderSummary, level: LevelSummary, roles: Sequence[str]) -> TableRow:
    cpu = (significant(level.cpu_ms_per_request.get(role)) for role in roles)
    cells = (
        str(level.users),
        significant(level.rps),
        _span(level.ci95_rps),
        significant(level.mean_ms),
        _percentile(level.p50_ms),
        _percentile(level.p95_ms),
        _percentile(level.p99_ms),
        f"{level.n:,}",
        f"{level.errors:,}",
        significant(level.generator_cpu, 2),
        significant(level.little_n),
        *cpu,
    )
    return _row(name, cells, contender.stands(level.users), contender, level.reasons)


def _row(
    name: str, cells: tuple[str, ...], valid: bool, contender: ContenderSummary, why: Sequence[object]
) -> TableRow:
    if contender.harness_floor and valid:
        return TableRow(name, cells, False, tuple(why), "harness ceiling")
    if not contender.measured:
        return TableRow(name, cells, False, tuple(why), "not measured")
    return TableRow(name, cells, not valid, tuple(why), "VALID" if valid else "INVALID")


def _comparison_row(comparison: Comparison, summary: Summary) -> TableRow:
    sides = [summary.contenders.get(name) for name in (comparison.contender, comparison.baseline)]
    low = summary.low_users
    no_peak = comparison.figure == "peak_rps" and any(side is not None and side.no_peak for side in sides)
    invalid = any(side is not None and not side.figure_stands(comparison.figure, low) for side in sides)
    cells = (
        _FIGURES.get(comparison.figure, comparison.figure),
        f"{significant(comparison.ratio)} ×",
        _span(comparison.interval),
        NO_PEAK if no_peak else "yes" if comparison.difference_shown else "no",
    )
    return TableRow(comparison.contender, cells, invalid)


def _span(interval: Interval | None) -> str:
    return span(interval) if interval else MISSING


def _percentile(value_ms: float | None, text: Callable[[float], str] = significant) -> str:
    return NOT_ENOUGH if value_ms is None else text(value_ms)
