"""Which way of serving helps against which trouble?"""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from benchmark.analysis.wording import first_line
from benchmark.experiments.experiment import Experiment
from benchmark.experiments.strategies.answers import answers
from benchmark.experiments.strategies.figures import headline
from benchmark.experiments.strategies.measure import measure
from benchmark.experiments.strategies.page import gain_in_words, missed_in_words, verdict, write_report
from benchmark.experiments.strategies.schema import StrategiesSummary
from benchmark.experiments.strategies.summarise import QUESTION, summarise


def _table(document: Mapping[str, Any]) -> RenderableType:
    """Return a line for each strategy, then one for each law that missed and each contender that is not available."""
    summary = StrategiesSummary.model_validate(document)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("strategy", no_wrap=True)
    table.add_column("laws held", justify="right", no_wrap=True)
    table.add_column("gain")
    for name, strategy in summary.strategies.items():
        table.add_row(escape(name), verdict(strategy), escape(gain_in_words(strategy)))
    return Group(table, *(Text(line, style="red") for line in _amiss(summary)))


def _amiss(summary: StrategiesSummary) -> Iterator[str]:
    yield from (f"missed: {law}" for law in missed_in_words(summary))
    yield from (f"not available: {name}: {first_line(why)}" for name, why in summary.not_available.items())


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
