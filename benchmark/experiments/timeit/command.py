"""The command `timeit`."""

from typing import Annotated

import typer

from benchmark.cli_options import (
    HOW_LONG,
    RESULTS,
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
    "timeit --scale 0.1    # two minutes",
    "timeit --contenders sync,async-aiohttp --max-calls 20 --repeat 5",
    "timeit    # full length, 83 minutes",
)


def command(
    contenders: RealContendersOption = "",
    min_calls: Annotated[
        int, typer.Option(min=1, help="Smallest number of calls timed together.", rich_help_panel=HOW_LONG)
    ] = 1,
    max_calls: Annotated[
        int, typer.Option(min=2, help="Largest number of calls timed together.", rich_help_panel=HOW_LONG)
    ] = 60,
    step: Annotated[
        int, typer.Option(min=1, help="Step from one number of calls to the next.", rich_help_panel=HOW_LONG)
    ] = 1,
    repeat: Annotated[
        int,
        typer.Option(
            min=1,
            help="How often each number of calls is timed; more repeats give narrower intervals.",
            rich_help_panel=HOW_LONG,
        ),
    ] = 10,
    scale: Annotated[
        float,
        typer.Option(
            min=0.001,
            max=1.0,
            help="Shorten the run: fewer numbers of calls and fewer repeats (at least 3).",
            rich_help_panel=HOW_LONG,
        ),
    ] = 1.0,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Time n calls in a row, n = 1 to 60, and compare the cost per call. About 83 minutes, two with --scale 0.1.

    The simplest comparison: one client, no concurrency. Ctrl-C stops everything and still reports what was measured.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
    130 interrupted.
    """
    if max_calls <= min_calls:
        raise typer.BadParameter(f"--max-calls is {max_calls}, expected more than --min-calls ({min_calls})")
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.timeit.experiment import EXPERIMENT
    from benchmark.experiments.timeit.plan import assign, make_plan
    from benchmark.measure.progress import Progress

    with measuring_command():
        chosen = choose_real_contenders(contenders)
        plan = make_plan(min_calls, max_calls, step, repeat, seed, scale)
        assignment = assign(chosen, plan, parse_settings(setting))
        run = carry_out(EXPERIMENT, assignment, results, Progress(console), wait_idle)
    conclude(run, EXPERIMENT)
