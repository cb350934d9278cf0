"""The page of a locust run: what broke where, and how it looked over time."""

from pathlib import Path
from typing import Final

from benchmark.analysis.reasons import Reason
from benchmark.analysis.wording import MISSING, fine_ms, minute_utc, significant, span
from benchmark.experiments.breaking_point.answers import answers, valid_loops, valid_points
from benchmark.experiments.breaking_point.figures import all_figures, headline
from benchmark.experiments.breaking_point.observations import LocustRun
from benchmark.experiments.breaking_point.schema import Entry, LocustData, parse
from benchmark.experiments.breaking_point.summarise import BreakingPointEntry, run_reasons
from benchmark.load.slo import FOLLOWS, P95_LIMIT
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import GlanceCell, GlanceRow, TableRow

_FOLDER: Final = Path(__file__).parent


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    data = parse(run.summary)
    return write_page(run.path, render_page(run, data), headline(data))


def render_page(run: Run, data: LocustData) -> str:
    """Return the page, the same bytes for the same record."""
    manifest, pictures = run.manifest, all_figures(data, run.path / "samples")
    return templates(_FOLDER).get_template("page.html.j2").render(
        summary=data.common,
        scale=data.scale,
        manifest=manifest,
        date=minute_utc(data.common.started_utc),
        machine=machine_line(manifest["environment"]),
        answers=answers(data),
        picture=pictures[0] if pictures else None,
        pictures=pictures[1:],
        glance_rows=glance_rows(data),
        part_rows=part_rows(data),
        rows=table_rows(data),
        follows=f"{1 - FOLLOWS:.0%}",
        limit=f"{P95_LIMIT:g}",
    )  # fmt: skip


def glance_rows(data: LocustData) -> list[GlanceRow]:
    """Return of each contender its breaking point, and its p99 below it in both loops; INVALID parts are left out."""
    points, loops = valid_points(data), valid_loops(data)
    fastest = max((point.rps for point in points.values()), default=1.0)
    slowest = max((both.p99_ms or 0.0 for _, both in loops.values()), default=1.0)
    rows = []
    for name, contender in data.contenders.items():
        cells = [GlanceCell(MISSING)] * 2
        if point := points.get(name):
            beyond = "" if point.broke else "≥ "
            cells[0] = GlanceCell(f"{beyond}{significant(point.rps)} requests/s", "", point.rps / fastest)
        if name in loops:
            _, both = loops[name]
            closed = f"closed loop: {fine_ms(both.p99_closed_ms)} ms"
            cells[1] = GlanceCell(f"{fine_ms(both.p99_ms)} ms", closed, (both.p99_ms or 0.0) / slowest)
        rows.append(GlanceRow(name, contender.title, tuple(cells), bool(data.entries[name].faults)))
    return rows


def part_rows(data: LocustData) -> list[TableRow]:
    """Return a row per contender and part, its state being the part: what broke, what was held, both loops."""
    return [row for name, entry in data.entries.items() for row in _parts(name, entry)]


def _parts(name: str, entry: Entry) -> list[TableRow]:
    point, both = entry.breaking_point, entry.open_loop
    found: list[tuple[str, tuple[str, ...], tuple[Reason, ...]]] = []
    if point:
        lost = {"goodput": "the goodput", "p95": "the p95"}.get(point.reason, MISSING)
        rate = f"{'' if point.broke else '≥ '}{significant(point.rps)}"
        tries = str(len(point.tries)) if point.tries else "load test"
        found.append(("breaking point", (rate, span(point.ci95), tries, lost), point.reasons))
        if point.held is not None:
            found.append(("held", (_held(point), MISSING, MISSING, MISSING), point.held_reasons))
    if both and both.p99_ms is not None and both.p99_closed_ms is not None:
        p99s = f"p99 {fine_ms(both.p99_ms)} ms, closed loop {fine_ms(both.p99_closed_ms)} ms"
        found.append(("open loop", (significant(both.rate_rps), MISSING, MISSING, p99s), both.reasons))
    struck = [(part, cells, entry.against(reasons)) for part, cells, reasons in found]
    return [TableRow(name, cells, bool(against), against, part) for part, cells, against in struck]


def _held(point: BreakingPointEntry) -> str:
    if point.held:
        return f"{point.users:,}"
    return f"{point.held_users:,} (not {point.users:,})" if point.held_users else f"nothing (not {point.users:,})"


def table_rows(data: LocustData) -> list[tuple[TableRow, str]]:
    """Return a row per Locust run, its state being the example, and the stem of the names of its files."""
    return [
        (_row(name, found, entry.against(run_reasons(found))), found.stem)
        for name, entry in data.entries.items()
        for found in entry.runs
    ]


def _row(name: str, found: LocustRun, reasons: tuple[Reason, ...]) -> TableRow:
    cells = (
        f"{found.users:,}" if found.users else "",
        significant(found.rate_rps) if found.rate_rps else "",
        f"{found.n:,}",
        f"{found.errors:,}",
        significant(found.rps),
        significant(found.p50_ms),
        significant(found.p95_ms),
        significant(found.p99_ms) if found.p99_ms is not None else "n/a*",
        f"{found.late}, {found.dropped}",
        f"{found.generator_cpu:.2f}",
    )
    return TableRow(name, cells, bool(reasons), reasons, found.example)
