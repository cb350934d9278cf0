"""The page of a gate, and what CI systems read: drawn from its summary."""

from pathlib import Path
from typing import Final

from benchmark.analysis.wording import minute_utc
from benchmark.experiments.gate.answers import answers
from benchmark.experiments.gate.ci import JUNIT_NAME, SUMMARY_NAME, cells, junit, step_summary
from benchmark.experiments.gate.figures import headline, picture
from benchmark.experiments.gate.schema import GateFigure, GateSummary
from benchmark.experiments.gate.summarise import QUESTION
from benchmark.record.run import Run
from benchmark.report.page import machine_line, templates, write_page, write_whole
from benchmark.report.tables import TableRow, flatten

_FOLDER: Final = Path(__file__).parent


def write_report(run: Run) -> Path:
    """Write report.html, junit.xml and summary.md into the run's directory; return the path of the page."""
    summary = GateSummary.model_validate(run.summary)
    write_whole(run.path / JUNIT_NAME, junit(summary).encode())
    write_whole(run.path / SUMMARY_NAME, step_summary(summary).encode())
    return write_page(run.path, render_page(run, summary), headline(summary))


def render_page(run: Run, summary: GateSummary) -> str:
    """Return the page, the same bytes for the same record."""
    manifest = run.manifest
    return (
        templates(_FOLDER)
        .get_template("page.html.j2")
        .render(
            question=QUESTION,
            summary=summary,
            manifest=manifest,
            environment=manifest["environment"],
            date=minute_utc(summary.started_utc),
            machine=machine_line(manifest["environment"]),
            answers=answers(summary),
            picture=picture(summary),
            rows=[_row(each) for each in summary.figures],
            settings=flatten(manifest["settings"]),
            plan=flatten(manifest["plan"]),
        )
    )


def _row(figure: GateFigure) -> TableRow:
    why = (*figure.reasons, *([figure.why] if figure.why else []))
    *numbers, verdict, could = cells(figure)
    return TableRow(figure.called, (*numbers, could, str(figure.pairs)), not figure.valid, why, verdict)
