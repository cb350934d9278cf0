"""The page of a locust run: what broke where, and how it looked over time."""

from pathlib import Path
from typing import Final

from benchmark.experiment3_locust.breaking_point import FOLLOWS, P95_LIMIT
from benchmark.experiment3_locust.data import Entry, LocustData, parse
from benchmark.experiment3_locust.figures import all_figures, headline
from benchmark.experiment3_locust.findings import LocustRun
from benchmark.experiment3_locust.summary import BreakingPointEntry, OpenLoopEntry, run_reasons
from benchmark.record import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import TableRow
from benchmark.report.verdict import Sentence
from benchmark.report.wording import minute_utc, significant, span

_TEMPLATE: Final = Path(__file__).with_name("locust.html.j2")


def write_report(run: Run) -> Path:
    """Write report.html and the headline figure into the run's directory; return the path of the page."""
    data = parse(run.summary)
    return write_page(run.path, render_page(run, data), headline(data))


def render_page(run: Run, data: LocustData) -> str:
    """Return the page, the same bytes for the same record."""
    manifest = run.manifest
    return templates(_TEMPLATE.parent).get_template(_TEMPLATE.name).render(
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


def verdict(data: LocustData) -> list[Sentence]:
    """Return where each contender broke, whether that was held, what the closed loop hides: a sentence each."""
    said = [
        Sentence(text, struck=not data.contenders[name].valid)
        for name, entry in data.entries.items()
        for text in _about(name, entry)
    ]
    return said or [Sentence("Nothing was measured, so nothing is claimed.")]


def _about(name: str, entry: Entry) -> list[str]:
    said = [_broke(name, entry.breaking_point)] if entry.breaking_point else []
    return said + (_hidden(name, entry.open_loop) if entry.open_loop else [])


def _broke(name: str, point: BreakingPointEntry) -> str:
    if not point.broke:
        return f"{name} did not break at up to {significant(point.rps)} requests/s. {_held(point)}".strip()
    how = "its goodput no longer followed" if point.reason == "goodput" else "its p95 rose"
    interval = f"95 % interval {span(point.ci95)}"
    tried = f" in {len(point.tries)} tries" if point.tries else ""
    return f"{name} broke at {significant(point.rps)} requests/s ({interval}){tried}: {how}. {_held(point)}".strip()


def _held(point: BreakingPointEntry) -> str:
    if point.held is None:
        return ""
    if point.held:
        return "Held for the whole of the third example."
    if point.held_users:
        return f"That was not held for the whole of the third example; {point.held_users:,} requests/s were."
    return "That was not held for the whole of the third example, nor were the next lower rates."


def _hidden(name: str, both: OpenLoopEntry) -> list[str]:
    if both.p99_ms is None or both.p99_closed_ms is None:
        return []
    return [
        f"{name} at {significant(both.rate_rps)} requests/s: p99 {significant(both.p99_ms)} ms for "
        f"requests that come at their own times, {significant(both.p99_closed_ms)} ms in the closed loop."
    ]


def table_rows(data: LocustData) -> list[tuple[TableRow, str]]:
    """Return a row per Locust run, its state being the example, and the stem of the names of its files."""
    return [(_row(name, found), found.stem) for name, entry in data.entries.items() for found in entry.runs]


def _row(name: str, found: LocustRun) -> TableRow:
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
    reasons = tuple(run_reasons(found))
    return TableRow(name, cells, bool(reasons), reasons, found.example)
