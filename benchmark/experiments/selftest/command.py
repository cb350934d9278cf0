"""The command `selftest`."""

from dataclasses import replace
from typing import Annotated

import typer

from benchmark.cli_options import (
    EXIT_BROKEN,
    EXIT_INVALID,
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

EXAMPLES = examples(
    "selftest    # a minute; its certificate is part of every report from then on",
    "selftest --wait-idle 60    # wait until nothing else uses the machine",
    "selftest --with wrk,hey,oha,k6    # what would these say of the same stall? those that are installed",
)


def command(
    with_: Annotated[
        str,
        typer.Option(
            "--with",
            help="Other load generators, separated by commas, to be graded as well: wrk, hey, oha, k6. Those that are "
            "not installed are left out.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Parts of a second each: shows how it works, and certifies nothing.",
            rich_help_panel=HOW_LONG,
        ),
    ] = False,
    seed: SeedOption = 1,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Say whether the load generator tells the truth on this machine. About a minute.

    It is put in front of a service whose times are known, and which stalls for two seconds: what it says is compared
    with what was so. The certificate is kept in results/selftest.json, and every report names it for 30 days.

    Exit status: 0 passed, 1 could not be measured, 2 wrong usage, 3 measured but INVALID or too little to tell, 4 the
    generator is not good enough here, 130 interrupted.
    """
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.selftest.certify import certify
    from benchmark.experiments.selftest.experiment import EXPERIMENT
    from benchmark.experiments.selftest.others import choose_others
    from benchmark.experiments.selftest.plan import QUICK, SelftestPlan, assign
    from benchmark.experiments.selftest.schema import SelftestSummary, Verdict
    from benchmark.measure.progress import Progress

    with measuring_command():
        found, missing = choose_others(with_)
        for name in missing:
            console.print(f"{name} is not installed, so it is left out")
        plan = replace(QUICK if quick else SelftestPlan(), seed=seed, others=tuple(found))
        run = carry_out(EXPERIMENT, assign(plan, free_ports), results, Progress(console), wait_idle)
        path = certify(run)
    try:
        conclude(run, EXPERIMENT)
    except typer.Exit as ended:
        said = f"certificate: {path}" if path else "No certificate: there is too little to tell."
        console.print(said, soft_wrap=True, markup=False)
        verdict = SelftestSummary.model_validate(run.summary).verdict_on_generator
        if ended.exit_code == 0 and verdict is not Verdict.PASSED:
            raise typer.Exit(EXIT_BROKEN if verdict is Verdict.FAILED else EXIT_INVALID) from None
        raise
