"""The command `under-fire`."""

from typing import Annotated, Final

import typer

from benchmark.cli_options import (
    HOW_LONG,
    RESULTS,
    WHAT,
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

QUICK_TAKES: Final = "under three minutes"  # README and Makefile say the same, and a test holds them to it

EXAMPLES: Final = examples(
    "under-fire --quick    # two contenders, three faults, under three minutes",
    "under-fire --faults model-stopped-3s,sigterm --no-overload",
    "under-fire --contenders async,async-granian",
    "under-fire    # full length, under 15 minutes",
)


def command(
    contenders: Annotated[
        str,
        typer.Option(
            help="Names separated by commas, as listed by `contenders`. Default: sync,async,async-aiohttp, quick "
            "sync,async.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    faults: Annotated[
        str,
        typer.Option(
            help="Faults separated by commas, such as redis-killed. Default: all twelve, quick three.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    overload: Annotated[
        bool, typer.Option("--overload/--no-overload", help="Offer three times the peak.", rich_help_panel=WHAT)
    ] = True,
    quick: Annotated[
        bool, typer.Option("--quick", help="Two contenders, three faults, shorter.", rich_help_panel=HOW_LONG)
    ] = False,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    results: ResultsOption = RESULTS,
    wait_idle: WaitIdleOption = 0,
) -> None:
    """Let things break under load, then offer three times the peak. Under 15 minutes, with --quick under three.

    Redis and the model are killed, stopped, slowed down and made to answer nonsense, a worker is killed, and the
    service gets SIGTERM. Every request is accounted for: answered as the contract says, or named.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID, 130 interrupted.
    """
    from dataclasses import replace

    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.under_fire.experiment import EXPERIMENT
    from benchmark.experiments.under_fire.plan import (
        DEFAULT_CONTENDERS,
        QUICK,
        QUICK_CONTENDERS,
        UnderFirePlan,
        assign,
        choose_troubles,
    )
    from benchmark.measure.progress import Progress

    with measuring_command():
        plan = replace(QUICK if quick else UnderFirePlan(), seed=seed, overload=overload)
        if faults:
            plan = replace(plan, troubles=choose_troubles(faults))
        chosen = choose_real_contenders(contenders or (QUICK_CONTENDERS if quick else DEFAULT_CONTENDERS))
        assignment = assign(chosen, plan, parse_settings(setting))
        run = carry_out(EXPERIMENT, assignment, results, Progress(console), wait_idle)
    conclude(run, EXPERIMENT)
