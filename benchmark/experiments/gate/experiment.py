"""Is head worse than base by more than allowed?"""

from collections.abc import Mapping
from typing import Any, Final

from rich.table import Table

from benchmark.analysis.sequential import Decision
from benchmark.experiments.experiment import Experiment
from benchmark.experiments.gate.answers import answers
from benchmark.experiments.gate.ci import cells
from benchmark.experiments.gate.figures import headline
from benchmark.experiments.gate.measure import measure
from benchmark.experiments.gate.page import write_report
from benchmark.experiments.gate.schema import GateSummary
from benchmark.experiments.gate.summarise import QUESTION, summarise

_BRIEF: Final = {Decision.WORSE: "worse", Decision.NOT_WORSE: "not worse", Decision.OPEN: "open"}


def _table(document: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("figure", no_wrap=True)
    for heading in ("base", "head", "worse by", "95 % interval", "allowed"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")  # fits 80 columns
    for each in GateSummary.model_validate(document).figures:
        *numbers, _, _ = cells(each)
        brief = _BRIEF[each.decision] if each.valid else "INVALID"
        table.add_row(each.name, *numbers, brief, style="" if each.valid else "strike dim")
    return table


EXPERIMENT = Experiment(
    name="gate",
    question=QUESTION,
    measure=measure,
    summarise=summarise,
    write_page=write_report,
    table=_table,
    answers=lambda run: answers(GateSummary.model_validate(run.summary)),
    headline=lambda run: headline(GateSummary.model_validate(run.summary)),
)
