"""The commands of `python -m benchmark`.

Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
130 interrupted.
"""

import signal
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from benchmark.contenders import ROOT, Contender, choose, discover
from benchmark.errors import BenchmarkError, ContenderError, UnknownContender

EXIT_FAILED, EXIT_USAGE, EXIT_INVALID, EXIT_INTERRUPTED = 1, 2, 3, 130

app = typer.Typer(
    help="Real-time ML serving, sync or async? Measures the contenders and explains the difference.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
console = Console(highlight=False)

ResultsOption = Annotated[Path, typer.Option(help="Where run directories are written.")]


@app.command()
def bench(
    contenders: Annotated[
        str, typer.Option(help="Names separated by commas, see `contenders`; the first is the baseline. Default: all.")
    ] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Under 45 s: two blocks, 1 and 32 users.")] = False,
    full: Annotated[bool, typer.Option("--full", help="About an hour: enough samples for every p99.")] = False,
    levels: Annotated[str, typer.Option(help="Numbers of users, ascending, separated by commas, e.g. 1,16,64.")] = "",
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Blocks of fresh processes; the unit of the intervals.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of order, requests and model durations.")] = 1,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of every service, e.g. model_cpu_ms=5; repeatable.")
    ] = None,
    stage_clock: Annotated[bool, typer.Option(help="Have the services answer with Server-Timing.")] = True,
    free_ports: Annotated[
        bool, typer.Option("--free-ports", help="Use any free ports instead of the usual ones.")
    ] = False,
    results: ResultsOption = ROOT / "results",
) -> None:
    """Measure latency at one user and a climb of users, for every contender, and write a report.

    Each contender runs in fresh processes, in random order, in several blocks. Ctrl-C stops
    everything and still reports what was measured.
    """
    from benchmark import bench as verb
    from benchmark.progress import Progress

    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    try:
        chosen = _choose(contenders)
        users = _parse_levels(levels)
        make_plan = verb.quick_plan if quick else verb.full_plan if full else verb.default_plan
        plan = verb.adjust(make_plan(users), blocks, seed, stage_clock, free_ports)
        run = verb.run_bench(results, chosen, plan, _parse_settings(setting or []), Progress(console))
    except BenchmarkError as error:
        _fail(error)
    summary = run.summary
    _print_summary(summary, run.path)
    if not summary["complete"]:
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(0 if summary["valid"] else EXIT_INVALID)


@app.command()
def report(
    run_directory: Annotated[Path, typer.Argument(help="A run directory.")] = ROOT / "results" / "latest",
) -> None:
    """Compute the summary of a recorded run again and draw its report again."""
    from benchmark import bench as verb
    from benchmark.manifest import recorded_contenders
    from benchmark.record import Run

    try:
        run = Run.open(run_directory)
        verb.report(run, recorded_contenders(run.manifest))
    except BenchmarkError as error:
        _fail(error)
    _print_summary(run.summary, run.path)


@app.command()
def up() -> None:
    """Start the feature store and all services in the background, on their usual ports."""
    from benchmark import services

    try:
        for line in services.up():
            console.print(line, soft_wrap=True)
    except BenchmarkError as error:
        _fail(error)


@app.command()
def down() -> None:
    """Stop what `up` started."""
    from benchmark import services

    for line in services.down():
        console.print(line, soft_wrap=True)


@app.command()
def contenders() -> None:
    """List what can be measured."""
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "title", "processes"):
        table.add_column(heading)
    try:
        for contender in discover().values():
            processes = ", ".join(f"{p.role} :{p.port}" for p in contender.process)
            table.add_row(contender.name, contender.title, processes)
    except BenchmarkError as error:
        _fail(error)
    console.print(table)


def _choose(names: str) -> list[Contender]:
    known = discover()
    return choose([name.strip() for name in names.split(",")] if names else list(known), known)


def _parse_levels(text: str) -> list[int]:
    try:
        levels = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        levels = [0]
    if any(level < 1 for level in levels) or levels != sorted(set(levels)):
        raise typer.BadParameter(f"--levels is {text!r}, expected ascending numbers of users such as 1,16,64")
    return levels


def _parse_settings(pairs: list[str]) -> dict[str, str]:
    from contract.settings import Settings

    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or name.lower() not in Settings.model_fields:
            raise typer.BadParameter(
                f"--set {pair!r}: expected name=value, name one of {', '.join(Settings.model_fields)}"
            )
        settings[name.lower()] = value
    return settings


def _print_summary(summary: dict[str, Any], path: Path) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contender")
    for heading in ("1 user p50 ms", "x floor", "peak rps", "at users", "p99 ms", "CPU ms/request", ""):
        table.add_column(heading, justify="right")
    for name, entry in summary["contenders"].items():
        low, peak = entry["low_load"] or {}, entry["peak"] or {}
        services = [ms for role, ms in entry["cpu_ms_per_request"].items() if role != "load" and ms is not None]
        table.add_row(
            name,
            _number(low.get("p50_ms"), ".1f"),
            _number(low.get("p50_over_floor"), ".3f"),
            _number(peak.get("rps"), ".0f"),
            _number(peak.get("users"), "d"),
            _number(peak.get("p99_ms"), ".0f"),
            _number(sum(services) if services else None, ".2f"),
            "" if entry["valid"] else "[red]INVALID[/]",
        )
    console.print(table)
    console.print("[bold green]VALID[/]" if summary["valid"] else "[bold red]INVALID[/]")
    for reason in summary["reasons"]:
        console.print(f"  {reason}", soft_wrap=True, markup=False)
    console.print(f"report: {path / 'report.html'}", soft_wrap=True)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _fail(error: BenchmarkError) -> NoReturn:
    console.print(f"[red]error:[/] {error}", soft_wrap=True)
    raise typer.Exit(EXIT_USAGE if isinstance(error, UnknownContender | ContenderError) else EXIT_FAILED)
