"""What does a service answer when something breaks, and when too much is asked of it?"""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from benchmark.experiments.experiment import Experiment
from benchmark.experiments.under_fire.answers import answers
from benchmark.experiments.under_fire.comparable import comparable
from benchmark.experiments.under_fire.figures import headline
from benchmark.experiments.under_fire.measure import measure
from benchmark.experiments.under_fire.page import write_report
from benchmark.experiments.under_fire.schema import UnderFireSummary
from benchmark.experiments.under_fire.summarise import QUESTION, summarise
from benchmark.experiments.under_fire.wording import bound_in_words, brief_verdict, recovery_in_words


def _table(document: Mapping[str, Any]) -> RenderableType:
    """Return a line for each fault and contender, then one for each bound of overload."""
    summary = UnderFireSummary.model_validate(document)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("fault", no_wrap=True)
    table.add_column("contender", no_wrap=True)
    for heading in ("sent", "lost", "odd", "hang", "back after"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("promise", no_wrap=True)
    for trouble in summary.troubles:
        for each in trouble.results:
            counts = (each.sent, each.lost, each.unexplained, each.hanging) if each.is_measured else ("-",) * 4
            names = (escape(trouble.name), escape(each.contender))
            table.add_row(*names, *map(str, counts), recovery_in_words(each), brief_verdict(each))
    bounds = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("overload", "contender", "measured", ""):
        bounds.add_column(heading)
    for result in summary.overload:
        for bound in result.bounds:
            bounds.add_row(bound.name, escape(result.contender), *bound_in_words(bound))
    return Group(table, bounds)


EXPERIMENT = Experiment(
    name="under-fire",
    question=QUESTION,
    measure=measure,
    summarise=summarise,
    write_page=write_report,
    table=_table,
    answers=lambda run: answers(UnderFireSummary.model_validate(run.summary)),
    headline=lambda run: headline(UnderFireSummary.model_validate(run.summary)),
    comparable=comparable,
)
