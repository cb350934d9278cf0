"""The command `plan`."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli_options import (
    EXIT_INTERRUPTED,
    EXIT_INVALID,
    HOW_LONG,
    RESULTS,
    WHAT,
    FreePortsOption,
    ResultsOption,
    SeedOption,
    WaitIdleOption,
    console,
    examples,
    measuring_command,
    print_outcome,
    starting_command,
)

ASSUMED = "What is assumed"
EXAMPLES = examples(
    "plan --rate 200 --slo 'p99<100ms' --price 0.04    # from the newest run of `bench` or `explain`",
    "plan results/latest --contenders async,async-aiohttp --rate 2000 --price 0.04 --memory-price 0.005",
    "plan --rate 500 --price 0.04 --shape '0 -> 500 in 20s, hold 2min' --start 30    # pods that start slowly",
    "plan --price 0.04 --region 'eu=sine 20 to 200 every 24h for 24h' --region 'us=sine 5 to 80 every 24h for 24h'",
    "plan --price 0.04 --verify    # and measure what fits on this machine: about 20 minutes",
)


def command(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="A run of `bench` or `explain`, or its summary.json. Default: the newest complete one, or else the "
            "recorded one in doc/recorded.",
            show_default=False,
        ),
    ] = None,
    rate: Annotated[
        float, typer.Option(help="Requests per second that must be carried.", rich_help_panel=WHAT)
    ] = 200.0,
    slo: Annotated[
        list[str] | None,
        typer.Option(
            help="An objective such as 'p99<100ms' or 'errors<0.1%'; repeatable. Default: these two.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    price: Annotated[
        float, typer.Option(help="What a core costs in an hour, in any currency.", rich_help_panel=WHAT)
    ] = 0.04,
    memory_price: Annotated[
        float, typer.Option(min=0, help="What a GiB of memory costs in an hour.", rich_help_panel=WHAT)
    ] = 0.0,
    contenders: Annotated[
        str,
        typer.Option(
            help="Names separated by commas. Default: all of the run.", rich_help_panel=WHAT, show_default=False
        ),
    ] = "",
    shape: Annotated[
        str,
        typer.Option(
            help="The rate over time of a start from nothing, as for `promise`. Default: '0 -> RATE in 1min, hold "
            "1min'.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    region: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=SHAPE, twice: the days of two regions; a shape is stretched to a day. Default: a wave from "
            "night to day, and the same eight hours later.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    start: Annotated[float, typer.Option(min=0, help="Seconds until a pod is ready.", rich_help_panel=ASSUMED)] = 10.0,
    window: Annotated[
        float, typer.Option(min=1, help="Seconds of which the autoscaler sees the mean.", rich_help_panel=ASSUMED)
    ] = 30.0,
    cooldown: Annotated[
        float,
        typer.Option(min=0, help="Seconds that a pod must not have been needed to go.", rich_help_panel=ASSUMED),
    ] = 300.0,
    way: Annotated[
        float,
        typer.Option(min=0, help="Milliseconds that the way to the other region adds.", rich_help_panel=ASSUMED),
    ] = 30.0,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Measure what fits on this machine: 8 to 128 threads, one and two workers, beside what was predicted.",
            rich_help_panel=HOW_LONG,
        ),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="With --verify: one configuration of each contender.", rich_help_panel=HOW_LONG),
    ] = False,
    seed: SeedOption = 1,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Say what must be run to keep a promise at a rate, and what it costs. A minute or two; it measures nothing.

    From a recorded run and the queueing model that it calibrates: per contender the threads, workers, pods, CPU and
    memory, the autoscaler's target as a kustomize overlay, the cost per million requests, and what binds. Then, by
    simulation, a start from nothing and two regions of which one fails.

    The prediction is written down first. With --verify it is then held against what this machine carries, in about 20
    minutes.

    Exit status: 0 planned (and what was measured is VALID), 1 could not be measured, 2 wrong usage, 3 measured but
    INVALID, 130 interrupted.
    """
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.sizing.choose import Price
    from benchmark.experiments.sizing.experiment import EXPERIMENT
    from benchmark.experiments.sizing.outlook import Assumed
    from benchmark.experiments.sizing.plan import assign, make_plan
    from benchmark.experiments.sizing.source import find_source, read_source
    from benchmark.measure.progress import Progress

    if quick and not verify:
        raise typer.BadParameter("--quick shortens --verify: give both, or neither")
    with measuring_command() if verify else starting_command():
        names = [name.strip() for name in contenders.split(",") if name.strip()]
        path = run or find_source(results)
        plan = make_plan(
            read_source(path, names),
            rate,
            slo or (),
            Price(price, memory_price),
            shape,
            region or (),
            Assumed(start_s=start, window_s=window, cooldown_s=cooldown, way_ms=way),
            verify=verify,
            quick=quick,
            seed=seed,
        )
        console.print(f"from {path}: simulating pods, a minute or two", soft_wrap=True, markup=False)
        planned = carry_out(EXPERIMENT, assign(plan, free_ports), results, Progress(console), wait_idle)
    print_outcome(planned, EXPERIMENT)
    if not planned.summary["complete"]:
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(0 if planned.summary["valid"] else EXIT_INVALID)
