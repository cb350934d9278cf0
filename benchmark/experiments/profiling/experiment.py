"""Where does the time of a request go?"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmark.experiments.experiment import Experiment
from benchmark.experiments.profiling.answers import answers
from benchmark.experiments.profiling.measure import measure
from benchmark.experiments.profiling.page import headline, write_report
from benchmark.experiments.profiling.summarise import QUESTION, summarise
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SUMMARY, Run


def _summarise(run: Run) -> Mapping[str, Mapping[str, Any]]:
    return {SUMMARY: summarise(run, recorded_contenders(run.manifest))}


def _table(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contender")
    for heading in ("CPU ms/request", "most of it", "", "not attributed", "state"):
        table.add_column(heading, justify="right")
    for name, entry in summary["contenders"].items():
        by_library, counted = entry["cpu_by_library"], entry["cpu_ms_counted"]
        largest = max(by_library, key=lambda library: by_library[library], default=None)
        table.add_row(
            name,
            "-" if counted is None else f"{counted:.2f}",
            largest or "-",
            f"{by_library[largest]:.2f}" if largest else "",
            "-" if counted is None else f"{entry['cpu_not_attributed'] / counted:+.1%}",
            "" if entry["valid"] else "[red]INVALID[/]",
        )
    return table


EXPERIMENT = Experiment(
    name="profile",
    question=QUESTION,
    measure=measure,
    summarise=_summarise,
    write_page=write_report,
    headline=lambda run: headline(run.summary),
    table=_table,
    answers=lambda run: answers(run.summary),
)
