"""Which of two services answers sooner?"""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from benchmark.analysis.comparable import Comparable
from benchmark.analysis.validity import run_reasons
from benchmark.analysis.wording import MISSING, significant, span
from benchmark.experiments.experiment import Experiment
from benchmark.experiments.versus.answers import answers
from benchmark.experiments.versus.figures import headline
from benchmark.experiments.versus.measure import measure
from benchmark.experiments.versus.observed import PEAK_RATE, UNITS
from benchmark.experiments.versus.page import names_of, verdict_of, write_report
from benchmark.experiments.versus.schema import VersusSummary
from benchmark.experiments.versus.summarise import QUESTION, summarise
from benchmark.record.run import Run


def _table(document: Mapping[str, Any]) -> Table | None:
    summary = VersusSummary.model_validate(document)
    if not summary.compared:
        return None
    names, (one, other) = names_of(summary), summary.pair
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for heading in (one, other, "difference", "interval", ""):
        table.add_column(escape(heading), justify="right", no_wrap=True)
    for each in summary.compared:
        table.add_row(
            f"{names[each.figure].removeprefix('latency ')} [{UNITS[each.figure]}]",
            *map(significant, (each.one, each.other, each.difference)),
            span(each.difference_ci) if each.difference_ci else MISSING,
            verdict_of(each).partition(" (")[0] if each.valid else "[red]INVALID[/]",
        )
    return table


def _comparable(run: Run, label: str, _: int | None) -> list[Comparable]:
    """Return the figures of one service as values by block."""
    summary = VersusSummary.model_validate(run.summary)
    names, whole = names_of(summary), not run_reasons(run.manifest["busy_before_start"])
    return [
        Comparable(
            names[figure],
            UNITS[figure],
            figure != PEAK_RATE,
            tuple(value for value in measured.values if value),
            measured.valid and whole,
        )
        for figure, measured in summary.sides[label].figures.items()
    ]


EXPERIMENT = Experiment(
    name="versus",
    question=QUESTION,
    measure=measure,
    summarise=summarise,
    write_page=write_report,
    table=_table,
    answers=lambda run: answers(VersusSummary.model_validate(run.summary), run.manifest["busy_before_start"]),
    headline=lambda run: headline(VersusSummary.model_validate(run.summary)),
    comparable=_comparable,
)
