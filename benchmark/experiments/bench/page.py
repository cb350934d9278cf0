"""The report of `bench`: the whole comparison on one page that needs nothing but itself."""

from pathlib import Path
from typing import Final

from benchmark.analysis.schema import RunData, parse_summary
from benchmark.analysis.wording import minute_utc
from benchmark.experiments.bench import figures, tables
from benchmark.experiments.bench.answers import answers
from benchmark.experiments.bench.notes import doubts, excluded
from benchmark.report.page import machine_line, templates, write_page
from benchmark.report.tables import flatten

_FOLDER: Final = Path(__file__).parent


def write_bench_report(run: RunData) -> Path:
    """Write the report and the headline figure into the run's directory; return the path of the page."""
    return write_page(run.path, render_bench_report(run), figures.headline(parse_summary(run.summary)))


def render_bench_report(run: RunData) -> str:
    """Return the page, the same bytes for the same record."""
    summary, manifest = parse_summary(run.summary), run.manifest
    environment = manifest.get("environment") or manifest
    cpu_roles, memory_roles = tables.cpu_roles(summary), tables.memory_roles(summary)
    pictures = figures.all_figures(summary, run.samples())
    return templates(_FOLDER).get_template("page.html.j2").render(
        summary=summary,
        manifest=manifest,
        environment=environment,
        date=minute_utc(summary.started_utc),
        machine=machine_line(environment),
        answers=answers(summary),
        excluded=excluded(summary),
        doubts=doubts(summary),
        picture=pictures[0] if pictures else None,
        pictures=pictures[1:],
        glance_rows=tables.glance_rows(summary),
        cpu_roles=cpu_roles,
        memory_roles=memory_roles,
        low_load_rows=tables.low_load_rows(summary),
        peak_rows=tables.peak_rows(summary, memory_roles),
        level_rows=tables.level_rows(summary, cpu_roles),
        comparison_head=tables.comparison_head(summary),
        comparison_rows=tables.comparison_rows(summary),
        settings=flatten(manifest.get("settings") or {}),
        plan=flatten(manifest.get("plan") or {}),
        low_users=summary.low_users,
    )  # fmt: skip
