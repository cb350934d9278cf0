"""Does each contender keep its promise under this load?"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmark.analysis.wording import MISSING, significant
from benchmark.experiments.experiment import Experiment
from benchmark.experiments.promise.answers import answers
from benchmark.experiments.promise.comparable import comparable
from benchmark.experiments.promise.figures import headline
from benchmark.experiments.promise.measure import measure
from benchmark.experiments.promise.page import write_report
from benchmark.experiments.promise.schema import PromiseSummary
from benchmark.experiments.promise.summarise import QUESTION, summarise


def _table(document: Mapping[str, Any]) -> Table:
    summary = PromiseSummary.model_validate(document)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contender", no_wrap=True)
    for heading in ("objective", "verdict", "measured", "missed", "requests", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, entry in summary.contenders.items():
        rows = [(name, each) for each in entry.outcomes] + [("  its first answer", each) for each in entry.accepted]
        for label, outcome in rows:
            table.add_row(
                label,
                outcome.objective,
                str(outcome.verdict),
                MISSING if outcome.measured_ms is None else f"{significant(outcome.measured_ms)} ms",
                f"{outcome.bad:,}",
                f"{outcome.requests:,}",
                "" if entry.valid else "[red]INVALID[/]",
            )
    return table


EXPERIMENT = Experiment(
    name="promise",
    question=QUESTION,
    measure=measure,
    summarise=summarise,
    write_page=write_report,
    table=_table,
    answers=lambda run: answers(PromiseSummary.model_validate(run.summary), run.manifest["busy_before_start"]),
    comparable=comparable,
    headline=lambda run: headline(PromiseSummary.model_validate(run.summary)),
)
