"""The command `strategies`."""

from typing import Annotated, Final

import typer

from benchmark.cli_options import (
    HOW_LONG,
    RESULTS,
    WHAT,
    FreePortsOption,
    ResultsOption,
    SeedOption,
    WaitIdleOption,
    conclude,
    console,
    examples,
    measuring_command,
)

QUICK_TAKES: Final = "under five minutes"  # README and Makefile say the same, and a test holds them to it

EXAMPLES: Final = examples(
    "strategies --quick    # all of them once, under five minutes",
    "strategies --strategy hub,micro_batching",
    "strategies --strategy later    # those that answer later, such as queues",
    "strategies    # full length, under 40 minutes",
)


def command(
    strategy: Annotated[
        str,
        typer.Option(
            help="Folders of strategies/ or groups (now, later, all), separated by commas. Default: now.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="One block, a quarter of the time per load.", rich_help_panel=HOW_LONG)
    ] = False,
    blocks: Annotated[
        int,
        typer.Option(
            min=0, help="How often everything is measured, in fresh processes; 0: 3, quick 1.", rich_help_panel=HOW_LONG
        ),
    ] = 0,
    seed: SeedOption = 1,
    free_ports: FreePortsOption = False,
    results: ResultsOption = RESULTS,
    wait_idle: WaitIdleOption = 0,
) -> None:
    """Measure other ways of serving, such as pools, caches, batches and queues, each against its law.

    Every law is computed and written down, with its tolerance, before anything is measured. Those that answer at once
    take under 40 minutes, with --quick under five; `--strategy later` measures those that answer in a second step.

    """
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.strategies.discovery import choose_strategies
    from benchmark.experiments.strategies.experiment import EXPERIMENT
    from benchmark.experiments.strategies.plan import FULL_BLOCKS, QUICK_BLOCKS, QUICK_SCALE, StrategiesPlan, assign
    from benchmark.measure.progress import Progress

    with measuring_command():
        scale = QUICK_SCALE if quick else 1.0
        chosen = choose_strategies(strategy, scale)
        plan = StrategiesPlan(chosen, blocks or (QUICK_BLOCKS if quick else FULL_BLOCKS), scale, seed)
        run = carry_out(EXPERIMENT, assign(plan, free_ports), results, Progress(console), wait_idle)
        conclude(run, EXPERIMENT)
