"""Which contender is faster, by how much, and under which load?"""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmark.analysis.schema import parse_summary
from benchmark.analysis.summary import QUESTION, summarise
from benchmark.experiments.bench.answers import answers
from benchmark.experiments.bench.comparable import comparable
from benchmark.experiments.bench.figures import headline
from benchmark.experiments.bench.measure import measure
from benchmark.experiments.bench.page import write_bench_report
from benchmark.experiments.experiment import Experiment
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SUMMARY, Run


def _summarise(run: Run) -> Mapping[str, Mapping[str, Any]]:
    return {SUMMARY: summarise(run, recorded_contenders(run.manifest))}


def _table(summary: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contender", no_wrap=True)
    for heading in ("1 user ms", "x floor", "highest rps", "users", "p99 ms", "CPU ms a request", ""):
        table.add_column(heading, justify="right", no_wrap=not heading)  # headings may be wrapped, INVALID may not
    for name, entry in summary["contenders"].items():
        low, peak = entry["low_load"] or {}, entry["peak"] or {}
        services = [ms for role, ms in entry["cpu_ms_per_request"].items() if role != "load" and ms is not None]
        table.add_row(
            name,
            _number(low.get("mean_ms"), ".1f"),
            _number(low.get("over_floor"), ".3f"),
            (">= " if peak.get("bracketed") is False else "") + _number(peak.get("rps"), ".0f"),
            _number(peak.get("users"), "d"),
            _number(peak.get("p99_ms"), ".0f"),
            _number(sum(services) if services else None, ".2f"),
            "" if entry["valid"] else "[red]INVALID[/]",
        )
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


EXPERIMENT = Experiment(
    name="bench",
    question=QUESTION,
    measure=measure,
    summarise=_summarise,
    write_page=write_bench_report,
    table=_table,
    answers=lambda run: answers(parse_summary(run.summary)),
    headline=lambda run: headline(parse_summary(run.summary)),
    comparable=comparable,
)
