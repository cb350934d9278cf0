"""`python -m benchmark profile`: where does one request spend its time?"""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

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


class Side(StrEnum):
    """What can be chosen with --side: the caller, or the scoring handler and the model service."""

    CLIENT = "client"
    SERVER = "server"


def profile(
    contender: Annotated[
        list[str] | None, typer.Option(help="A name, see `contenders`; repeatable. Default: all that have a floor.")
    ] = None,
    profiler: Annotated[list[Profiler] | None, typer.Option(help="Repeatable. Default: both.")] = None,
    side: Annotated[
        list[Side] | None, typer.Option(help="client, or server: handler and model; repeatable. Default: both.")
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
    from benchmark.experiments.profiling import measure as verb
    from benchmark.load.open_files import files_per_user, refuse_beyond
    from benchmark.measure.progress import Progress

    with measuring_command():
        chosen = choose_real_contenders(",".join(contender or []))
        refuse_beyond(users, open_files().soft, files_per_user(chosen))
        plan = verb.ProfilePlan(
            requests=requests,
            users=users,
            seconds=seconds,
            profilers=tuple(dict.fromkeys(profiler or Profiler)),
            sides=tuple(dict.fromkeys(side or Side)),
            seed=seed,
            free_ports=free_ports,
        ).scaled(scale)
        run = verb.run_profile(results, chosen, plan, parse_settings(setting or []), Progress(console))
    _print_table(run.summary)
    conclude(run)


def _print_table(summary: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("contender")
    for heading in ("CPU ms/request", "most of it", "", "not attributed", "state"):
        table.add_column(heading, justify="right")
    for name, entry in summary["contenders"].items():
        by_library, counted = entry["cpu_by_library"], entry["cpu_ms_counted"]
        largest = max(by_library, key=lambda library: by_library[library], default=None)
        table.add_row(
            name,
            "-" if counted is None else f"{counted:.2f}",
            largest or "-",
            f"{by_library[largest]:.2f}" if largest else "",
            "-" if counted is None else f"{entry['cpu_not_attributed'] / counted:+.1%}",
            "" if entry["valid"] else "[red]INVALID[/]",
        )
    console.print(table)
