"""The report of `bench`: the whole comparison on one page that needs nothing but itself."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmark.report import figures, tables
from benchmark.report.data import RunData, parse_summary
from benchmark.report.verdict import write_verdict
from benchmark.report.wording import MISSING, first_line, minute_utc, unbroken

REPORT_NAME: Final = "report.html"
_TEMPLATES: Final = Path(__file__).parent / "templates"


def write_bench_report(run: RunData) -> Path:
    """Write the report into the run's directory and return its path; readers never see half of it."""
    target = run.path / REPORT_NAME
    draft = run.path / f".{REPORT_NAME}.{os.getpid()}"
    try:
        draft.write_text(render_bench_report(run), encoding="utf-8")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
    return target


def render_bench_report(run: RunData) -> str:
    """Return the page, the same bytes for the same record."""
    summary, manifest = parse_summary(run.summary), run.manifest
    environment = manifest.get("environment") or manifest
    cpu_roles, memory_roles = tables.cpu_roles(summary), tables.memory_roles(summary)
    return templates().get_template("bench.html.j2").render(
        summary=summary,
        manifest=manifest,
        environment=environment,
        date=minute_utc(summary.started_utc),
        machine=machine_line(environment),
        verdict=write_verdict(summary),
        pictures=figures.all_figures(summary, run.samples()),
        cpu_roles=cpu_roles,
        memory_roles=memory_roles,
        low_load_rows=tables.low_load_rows(summary),
        peak_rows=tables.peak_rows(summary, memory_roles),
        level_rows=tables.level_rows(summary, cpu_roles),
        comparison_rows=tables.comparison_rows(summary),
        settings=tables.flatten(manifest.get("settings") or {}),
        plan=tables.flatten(manifest.get("plan") or {}),
        low_users=summary.low_users,
    )  # fmt: skip


def templates() -> Environment:
    """Return the template environment of every report: it escapes, and a missing name is an error."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(unbroken=unbroken, first_line=first_line)
    return environment


def machine_line(environment: Mapping[str, Any]) -> str:
    """Return the machine in one line, leaving out what was not recorded."""
    machine = environment.get("machine") or {}
    parts = [
        machine.get("cpu_model"),
        f"{machine['cores']} cores" if machine.get("cores") else None,
        f"{machine['memory_gb']} GB" if machine.get("memory_gb") else None,
        machine.get("os"),
        f"kernel {machine['kernel']}" if machine.get("kernel") else None,
        f"Python {environment['python']}" if environment.get("python") else None,
    ]
    return ", ".join(str(part) for part in parts if part) or MISSING
