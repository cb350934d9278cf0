"""Which way of serving helps against which trouble?"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmark.analysis.wording import MISSING, significant
from benchmark.experiments.experiment import Experiment
from benchmark.experiments.strategies.answers import answers
from benchmark.experiments.strategies.figures import headline
from benchmark.experiments.strategies.measure import measure
from benchmark.experiments.strategies.page import state_of, write_report
from benchmark.experiments.strategies.schema import StrategiesSummary
from benchmark.experiments.strategies.summarise import QUESTION, summarise


def _table(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("strategy", "contender", "law"):
        table.add_column(heading)
    for heading in ("expected", "measured", "", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, strategy in StrategiesSummary.model_validate(summary).strategies.items():
        for law in strategy.laws:
            measured = MISSING if law.value is None else significant(law.value)
            state = state_of(law)
            coloured = state if law.held else f"[red]{state}[/]"
            table.add_row(name, law.subject, law.says, significant(law.expected), measured, law.unit, coloured)
    return table


EXPERIMENT = Experiment(
    name="strategies",
    question=QUESTION,
    measure=measure,
    summarise=summarise,
    write_page=write_report,
    table=_table,
    answers=lambda run: answers(StrategiesSummary.model_validate(run.summary)),
    headline=lambda run: headline(StrategiesSummary.model_validate(run.summary)),
)
