"""What must be run, and what does it cost?"""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

from benchmark.analysis.wording import MISSING, significant
from benchmark.experiments.experiment import Experiment
from benchmark.experiments.sizing.answers import answers
from benchmark.experiments.sizing.figures import headline
from benchmark.experiments.sizing.measure import measure
from benchmark.experiments.sizing.page import write_report
from benchmark.experiments.sizing.schema import PlanEntry, PlanSummary
from benchmark.experiments.sizing.summarise import QUESTION, summarise


def _tables(document: Mapping[str, Any]) -> RenderableType:
    summary = PlanSummary.model_validate(document)
    parts = [_plan(summary)]
    if any(entry.verified for entry in summary.contenders.values()):
        parts.append(_verified(summary))
    return Group(*parts, _assumptions(summary))


def _plan(summary: PlanSummary) -> Table:
    table = _table("contender", "pods", "threads", "workers", "CPU", "memory", "target", "rps/pod", "per million")
    for name, entry in summary.contenders.items():
        table.add_row(name, *_cells(entry))
    return table


def _cells(entry: PlanEntry) -> tuple[str, ...]:
    if not (entry.chosen and entry.scoring):
        return ("never", *(MISSING,) * 7)
    pods = entry.scoring
    return (
        str(pods.replicas),
        str(entry.chosen.threads or MISSING),
        str(entry.chosen.workers),
        f"{pods.cpu_m}m",
        f"{pods.memory_mi}Mi",
        f"{pods.target_m}m",
        significant(entry.chosen.rps),
        significant(entry.per_million),
    )


def _verified(summary: PlanSummary) -> Table:
    table = _table("contender", "threads", "workers", "predicted", "kept", "broken", "error")
    for name, entry in summary.contenders.items():
        for row in entry.verified:
            table.add_row(
                name,
                str(row.threads or MISSING),
                str(row.workers),
                significant(row.predicted_rps),
                significant(row.kept_rps),
                significant(row.broken_rps),
                MISSING if row.error is None else f"{row.error:+.0%}",
            )
    return table


def _assumptions(summary: PlanSummary) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("assumed", no_wrap=True)
    table.add_column("")
    for what, how in summary.assumptions:
        table.add_row(what, how)
    return table


def _table(first: str, *headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


EXPERIMENT = Experiment(
    name="plan",
    question=QUESTION,
    measure=measure,
    summarise=summarise,
    write_page=write_report,
    table=_tables,
    answers=lambda run: answers(PlanSummary.model_validate(run.summary)),
    headline=lambda run: headline(PlanSummary.model_validate(run.summary)),
)
