"""The command of experiment 3."""

from typing import Annotated

import typer

from benchmark.cli_options import (
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
from contract.limits import open_files

EXAMPLES = examples(
    "locust --contenders sync,async-aiohttp --scale 0.1    # two contenders, a few minutes",
    "locust --examples load-test --contenders async    # one example alone",
    "locust --shape '200 -> 1000 for 10s -> 200 for 20s' --contenders async    # a rate over time",
    "locust    # all contenders at full length, an hour",
)


def command(
    examples: Annotated[
        str,
        typer.Option(
            help="Names separated by commas: response-time, load-test, max-performance, stress-test, open-loop. "
            "Default: all.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    shape: Annotated[
        str,
        typer.Option(
            help="A rate over time in an open loop, such as '0 -> 12000/min in 1min, hold 1min', in place of the "
            "examples, or besides those that are named. `promise --help` has more shapes.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    contenders: RealContendersOption = "",
    scale: Annotated[
        float,
        typer.Option(min=0.01, max=10, help="Factor for all times: 0.1 is a tenth.", rich_help_panel=HOW_LONG),
    ] = 1.0,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Find the breaking point of each contender with Locust. About 15 minutes per contender, see --scale.

    Runs four examples of load in a closed loop, and an open loop at a fixed rate. Ctrl-C stops everything and still
    reports what was measured.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
    130 interrupted.
    """
    from benchmark.experiments.breaking_point.experiment import EXPERIMENT
    from benchmark.experiments.breaking_point.plan import BreakingPointPlan, assign, most_users
    from benchmark.experiments.breaking_point.summarise import OPEN_LOOP
    from benchmark.experiments.experiment import carry_out
    from benchmark.load.open_files import files_per_user, refuse_beyond
    from benchmark.load.rates import parse_shape
    from benchmark.load.shapes import EXAMPLES
    from benchmark.measure.progress import Progress

    known = (*EXAMPLES, OPEN_LOOP)
    chosen = tuple(name.strip() for name in examples.split(",")) if examples else () if shape else known
    for name in chosen:
        if name not in known:
            raise typer.BadParameter(f"--examples holds {name!r}, expected some of {', '.join(known)}")
    with measuring_command():
        wanted = choose_real_contenders(contenders)
        plan = BreakingPointPlan(chosen, scale, seed, free_ports, parse_shape(shape).written if shape else "")
        refuse_beyond(most_users(plan), open_files().soft, files_per_user(wanted))
        assignment = assign(wanted, plan, parse_settings(setting))
        run = carry_out(EXPERIMENT, assignment, results, Progress(console), wait_idle)
    conclude(run, EXPERIMENT)
