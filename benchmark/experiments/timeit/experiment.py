"""How do n calls in a row add up, and what does one call cost?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmark.experiments.experiment import Experiment
from benchmark.experiments.timeit.comparable import comparable
from benchmark.experiments.timeit.figures import headline
from benchmark.experiments.timeit.measure import measure
from benchmark.experiments.timeit.page import write_report
from benchmark.experiments.timeit.plan import floors_ms
from benchmark.experiments.timeit.repeats import read_repeats, write_table
from benchmark.experiments.timeit.schema import parse
from benchmark.experiments.timeit.summarise import QUESTION, WATCHED, summarise
from benchmark.experiments.timeit.verdict import write_headline
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SUMMARY, Run


def _summarise(run: Run) -> Mapping[str, Mapping[str, Any]]:
    contenders, repeats = recorded_contenders(run.manifest), read_repeats(run.path)
    summary = summarise(run.manifest, run.cells(), repeats, contenders, floors_ms(contenders), run.lines(WATCHED))
    return {SUMMARY: {**summary, "verdict": write_headline(summary)}}


def _write_page(run: Run) -> Path:
    write_table(run.path, read_repeats(run.path), [contender.label for contender in recorded_contenders(run.manifest)])
    return write_report(run)


def _table(summary: Mapping[str, Any]) -> Table:
    data = parse(summary)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contender", no_wrap=True)
    for heading in ("floor", "ms/call", "95 %", "% faster", "adjusted" if data.comparisons > 1 else "95 %", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, each in data.timeit.items():
        contender = data.contender(name)
        table.add_row(
            name,
            _number(contender.floor_ms),
            _number(each.ms_per_call),
            _interval(each.ci95),
            _number(each.faster_than_baseline_pct),
            _interval(each.interval_pct),
            "" if contender.valid else "[red]INVALID[/]",
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(ends: tuple[float, float] | None) -> str:
    return f"{ends[0]:.1f} … {ends[1]:.1f}" if ends else "-"


EXPERIMENT = Experiment(
    name="timeit",
    question=QUESTION,
    measure=measure,
    summarise=_summarise,
    write_page=_write_page,
    table=_table,
    headline=lambda run: headline(parse(run.summary, read_repeats(run.path))),
    comparable=comparable,
)
