"""How do n calls in a row add up, and what does one call cost?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmark.experiments.experiment import Experiment
from benchmark.experiments.timeit.answers import answers
from benchmark.experiments.timeit.comparable import comparable
from benchmark.experiments.timeit.figures import headline
from benchmark.experiments.timeit.measure import measure
from benchmark.experiments.timeit.page import write_report
from benchmark.experiments.timeit.plan import floors_ms
from benchmark.experiments.timeit.repeats import read_repeats, write_table
from benchmark.experiments.timeit.schema import parse
from benchmark.experiments.timeit.summarise import QUESTION, WATCHED, summarise
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SUMMARY, Run


def _summarise(run: Run) -> Mapping[str, Mapping[str, Any]]:
    contenders, repeats = recorded_contenders(run.manifest), read_repeats(run.path)
    floors = floors_ms(contenders)
    return {SUMMARY: summarise(run.manifest, run.cells(), repeats, contenders, floors, run.lines(WATCHED))}


def _write_page(run: Run) -> Path:
    write_table(run.path, read_repeats(run.path), [contender.label for contender in recorded_contenders(run.manifest)])
    return write_report(run)


def _table(summary: Mapping[str, Any]) -> Table:
    data = parse(summary)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contender", no_wrap=True)
    deciding = "adjusted" if data.comparisons > 1 else "95 %"
    for heading in ("floor", "ms/call", "95 %", f"x {data.baseline}", deciding, ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, each in data.timeit.items():
        contender = data.contender(name)
        table.add_row(
            name,
            _number(contender.floor_ms),
            _number(each.ms_per_call),
            _interval(each.ci95),
            _number(each.times),
            _interval(each.times_interval, ".3f"),
            "" if contender.valid else "[red]INVALID[/]",
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(ends: tuple[float, float] | None, form: str = ".1f") -> str:
    return f"{ends[0]:{form}} … {ends[1]:{form}}" if ends else "-"


EXPERIMENT = Experiment(
    name="timeit",
    question=QUESTION,
    measure=measure,
    summarise=_summarise,
    write_page=_write_page,
    table=_table,
    answers=lambda run: answers(parse(run.summary)),
    headline=lambda run: headline(parse(run.summary, read_repeats(run.path))),
    comparable=comparable,
)
