"""The command `capacity`."""

from typing import Annotated

import typer

from benchmark.cli_options import (
    CONDITIONS,
    HOW_LONG,
    RESULTS,
    WHAT,
    FreePortsOption,
    RealContendersOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    WaitIdleOption,
    choose_real_contenders,
    conclude,
    console,
    examples,
    measuring_command,
    parse_settings,
)

EXAMPLES = examples(
    "capacity    # how many requests/s each carries with p99 < 100 ms and errors < 0.1 %",
    "capacity --contenders async,async-aiohttp --blocks 5    # more blocks, a narrower interval of their ratio",
    "capacity --slo 'p95<200ms' --from 400 --contenders async-aiohttp",
    "capacity --quick --contenders async    # a rough look",
)


def command(
    slo: Annotated[
        list[str] | None,
        typer.Option(
            help="An objective such as 'p99<100ms' or 'errors<0.1%'; repeatable. Default: these two.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    contenders: RealContendersOption = "",
    first: Annotated[
        float,
        typer.Option(
            "--from",
            min=1,
            max=5000,
            help="The rate at which the search begins, in requests per second: a guess saves time.",
            rich_help_panel=HOW_LONG,
        ),
    ] = 100,
    blocks: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=20,
            help="How often the rates around the capacity are tried. Default: 3, quick 1.",
            rich_help_panel=HOW_LONG,
        ),
    ] = None,
    generators: Annotated[
        int,
        typer.Option(
            min=1,
            max=16,
            help="Processes that share the load, where one cannot offer enough.",
            rich_help_panel=CONDITIONS,
        ),
    ] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="A rough look: one block of short tries.", rich_help_panel=HOW_LONG)
    ] = False,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Search the highest rate at which each contender keeps a promise. About five minutes per contender.

    Rates are offered one after the other, each to fresh processes, in an open loop: requests come at their own times,
    and latency counts from when they were due. The answer has a 95 % interval, says which objective breaks first, and
    is confirmed by a run of its own. Where the generator cannot offer the rate, or nothing can be told, it says so.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID, 130 interrupted.
    """
    from benchmark.experiments.capacity.experiment import EXPERIMENT
    from benchmark.experiments.capacity.plan import assign, make_plan
    from benchmark.experiments.experiment import carry_out
    from benchmark.measure.progress import Progress

    with measuring_command():
        plan = make_plan(slo or (), seed, blocks, first, generators, quick)
        assignment = assign(choose_real_contenders(contenders), plan, parse_settings(setting), free_ports)
        run = carry_out(EXPERIMENT, assignment, results, Progress(console), wait_idle)
    conclude(run, EXPERIMENT)
