"""The page of a plan: drawn from its summary, and needing nothing but itself."""

from pathlib import Path
from typing import Final

from benchmark.analysis.wording import MISSING, minute_utc, significant
from benchmark.experiments.sizing.answers import answers
from benchmark.experiments.sizing.choose import HEADROOM, MEMORY_ROOM
from benchmark.experiments.sizing.figures import all_figures, headline
from benchmark.experiments.sizing.kubernetes import FOLDER, overlays, write_overlays
from benchmark.experiments.sizing.schema import ChoiceRow, PlanEntry, PlanSummary, PodsRow, VerifiedRow
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import GlanceCell, GlanceRow, TableRow, flatten

_FOLDER: Final = Path(__file__).parent


def write_report(run: Run) -> Path:
    """Write report.html, the headline figure and the overlays into the run's directory; return the page's path."""
    summary = PlanSummary.model_validate(run.summary)
    write_overlays(summary, run.path)
    return write_page(run.path, render_page(run, summary), headline(summary))


def render_page(run: Run, summary: PlanSummary) -> str:
    """Return the page, the same bytes for the same record."""
    manifest, pictures = run.manifest, all_figures(summary)
    entries = summary.contenders.items()
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            summary=summary,
            manifest=manifest,
            environment=manifest["environment"],
            date=minute_utc(summary.started_utc),
            machine=machine_line(manifest["environment"]),
            answers=answers(summary),
            picture=pictures[0] if pictures else None,
            start_picture=pictures[1] if pictures else None,
            glance_rows=[_glance_row(name, each, summary) for name, each in entries],
            pod_rows=[row for name, each in entries for row in _pod_rows(name, each)],
            choice_rows=[row for name, each in entries for row in _choice_rows(name, each)],
            start_rows=[row for name, each in entries for row in _start_rows(name, each)],
            region_rows=[row for name, each in entries for row in _region_rows(name, each)],
            verified_rows=[_verified_row(name, row) for name, each in entries for row in each.verified],
            overlays=overlays(summary, run.path),
            overlay_folder=FOLDER,
            headroom=HEADROOM,
            memory_room=MEMORY_ROOM,
            plan=flatten(manifest["plan"]),
        )
    )


def _glance_row(name: str, entry: PlanEntry, summary: PlanSummary) -> GlanceRow:
    if not (entry.chosen and entry.scoring):
        return GlanceRow(name, entry.title, (GlanceCell("never", "at no rate"), GlanceCell(MISSING)))
    dearest = max(each.per_million or 0.0 for each in summary.planned.values()) or 1.0
    cost = entry.per_million or 0.0
    cells = (
        GlanceCell(f"{entry.scoring.replicas}", f"of {entry.scoring.cpu_m}m CPU"),
        GlanceCell(significant(cost), "", cost / dearest),
    )
    return GlanceRow(name, entry.title, cells)


def _pod_rows(name: str, entry: PlanEntry) -> list[TableRow]:
    if not (entry.chosen and entry.scoring and entry.models):
        return [TableRow(name, ("scoring", *(MISSING,) * 10))]
    configured = (str(entry.chosen.threads or MISSING), str(entry.chosen.workers))
    return [
        TableRow(name, ("scoring", *configured, *_pods(entry.scoring), entry.chosen.binds)),
        TableRow("", ("models", MISSING, "1", *_pods(entry.models), MISSING)),
    ]


def _pods(pods: PodsRow) -> tuple[str, ...]:
    return (
        str(pods.needed),
        str(pods.replicas),
        str(pods.in_an_update),
        significant(pods.carries_rps),
        f"{pods.cpu_m}m",
        f"{pods.memory_mi}Mi",
        f"{pods.target_m}m",
    )


def _choice_rows(name: str, entry: PlanEntry) -> list[TableRow]:
    return [
        TableRow(name if place == 0 else "", (*_configuration(row), *_carried(row, row == entry.chosen)))
        for place, row in enumerate(entry.choices)
    ]


def _configuration(row: ChoiceRow | VerifiedRow) -> tuple[str, str]:
    return (str(row.threads or MISSING), str(row.workers))


def _carried(row: ChoiceRow, is_chosen: bool) -> tuple[str, ...]:
    if not row.rps:
        return ("0", significant(row.bound_rps), row.binds, MISSING, "")
    return (
        significant(row.rps),
        significant(row.bound_rps),
        row.binds,
        significant(row.cpu_ms),
        "chosen" if is_chosen else "",
    )


def _start_rows(name: str, entry: PlanEntry) -> list[TableRow]:
    return [
        TableRow(
            name if place == 0 else "",
            (
                str(row.least),
                f"{row.missed:,}",
                f"{significant(100 * row.missed / max(row.requests, 1), 2)} %",
                f"{row.gave_up:,}",
                f"{row.last_missed_s:g} s" if row.missed else MISSING,
                str(row.most_pods),
                f"{row.pod_s:,.0f}",
            ),
        )
        for place, row in enumerate(entry.starts)
    ]


def _region_rows(name: str, entry: PlanEntry) -> list[TableRow]:
    row = entry.regions
    if row is None:
        return []
    share = 100 * row.failing_missed / max(row.failing_requests, 1)
    cells = (
        significant(row.day_cost),
        significant(row.ready_cost),
        f"{row.hour:g} h",
        f"{significant(row.stays_rps)} to {significant(row.takes_rps)}",
        f"{row.failing_missed:,} ({significant(share, 2)} %)",
        f"{significant(100 * row.way_misses, 2)} %",
    )
    return [TableRow(name, cells)]


def _verified_row(name: str, row: VerifiedRow) -> TableRow:
    kept = "none" if row.kept_rps is None else significant(row.kept_rps)
    broken = "none" if row.broken_rps is None else significant(row.broken_rps)
    cells = (
        *_configuration(row),
        significant(row.predicted_rps),
        kept,
        broken,
        MISSING if row.error is None else f"{row.error:+.0%}",
    )
    return TableRow(name, cells, bool(row.reasons), row.reasons)
