"""The command of experiment 3."""

from typing import Annotated

import typer

from benchmark.errors import BenchmarkError
from benchmark.options import (
    EXIT_INTERRUPTED,
    EXIT_INVALID,
    RESULTS,
    ContendersOption,
    FreePortsOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    choose_contenders,
    console,
    end_on_signals,
    fail,
    parse_settings,
)


def locust(
    examples: Annotated[
        str, typer.Option(help="response-time, load-test, max-performance, stress-test, open-loop; default: all.")
    ] = "",
    contenders: ContendersOption = "",
    scale: Annotated[float, typer.Option(min=0.01, max=10, help="0.1 shortens all times to a tenth.")] = 1.0,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Find where each contender breaks: four examples of load, and an open loop.

    At full scale this takes about a quarter of an hour per contender. Ctrl-C stops everything and
    still reports what was measured.
    """
    from benchmark.experiment3_locust.examples import EXAMPLES
    from benchmark.experiment3_locust.run import Plan, run_locust
    from benchmark.experiment3_locust.summary import OPEN_LOOP
    from benchmark.progress import Progress

    known = (*EXAMPLES, OPEN_LOOP)
    chosen = tuple(name.strip() for name in examples.split(",")) if examples else known
    for name in chosen:
        if name not in known:
            raise typer.BadParameter(f"--examples holds {name!r}, expected some of {', '.join(known)}")
    end_on_signals()
    try:
        wanted = [c for c in choose_contenders(contenders) if contenders or not c.harness_floor]
        plan = Plan(chosen, scale, seed, free_ports)
        run = run_locust(results, wanted, plan, parse_settings(setting or []), Progress(console))
    except BenchmarkError as error:
        fail(error)
    summary = run.summary
    console.print("[bold green]VALID[/]" if summary["valid"] else "[bold red]INVALID[/]")
    for reason in summary["reasons"]:
        console.print(f"  {reason}", soft_wrap=True, markup=False)
    console.print(f"report: {run.path / 'report.html'}", soft_wrap=True)
    if not summary["complete"]:
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(0 if summary["valid"] else EXIT_INVALID)
