"""The command `versus`."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli_options import (
    CONDITIONS,
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

_TWO = "A=http://127.0.0.1:9000 B=http://127.0.0.1:9001"
EXAMPLES = examples(
    "scenario init http://127.0.0.1:9000 > mine.toml    # what to ask, from the service's /openapi.json",
    f"versus {_TWO} --scenario mine.toml    # under five minutes",
    f"versus {_TWO} --scenario mine.toml --rate 200 --climb    # at 200 requests/s, and up to the peak",
    "versus A=https://api.example.com B=http://10.0.0.7 --scenario mine.toml --yes-i-may-load api.example.com",
    "versus A=base B=head --contenders-file contender.toml --scenario mine.toml    # starts them, and sees their CPU",
)


def command(
    sides: Annotated[
        list[str],
        typer.Argument(
            help="Two services, each a name, =, and a URL, or a row of --contenders-file: A=http://127.0.0.1:9000",
            metavar="A=... B=...",
            show_default=False,
        ),
    ],
    scenario: Annotated[
        str,
        typer.Option(
            help="What is asked, and what a right answer is: a file with one scenario, or FILE:NAME. See "
            "doc/scenarios.md; `scenario init` writes one.",
            rich_help_panel=WHAT,
            show_default=False,
        ),
    ],
    contenders_file: Annotated[
        Path | None,
        typer.Option(
            help="A contender.toml of your own: its rows are started for every block, and their CPU is seen.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Requests per second of the open loop. Default: 10.", rich_help_panel=WHAT, show_default=False
        ),
    ] = None,
    climb: Annotated[
        bool,
        typer.Option("--climb", help="Also look for the peak rate, with up to 512 users.", rich_help_panel=WHAT),
    ] = False,
    duet: Annotated[
        bool,
        typer.Option(
            "--duet",
            help="Ask both at the same moment, and pair them by second: for services that share a machine with others.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    blocks: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Blocks, each of which asks both services. Default: 8.",
            rich_help_panel=HOW_LONG,
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Five short blocks: about a minute, wide intervals.", rich_help_panel=HOW_LONG),
    ] = False,
    requests: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="At most so many requests to one host, without those of --climb. Default: 1000 to another machine, "
            "any number to this one.",
            rich_help_panel=CONDITIONS,
            show_default=False,
        ),
    ] = None,
    yes_i_may_load: Annotated[
        list[str] | None,
        typer.Option(
            "--yes-i-may-load",
            metavar="HOST",
            help="A host that is neither this machine nor in a private network, and whose owner lets you load it; "
            "repeatable.",
            rich_help_panel=CONDITIONS,
        ),
    ] = None,
    seed: SeedOption = 1,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Say which of two services answers sooner, and by how much. Under five minutes.

    Both are asked the same, in blocks that alternate in random order: one user, then a rate at which requests come
    whatever the services do. To another machine it sends at most 10 requests per second and 1,000 in all, unless more
    is asked for.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID, 130 interrupted.
    """
    from dataclasses import replace

    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.versus.checking import check_sides
    from benchmark.experiments.versus.experiment import EXPERIMENT
    from benchmark.experiments.versus.plan import QUICK, USUAL, assign, make_plan
    from benchmark.experiments.versus.sides import (
        POLITE_RPS,
        parse_sides,
        refuse_without_leave,
        request_limit,
    )
    from benchmark.measure.progress import Progress
    from benchmark.scenarios.discovery import scenario_named

    with measuring_command():
        file, chosen = scenario_named(scenario)
        chosen.secrets()
        pair = parse_sides(sides, chosen, file, contenders_file)
        refuse_without_leave(pair, chosen, yes_i_may_load or (), climb)
        size = QUICK if quick else USUAL
        checked = check_sides(pair, chosen, seed * 1_000)
        limit = request_limit(pair, requests)
        plan = make_plan(
            replace(size, blocks=blocks or size.blocks),
            checked.latency_ms,
            POLITE_RPS if rate is None else rate,
            limit and limit - checked.requests,
            any(side.is_polite for side in pair),
            seed=seed,
            climb=climb,
            duet=duet,
            expected=checked.expected,
        )
        assignment = assign(pair, plan, checked.latency_ms, free_ports or duet)
        run = carry_out(EXPERIMENT, assignment, results, Progress(console), wait_idle)
    conclude(run, EXPERIMENT)
