"""The commands of `python -m benchmark`.

Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
130 interrupted.
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmark.cli_options import (
    EXIT_INTERRUPTED,
    RESULTS,
    ResultsOption,
    console,
    fail,
    measuring_command,
    print_outcome,
)
from benchmark.compare.cli import compare
from benchmark.contenders.discovery import discover
from benchmark.errors import BenchmarkError
from benchmark.experiments.registry import REGISTRY, experiment_of

app = typer.Typer(
    help="Real-time ML serving, sync or async? Measures the contenders and explains the difference.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


for row in REGISTRY:
    app.command(row.name)(row.command)
app.command()(compare)


@app.command()
def report(
    run_directory: Annotated[
        Path | None, typer.Argument(help="A run directory, to draw its report again.", show_default=False)
    ] = None,
    results: ResultsOption = RESULTS,
) -> None:
    """Join the reports of all runs in results/, or draw the report of one recorded run again."""
    from benchmark.experiments.index import write_joined_report

    try:
        path = _redraw(run_directory) if run_directory else write_joined_report(results)
    except BenchmarkError as error:
        fail(error)
    if not run_directory:
        console.print(f"report: {path}", soft_wrap=True, markup=False)


def _redraw(run_directory: Path) -> Path:
    """Compute the summary of a recorded run again, draw its page, and return the page's path."""
    from benchmark.experiments.experiment import report
    from benchmark.record.run import Run

    run = Run.open(run_directory)
    experiment = experiment_of(run.manifest["command"])
    path = report(experiment, run)
    print_outcome(run, experiment)
    return path


@app.command()
def up() -> None:
    """Start the feature store and all services in the background, on their usual ports.

    What is up already stays. Ctrl-C stops what was started by then.
    """
    from benchmark.stack import background as services

    with measuring_command(), closing(services.up()) as lines:
        try:
            for line in lines:
                console.print(line, soft_wrap=True, markup=False)
        except KeyboardInterrupt:
            lines.close()
            console.print("interrupted; what was started is stopped again")
            raise typer.Exit(EXIT_INTERRUPTED) from None


@app.command()
def down() -> None:
    """Stop what `up` started."""
    from benchmark.stack import background as services

    try:
        for line in services.down():
            console.print(line, soft_wrap=True, markup=False)
    except BenchmarkError as error:
        fail(error)


@app.command()
def contenders() -> None:
    """List what can be measured."""
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "title", "", "processes"):
        table.add_column(heading)
    try:
        for contender in discover().values():
            processes = ", ".join(f"{p.role} :{p.port}" for p in contender.process)
            table.add_row(contender.name, contender.title, "" if contender.default else "when named", processes)
    except BenchmarkError as error:
        fail(error)
    console.print(table)
