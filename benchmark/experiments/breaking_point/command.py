"""The command of experiment 3."""

from typing import Annotated

import typer

from benchmark.cli_options import (
    RESULTS,
    FreePortsOption,
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
from contract.limits import open_files


def command(
    examples: Annotated[
        str, typer.Option(help="response-time, load-test, max-performance, stress-test, open-loop; default: all.")
    ] = "",
    contenders: RealContendersOption = "",
    scale: Annotated[float, typer.Option(min=0.01, max=10, help="0.1 shortens all times to a tenth.")] = 1.0,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Find where each contender breaks: four examples of load, and an open loop.

    At full scale this takes about a quarter of an hour per contender. Ctrl-C stops everything and
    still reports what was measured.
    """
    from benchmark.experiments.breaking_point.experiment import EXPERIMENT
    from benchmark.experiments.breaking_point.plan import BreakingPointPlan, assign, most_users
    from benchmark.experiments.breaking_point.summarise import OPEN_LOOP
    from benchmark.experiments.experiment import carry_out
    from benchmark.load.open_files import files_per_user, refuse_beyond
    from benchmark.load.shapes import EXAMPLES
    from benchmark.measure.progress import Progress

    known = (*EXAMPLES, OPEN_LOOP)
    chosen = tuple(name.strip() for name in examples.split(",")) if examples else known
    for name in chosen:
        if name not in known:
            raise typer.BadParameter(f"--examples holds {name!r}, expected some of {', '.join(known)}")
    with measuring_command():
        wanted = choose_real_contenders(contenders)
        plan = BreakingPointPlan(chosen, scale, seed, free_ports)
        refuse_beyond(most_users(plan), open_files().soft, files_per_user(wanted))
        run = carry_out(EXPERIMENT, assign(wanted, plan, parse_settings(setting)), results, Progress(console))
    conclude(run, EXPERIMENT)
