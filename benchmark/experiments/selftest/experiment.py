"""Is the load generator telling the truth here?"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmark.analysis.wording import MISSING, significant
from benchmark.experiments.experiment import Experiment
from benchmark.experiments.selftest.answers import answers
from benchmark.experiments.selftest.figures import headline
from benchmark.experiments.selftest.measure import measure
from benchmark.experiments.selftest.page import write_report
from benchmark.experiments.selftest.schema import SelftestSummary
from benchmark.experiments.selftest.summarise import QUESTION, summarise

_OK = {True: "[green]yes[/]", False: "[red]no[/]", None: "cannot be told"}


def _table(document: Mapping[str, Any]) -> Table:
    summary = SelftestSummary.model_validate(document)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("check", no_wrap=True)
    for heading in ("measured", "at most", "good enough"):
        table.add_column(heading, justify="right", no_wrap=True)
    for check in summary.checks:
        value = MISSING if check.value is None else f"{significant(check.value)} {check.unit}"
        table.add_row(check.says, value, f"{check.limit:g} {check.unit}", _OK[check.ok])
    return table


EXPERIMENT = Experiment(
    name="selftest",
    question=QUESTION,
    measure=measure,
    summarise=summarise,
    write_page=write_report,
    table=_table,
    answers=lambda run: answers(SelftestSummary.model_validate(run.summary), run.manifest["busy_before_start"]),
    headline=lambda run: headline(SelftestSummary.model_validate(run.summary)),
)
