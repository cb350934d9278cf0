"""The commands of `python -m benchmark`.

Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
130 interrupted.
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from benchmark.cli_options import (
    EXIT_INTERRUPTED,
    RESULTS,
    ContendersOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    choose_contenders,
    conclude,
    console,
    fail,
    measuring_command,
    parse_levels,
    parse_settings,
    parse_sweep,
    print_outcome,
)
from benchmark.compare.cli import compare
from benchmark.contenders.discovery import discover
from benchmark.errors import BenchmarkError
from benchmark.experiments.breaking_point.command import locust
from benchmark.experiments.gap.command import explain, print_summary
from benchmark.experiments.profiling.command import profile
from benchmark.experiments.timeit.command import timeit
from contract.limits import open_files

app = typer.Typer(
    help="Real-time ML serving, sync or async? Measures the contenders and explains the difference.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


@app.command()
def bench(
    contenders: ContendersOption = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="About a minute: two blocks, 1 to 64 users, and a climb to 256.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="About an hour: enough samples for every p99.")] = False,
    levels: Annotated[str, typer.Option(help="Numbers of users, ascending, separated by commas, e.g. 1,16,64.")] = "",
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Blocks of fresh processes; the unit of the intervals.")
    ] = None,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    sweep: Annotated[
        str,
        typer.Option(
            help="Measure each contender once for each value of a setting: model_pool_size=16,32,64 or threads=16,64."
        ),
    ] = "",
    stage_clock: Annotated[bool, typer.Option(help="Have the services answer with Server-Timing.")] = True,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Use any free ports instead of the usual ones.")
    ] = False,
    containers: Annotated[
        bool, typer.Option("--containers", help="Run the contenders' processes as containers; `make docker-bench`.")
    ] = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Measure latency at one user and a climb of users, for every contender, and write a report.

    Each contender runs in fresh processes, in random order, in several blocks. Ctrl-C stops
    everything and still reports what was measured.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but
    INVALID, 130 interrupted.
    """
    from benchmark.contenders.service_settings import swept
    from benchmark.experiments.bench import measure as verb
    from benchmark.experiments.bench import plan as plans
    from benchmark.load.open_files import files_per_user, refuse_beyond
    from benchmark.measure.progress import Progress
    from benchmark.stack.containers import ContainerLauncher

    with measuring_command():
        chosen, swept_setting = choose_contenders(contenders), parse_sweep(sweep)
        if swept_setting:
            chosen = swept(chosen, *swept_setting)
        users = parse_levels(levels)
        make_plan = plans.quick_plan if quick else plans.full_plan if full else plans.default_plan
        limit, per_user = open_files().soft, files_per_user(chosen, containers)
        if users:
            refuse_beyond(max(users), limit, per_user)
        plan = plans.fit(plans.adjust(make_plan(users), blocks, seed, stage_clock, free_ports), limit, per_user)
        if plan.left_out:
            console.print(plan.left_out, soft_wrap=True, markup=False)
        launcher = ContainerLauncher() if containers else None
        run = verb.run_bench(results, chosen, plan, parse_settings(setting or []), Progress(console), launcher)
    _print_table(run.summary)
    conclude(run)


app.command()(profile)
app.command()(timeit)
app.command()(locust)
app.command()(explain)
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
    console.print(f"report: {path}", soft_wrap=True, markup=False)


def _redraw(run_directory: Path) -> Path:
    """Compute what can be computed from a record again, draw its page, and return the page's path."""
    from benchmark.experiments.bench import measure as bench_verb
    from benchmark.experiments.breaking_point import page as locust_page
    from benchmark.experiments.gap import measure as explain_verb
    from benchmark.experiments.profiling import page as profile_page
    from benchmark.experiments.timeit import measure as timeit_verb
    from benchmark.record.manifest import recorded_contenders
    from benchmark.record.run import Run

    run = Run.open(run_directory)
    command, recorded = run.manifest["command"], recorded_contenders(run.manifest)
    if command == "bench":
        bench_verb.report(run, recorded)
        _print_table(run.summary)
        print_outcome(run)
    elif command == "timeit":
        timeit_verb.report(run, recorded)
    elif command == "explain":
        explain_verb.report(run)
        print_summary(run.summary)
    elif command == "profile":
        profile_page.write_report(run)
    else:
        locust_page.write_report(run)
    return run.path / "report.html"


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


def _print_table(summary: dict[str, Any]) -> None:
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
    console.print(table)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
