"""`python -m benchmark profile`: where does one request spend its time?"""

from enum import StrEnum
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
    "profile --scale 0.1    # under three minutes",
    "profile --contenders sync,async-aiohttp",
    "profile --profiler pyinstrument --side server --contenders async",
)


class Profiler(StrEnum):
    """The choices of --profiler."""

    PYINSTRUMENT = "pyinstrument"
    YAPPI = "yappi"


class ProfiledSide(StrEnum):
    """The choices of --side: the client, or the scoring handler and the model service."""

    CLIENT = "client"
    SERVER = "server"


def command(
    contenders: RealContendersOption = "",
    contender: Annotated[list[str] | None, typer.Option(hidden=True, help="The former name of --contenders.")] = None,
    profiler: Annotated[
        list[Profiler] | None,
        typer.Option(help="Which profiler; repeatable. Default: both.", rich_help_panel=WHAT),
    ] = None,
    side: Annotated[
        list[ProfiledSide] | None,
        typer.Option(
            help="Profile the client, or the server (scoring handler and model service); repeatable. Default: both.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    requests: Annotated[
        int,
        typer.Option(min=1, help="Profiled calls per profiler, one after the other.", rich_help_panel=HOW_LONG),
    ] = 40,
    users: Annotated[
        int, typer.Option(min=2, help="Users under whose load CPU by library is measured.", rich_help_panel=WHAT)
    ] = 16,
    seconds: Annotated[
        float, typer.Option(min=0.5, help="Duration of that load in seconds.", rich_help_panel=HOW_LONG)
    ] = 10.0,
    scale: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=10,
            help="Factor for calls (at least 10) and time under load: 0.1 is a tenth.",
            rich_help_panel=HOW_LONG,
        ),
    ] = 1.0,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Profile a request: where its time goes, and its CPU time by library. About seven minutes.

    Profiles the client, the scoring handler and the model service. Services run under a profiler only in this
    command. Ctrl-C stops everything and still reports what was measured.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
    130 interrupted.
    """
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.profiling.experiment import EXPERIMENT
    from benchmark.experiments.profiling.plan import ProfilePlan, assign
    from benchmark.load.open_files import files_per_user, refuse_beyond
    from benchmark.measure.progress import Progress

    with measuring_command():
        chosen = choose_real_contenders(",".join(filter(None, [contenders, *(contender or [])])))
        refuse_beyond(users, open_files().soft, files_per_user(chosen))
        plan = ProfilePlan(
            requests=requests,
            users=users,
            seconds=seconds,
            profilers=tuple(dict.fromkeys(profiler or Profiler)),
            sides=tuple(dict.fromkeys(side or ProfiledSide)),
            seed=seed,
            free_ports=free_ports,
        ).scaled(scale)
        assignment = assign(chosen, plan, parse_settings(setting))
        run = carry_out(EXPERIMENT, assignment, results, Progress(console), wait_idle)
    conclude(run, EXPERIMENT)
