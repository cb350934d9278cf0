"""The command `timeit`."""

from typing import Annotated

import typer
from rich.table import Table

from benchmark.cli_options import (
    RESULTS,
    RealContendersOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    choose_real_contenders,
    conclude,
    console,
    measuring_command,
    parse_settings,
)


def timeit(
    contenders: RealContendersOption = "",
    min_calls: Annotated[int, typer.Option(min=1, help="The fewest calls that are timed together.")] = 1,
    max_calls: Annotated[int, typer.Option(min=2, help="The most calls that are timed together.")] = 60,
    step: Annotated[int, typer.Option(min=1, help="From one number of calls to the next.")] = 1,
    repeat: Annotated[int, typer.Option(min=1, help="How often each number is timed; the unit of the intervals.")] = 10,
    scale: Annotated[
        float,
        typer.Option(
            min=0.001, max=1.0, help="Shorten the run: fewer numbers of calls (at least 5), fewer repeats (3)."
        ),
    ] = 1.0,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    results: ResultsOption = RESULTS,
) -> None:
    """Time n calls in a row, n = 1 to 60, for every contender: what one call costs, and the percentages.

    At full length it takes over an hour, with `--scale 0.1` under three minutes. Ctrl-C stops everything and
    still reports what was measured.
    """
    if max_calls <= min_calls:
        raise typer.BadParameter(
            f"--max-calls is {max_calls}, more than --min-calls, {min_calls}, is expected: a line takes two points"
        )
    from benchmark.experiments.timeit import measure as verb
    from benchmark.experiments.timeit.plan import make_plan
    from benchmark.measure.progress import Progress

    with measuring_command():
        chosen = choose_real_contenders(contenders)
        plan = make_plan(min_calls, max_calls, step, repeat, seed, scale)
        run = verb.run_timeit(results, chosen, plan, parse_settings(setting or []), Progress(console))
    _print_table(run.summary)
    conclude(run)


def _print_table(summary: dict[str, object]) -> None:
    from benchmark.experiments.timeit.schema import parse

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
    console.print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(ends: tuple[float, float] | None) -> str:
    return f"{ends[0]:.1f} … {ends[1]:.1f}" if ends else "-"
