"""The command of experiment 4."""

from typing import Annotated, Final

import typer

from benchmark.cli_options import (
    HOW_LONG,
    RESULTS,
    WHAT,
    FreePortsOption,
    LiveOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    WaitIdleOption,
    conclude,
    console,
    examples,
    measuring_command,
    parse_settings,
)
from contract.limits import open_files

QUICK_TAKES: Final = "less than six minutes"  # README and Makefile say the same, and a test holds them to it

EXAMPLES = examples(
    f"explain --quick    # {QUICK_TAKES}, wide intervals",
    "explain    # 24 minutes",
    "explain --from sync --to async    # another pair of contenders",
    "explain --factors fan_out,http_client    # only these factors",
)


def command(
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"{QUICK_TAKES.capitalize()}: half of the combinations, wide intervals.",
            rich_help_panel=HOW_LONG,
        ),
    ] = False,
    from_: Annotated[
        str,
        typer.Option("--from", help="The contender to start from. Default: as in factors.toml.", rich_help_panel=WHAT),
    ] = "",
    to: Annotated[
        str,
        typer.Option("--to", help="The contender to arrive at. Default: as in factors.toml.", rich_help_panel=WHAT),
    ] = "",
    factors: Annotated[
        str,
        typer.Option(
            help="Factors to combine, names separated by commas. Default: as in factors.toml.", rich_help_panel=WHAT
        ),
    ] = "",
    blocks: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How often every combination is measured; more blocks give narrower intervals.",
            rich_help_panel=HOW_LONG,
        ),
    ] = None,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    live: LiveOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Explain the difference between two contenders: how much each factor contributes. About 24 minutes.

    Measures all combinations of the factors, in random order within each block, and attributes the difference to the
    factors by Shapley values. Also measures each contender at light load, predicts its behaviour under load from
    that, and checks the prediction. Last, it finds where the faster of the two changes. Ctrl-C stops everything and
    still reports what was measured.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
    130 interrupted.
    """
    from benchmark.contenders.discovery import choose, discover
    from benchmark.contenders.service_settings import with_overrides
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.gap import plan as plans
    from benchmark.experiments.gap.experiment import EXPERIMENT
    from benchmark.experiments.gap.factors import Design, read_factors
    from benchmark.experiments.gap.measure import assign
    from benchmark.experiments.live.progress import progress_on
    from benchmark.experiments.prediction.what_ifs import read_what_ifs
    from benchmark.load.open_files import files_per_user

    with measuring_command():
        services = parse_settings(setting)
        real = [contender for contender in discover().values() if not contender.harness_floor]
        known = {contender.name: contender for contender in with_overrides(real, services)}
        file = read_factors()
        file = file.model_copy(update={"from_": from_ or file.from_, "to": to or file.to})
        design = Design(file, known, [name.strip() for name in factors.split(",")] if factors else ())
        design.refuse(services)
        plan = plans.adjust(plans.quick_plan() if quick else plans.default_plan(), design, blocks, seed, free_ports)
        ends = {file.from_, file.to}
        mains = choose([name for name, contender in known.items() if contender.default or name in ends], known)
        what_ifs = read_what_ifs(known)
        plan = plans.fit(plan, open_files().soft, files_per_user(mains))
        assignment = assign(design, mains, what_ifs, plan, services)
        run = carry_out(EXPERIMENT, assignment, results, progress_on(console, live), wait_idle)
    conclude(run, EXPERIMENT)
