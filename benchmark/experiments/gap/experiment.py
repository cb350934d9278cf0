"""Where does the difference come from?"""

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from benchmark.experiments.experiment import Experiment
from benchmark.experiments.gap import figures
from benchmark.experiments.gap.answers import answers
from benchmark.experiments.gap.formats import NAMES
from benchmark.experiments.gap.measure import measure
from benchmark.experiments.gap.page import write_page
from benchmark.experiments.gap.schema import parse
from benchmark.experiments.gap.summarise import QUESTION, summarise
from benchmark.experiments.prediction.measure import read_prediction
from benchmark.record.run import SUMMARY, Run

CONTENDERS = "contenders.json"  # the contenders among the cells, as `bench` summarises them


def _summarise(run: Run) -> Mapping[str, Mapping[str, Any]]:
    summary, contenders = summarise(run, read_prediction(run))
    return {CONTENDERS: contenders, SUMMARY: summary}


def _tables(summary: Mapping[str, Any]) -> Group:
    """Return the shares of the gap."""
    shown: list[RenderableType] = []
    for name, form in (("latency_ms", "+.2f"), ("cpu_ms", "+.2f"), ("peak_rps", ".3f")):
        found = summary["attribution"].get(name)
        if not found:
            continue
        ends = f"{NAMES[name]}: {found['from']} {found['from_value']:.4g}, {found['to']} {found['to_value']:.4g}"
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("factor", "share", "95 % interval"):
            table.add_column(heading, justify="left" if heading == "factor" else "right")
        for factor, share in [*found["shares"].items(), _whole(found)]:
            interval = " to ".join(format(bound, form) for bound in share["ci95"]) if share["ci95"] else "-"
            table.add_row(factor, format(share["value"], form), interval)
        shown += [Text(ends), table]
    return Group(*shown)


def _whole(found: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the gap as one more row, with the interval that decides whether it is shown."""
    adjusted = found.get("confidence") is not None
    return "all, adjusted" if adjusted else "all", {"value": found["gap"], "ci95": found["ci" if adjusted else "ci95"]}


EXPERIMENT = Experiment(
    name="explain",
    question=QUESTION,
    headline=lambda run: figures.headline(parse(run.summary, run.manifest)),
    measure=measure,
    summarise=_summarise,
    write_page=write_page,
    table=_tables,
    answers=lambda run: answers(parse(run.summary, run.manifest)),
)
