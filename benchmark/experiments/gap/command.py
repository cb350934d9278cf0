"""The command of experiment 4."""

from typing import Annotated

import typer

from benchmark.cli_options import (
    RESULTS,
    FreePortsOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    conclude,
    console,
    measuring_command,
    parse_settings,
)
from contract.limits import open_files


def command(
    quick: Annotated[
        bool, typer.Option("--quick", help="Less than six minutes: half of the cells, wide intervals.")
    ] = False,
    from_: Annotated[str, typer.Option("--from", help="Contender from which the gap is explained.")] = "",
    to: Annotated[str, typer.Option("--to", help="Contender to which the gap is explained.")] = "",
    factors: Annotated[
        str, typer.Option(help="Factors to cross, separated by commas; default: those that factors.toml crosses.")
    ] = "",
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Blocks, in each of which every cell is measured once.")
    ] = None,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Explain the gap between two contenders: which factor makes how much of it.

    All combinations of the factors, in blocks of random order. Light load comes right before each
    contender, and from it what follows is predicted: the contender under load, and some what-ifs.
    Last, where the two cross over. About 24 minutes. Ctrl-C stops everything and still reports what
    was measured.
    """
    from benchmark.contenders.discovery import choose, discover
    from benchmark.contenders.service_settings import with_overrides
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.gap import plan as plans
    from benchmark.experiments.gap.experiment import EXPERIMENT
    from benchmark.experiments.gap.factors import Design, read_factors
    from benchmark.experiments.gap.measure import assign
    from benchmark.experiments.prediction.what_ifs import read_what_ifs
    from benchmark.load.open_files import files_per_user
    from benchmark.measure.progress import Progress

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
        run = carry_out(EXPERIMENT, assignment, results, Progress(console))
    conclude(run, EXPERIMENT)
