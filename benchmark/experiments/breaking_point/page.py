"""The page of a locust run: what broke where, and how it looked over time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmark.analysis.reasons import Reason
from benchmark.analysis.wording import first_line, minute_utc, significant, span
from benchmark.experiments.breaking_point.figures import all_figures, headline
from benchmark.experiments.breaking_point.observations import LocustRun
from benchmark.experiments.breaking_point.schema import Entry, LocustData, parse
from benchmark.experiments.breaking_point.summarise import BreakingPointEntry, OpenLoopEntry, run_reasons
from benchmark.load.slo import FOLLOWS, P95_LIMIT
from benchmark.record.run import Run
from benchmark.report.answers import Answer
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import TableRow

_FOLDER: Final = Path(__file__).parent


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    data = parse(run.summary)
    return write_page(run.path, render_page(run, data), headline(data))


def render_page(run: Run, data: LocustData) -> str:
    """Return the page, the same bytes for the same record."""
    manifest = run.manifest
    return templates(_FOLDER).get_template("page.html.j2").render(
        summary=data.common,
        scale=data.scale,
        manifest=manifest,
        date=minute_utc(data.common.started_utc),
        machine=machine_line(manifest["environment"]),
        verdict=verdict(data),
        pictures=all_figures(data, run.path / "samples"),
        rows=table_rows(data),
        follows=f"{1 - FOLLOWS:.0%}",
        limit=f"{P95_LIMIT:g}",
    )  # fmt: skip


def verdict(data: LocustData) -> list[Answer]:
    """Return where each contender broke, whether that was held, what the closed loop hides: a sentence each."""
    said = [sentence for name, entry in data.entries.items() for sentence in _about(name, entry)]
    return said or [Answer("Nothing was measured, so nothing is claimed.")]


def _about(name: str, entry: Entry) -> list[Answer]:
    point, both, said = entry.breaking_point, entry.open_loop, []
    if point:
        said.append(_claim(_broke(name, point), entry.against(point.reasons)))
        if point.held is not None:
            said.append(_claim(_held(name, point), entry.against(point.held_reasons)))
    if both and both.p99_ms is not None and both.p99_closed_ms is not None:
        said.append(_claim(_hidden(name, both, both.p99_ms, both.p99_closed_ms), entry.against(both.reasons)))
    return said


def _claim(text: str, against: Sequence[Reason]) -> Answer:
    """Return a sentence, struck if anything that it rests on is INVALID."""
    note = f"INVALID: {'; '.join(map(first_line, against))}." if against else ""
    return Answer(text, struck=bool(against), note=note)


def _broke(name: str, point: BreakingPointEntry) -> str:
    if not point.broke:
        return f"{name} did not break at up to {significant(point.rps)} requests/s."
    how = "its goodput no longer followed" if point.reason == "goodput" else "its p95 rose"
    interval = f"95 % interval {span(point.ci95)}"
    tried = f" in {len(point.tries)} tries" if point.tries else ""
    return f"{name} broke at {significant(point.rps)} requests/s ({interval}){tried}: {how}."


def _held(name: str, point: BreakingPointEntry) -> str:
    tried = f"{point.users:,} requests/s for the whole of the third example"
    if point.held:
        return f"{name} held {tried}."
    if point.held_users:
        return f"{name} did not hold {tried}; {point.held_users:,} requests/s were held."
    return f"{name} did not hold {tried}, nor the next lower rates."


def _hidden(name: str, both: OpenLoopEntry, p99_ms: float, p99_closed_ms: float) -> str:
    return (
        f"{name} at {significant(both.rate_rps)} requests/s: p99 {significant(p99_ms)} ms for "
        f"requests that come at their own times, {significant(p99_closed_ms)} ms in the closed loop."
    )


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
