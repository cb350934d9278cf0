"""The commands of `python -m benchmark`.

Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
130 interrupted. Of `monitor`: 0 all well, 1 something was down or stalled.
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmark.cli_options import (
    EXIT_INTERRUPTED,
    RESULTS,
    Commands,
    FreePortsOption,
    ResultsOption,
    SettingOption,
    UpContendersOption,
    console,
    examples,
    fail,
    help_of,
    parse_settings,
    print_outcome,
    starting_command,
)
from benchmark.compare.cli import compare
from benchmark.contenders.discovery import Contender, discover
from benchmark.errors import BenchmarkError
from benchmark.experiments.registry import REGISTRY, experiment_of
from benchmark.monitor.command import monitor
from benchmark.record import Target
from benchmark.scenario_init.command import app as scenario

MEASURE, RESULTS_PANEL, SERVICES = "Measure", "Look at results", "Services"

app = typer.Typer(
    cls=Commands,
    help="Real-time ML serving, sync or async? Measures the contenders and explains the difference.",
    epilog=examples(
        "bench --quick    # one minute: compare all contenders",
        "explain --quick    # six minutes: where does the difference come from?",
        "report    # one page over all recorded runs",
        "bench --help    # what it measures, its options, more examples",
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


for row in REGISTRY:
    app.command(row.name, help=help_of(row.command), epilog=row.examples, rich_help_panel=MEASURE)(row.command)
app.command(
    help=help_of(compare),
    epilog=examples(
        "compare results/RUN_A results/RUN_B    # all contenders of two runs",
        "compare results/latest:sync results/latest:async    # two contenders of one run",
        "compare results/BEFORE results/AFTER --fail-if-slower 5%    # for CI",
    ),
    rich_help_panel=RESULTS_PANEL,
)(compare)

app.add_typer(scenario, name="scenario", rich_help_panel=MEASURE)
app.command(
    help=help_of(monitor),
    epilog=examples(
        "monitor http://127.0.0.1:5001 http://127.0.0.1:8001    # both scoring handlers, until Ctrl-C",
        "monitor http://127.0.0.1:8001 --for 600 --webhook https://example.com/alerts",
        "monitor --out results/monitor/20261128T070000Z --beside results/latest    # draw it beside the load of a run",
    ),
    rich_help_panel=SERVICES,
)(monitor)


@app.command(
    epilog=examples(
        "report    # results/report.html: all runs",
        "report results/latest    # report.html of the newest complete run again",
    ),
    rich_help_panel=RESULTS_PANEL,
)
def report(
    run_directory: Annotated[
        Path | None, typer.Argument(help="A run directory: renders only its report again.", show_default=False)
    ] = None,
    results: ResultsOption = RESULTS,
) -> None:
    """Write one page over all runs in results/, or render one run's report again. Takes seconds.

    Figures are computed from the recorded raw data, so the same record always gives the same report.
    """
    from benchmark.experiments.index import write_joined_report

    try:
        path = _redraw(run_directory) if run_directory else write_joined_report(results)
    except BenchmarkError as error:
        fail(error)
    if not run_directory:
        console.print(f"report: {path}", soft_wrap=True, markup=False)


@app.command(
    epilog=examples(
        "export results/latest --to csv    # results/latest/export/samples.csv and four more",
        "export results/latest --to parquet --out /tmp/run    # for pandas, Polars, DuckDB; needs pyarrow",
        "export results/latest --to prometheus --out /var/lib/node_exporter    # the figures as metrics",
    ),
    rich_help_panel=RESULTS_PANEL,
)
def export(
    run_directory: Annotated[Path, typer.Argument(help="A run directory.", show_default=False)],
    to: Annotated[Target, typer.Option(help="The format: every sample and more as tables, or the figures as metrics.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files. Default: the folder `export` in the run directory.")
    ] = None,
) -> None:
    """Write a run's data in the format of another tool. Takes seconds.

    `parquet` and `csv`: a file each for samples, resources, windows, trials and summary, with the columns and units
    of doc/record.md. `prometheus`: the summary's figures as `figures.prom`, for the textfile collector of
    node_exporter or for a Pushgateway.

    From Python, `from benchmark.record import load` gives the same tables without an export.
    """
    from benchmark.record import load
    from benchmark.record.export import export as write

    try:
        run = load(run_directory)
        for path in write(run, to, out or run.path / "export"):
            console.print(str(path), soft_wrap=True, markup=False)
    except BenchmarkError as error:
        fail(error)


def _redraw(run_directory: Path) -> Path:
    """Compute the summary of a recorded run again, render its page, and return the page's path."""
    from benchmark.experiments.experiment import report
    from benchmark.record.damage import readable
    from benchmark.record.run import Run

    with readable(run_directory):
        run = Run.open(run_directory)
        experiment = experiment_of(run.manifest["command"])
        path = report(experiment, run)
        print_outcome(run, experiment)
    return path


@app.command(
    epilog=examples(
        "up",
        "up --contenders async-aiohttp --set model_cpu_ms=5 --free-ports",
        "contenders    # lists the ports",
        "down    # stops them again",
    ),
    rich_help_panel=SERVICES,
)
def up(contenders: UpContendersOption = "", setting: SettingOption = None, free_ports: FreePortsOption = False) -> None:
    """Start the feature store and all services in the background, on their usual ports. Takes seconds.

    Services that are already up stay, those of another `up --free-ports` as well; `down` stops them all. Ctrl-C
    during the start stops those that were started. Settings are given with --set: SERVING_... variables of the shell
    are refused.
    """
    from benchmark.stack import background as services
    from benchmark.stack.chosen import to_start

    with (
        starting_command(),
        closing(services.up(known=to_start(contenders, parse_settings(setting), free_ports))) as lines,
    ):
        try:
            for line in lines:
                console.print(line, soft_wrap=True, markup=False)
        except KeyboardInterrupt:
            lines.close()
            console.print("Interrupted: the services that were started have been stopped again.")
            raise typer.Exit(EXIT_INTERRUPTED) from None


@app.command(rich_help_panel=SERVICES)
def down() -> None:
    """Stop the services that `up` started, and nothing else. Takes seconds."""
    from benchmark.stack import background as services

    try:
        for line in services.down():
            console.print(line, soft_wrap=True, markup=False)
    except BenchmarkError as error:
        fail(error)


def _measured_by(contender: Contender) -> str:
    """Return who measures a contender, if not every command does."""
    if contender.default:
        return ""
    if contender.harness_floor and not contender.follows_contract:
        return "selftest"
    return "when named" if contender.follows_contract else "strategies"


@app.command(rich_help_panel=SERVICES)
def contenders() -> None:
    """List the contenders that can be measured, with their processes and ports.

    Those marked "when named" are measured only if --contenders names them, or with `bench --field`; those marked
    "strategies" or "selftest" are measured by that command.
    """
    table = Table(box=None, pad_edge=False)
    table.add_column("name", no_wrap=True)
    for heading in ("title", "", "processes"):
        table.add_column(heading)
    try:
        for contender in discover().values():
            processes = ", ".join(f"{p.role} :{p.port}" for p in contender.process)
            table.add_row(contender.name, contender.title, _measured_by(contender), processes)
    except BenchmarkError as error:
        fail(error)
    console.print(table)
