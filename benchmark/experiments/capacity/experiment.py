"""What is the highest rate at which each contender keeps the promise?"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmark.analysis.wording import MISSING, span
from benchmark.experiments.capacity.answers import answers
from benchmark.experiments.capacity.comparable import comparable
from benchmark.experiments.capacity.figures import headline, words_of
from benchmark.experiments.capacity.measure import measure
from benchmark.experiments.capacity.page import write_report
from benchmark.experiments.capacity.schema import CapacitySummary
from benchmark.experiments.capacity.summarise import QUESTION, summarise
from benchmark.experiments.experiment import Experiment


def _table(document: Mapping[str, Any]) -> Table:
    summary = CapacitySummary.model_validate(document)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contender", no_wrap=True)
    for heading in ("capacity", "95 % interval", "breaks first", "confirming run", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, entry in summary.contenders.items():
        table.add_row(
            name,
            words_of(entry),
            span(entry.ci95) if entry.ci95 else MISSING,
            entry.binding or MISSING,
            str(entry.confirmed or MISSING),
            "" if entry.valid else "[red]INVALID[/]",
        )
    return table


EXPERIMENT = Experiment(
    name="capacity",
    question=QUESTION,
    measure=measure,
    summarise=summarise,
    write_page=write_report,
    table=_table,
    answers=lambda run: answers(CapacitySummary.model_validate(run.summary), run.manifest["busy_before_start"]),
    headline=lambda run: headline(CapacitySummary.model_validate(run.summary)),
    comparable=comparable,
)
