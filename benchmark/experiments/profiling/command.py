"""`python -m benchmark profile`: where does one request spend its time?"""

from enum import StrEnum
from typing import Annotated

import typer

from benchmark.cli_options import (
    RESULTS,
    FreePortsOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    choose_real_contenders,
    conclude,
    console,
    measuring_command,
    parse_settings,
)
from contract.limits import open_files


class Profiler(StrEnum):
    """What can be chosen with --profiler."""

    PYINSTRUMENT = "pyinstrument"
    YAPPI = "yappi"


class ProfiledSide(StrEnum):
    """What can be chosen with --side: the caller, or the scoring handler and the model service."""

    CLIENT = "client"
    SERVER = "server"


def command(
    contender: Annotated[
        list[str] | None, typer.Option(help="A name, see `contenders`; repeatable. Default: all that have a floor.")
    ] = None,
    profiler: Annotated[list[Profiler] | None, typer.Option(help="Repeatable. Default: both.")] = None,
    side: Annotated[
        list[ProfiledSide] | None, typer.Option(help="client, or server: handler and model; repeatable. Default: both.")
    ] = None,
    requests: Annotated[int, typer.Option(min=1, help="Profiled calls, one after the other, per profiler.")] = 40,
    users: Annotated[int, typer.Option(min=2, help="Users at whose load CPU by library is taken.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long that load is kept up.")] = 10.0,
    scale: Annotated[
        float, typer.Option(min=0.01, max=10, help="Shorten the run: fewer calls (at least 10), less time under load.")
    ] = 1.0,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Profile client, scoring handler and model service; CPU per request by library, and a report.

    The services run under the profilers for this command only. Ctrl-C stops everything and still
    reports what was measured.
    """
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.profiling.experiment import EXPERIMENT
    from benchmark.experiments.profiling.plan import ProfilePlan, assign
    from benchmark.load.open_files import files_per_user, refuse_beyond
    from benchmark.measure.progress import Progress

    with measuring_command():
        chosen = choose_real_contenders(",".join(contender or []))
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
        run = carry_out(EXPERIMENT, assign(chosen, plan, parse_settings(setting)), results, Progress(console))
    conclude(run, EXPERIMENT)
