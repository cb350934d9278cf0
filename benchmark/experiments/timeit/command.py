"""The command `timeit`."""

from typing import Annotated

import typer

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


def command(
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
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.timeit.experiment import EXPERIMENT
    from benchmark.experiments.timeit.plan import assign, make_plan
    from benchmark.measure.progress import Progress

    with measuring_command():
        chosen = choose_real_contenders(contenders)
        plan = make_plan(min_calls, max_calls, step, repeat, seed, scale)
        run = carry_out(EXPERIMENT, assign(chosen, plan, parse_settings(setting)), results, Progress(console))
    conclude(run, EXPERIMENT)
