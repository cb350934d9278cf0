"""The command `gate`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli_options import (
    EXIT_BROKEN,
    EXIT_INVALID,
    HOW_LONG,
    OUTPUT,
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

if TYPE_CHECKING:
    from benchmark.experiments.gate.schema import GateSummary

EXAMPLES = examples(
    "gate --base contender.toml:base --head contender.toml:head --allow p50_ms=2% --allow cpu_ms=5%",
    "gate --base async/contender.toml:async --head async/contender.toml:async-aiohttp --minutes 2",
    "gate --base contender.toml:base --head contender.toml:head --junit junit.xml    # see doc/ci.md",
)
_MINUTE_S = 60


def command(
    base: Annotated[
        str, typer.Option(help="What is compared with: a row of a contender.toml, as FILE:NAME.", rich_help_panel=WHAT)
    ],
    head: Annotated[
        str, typer.Option(help="What must not be worse: another row, or the same one.", rich_help_panel=WHAT)
    ],
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="How much worse a figure may become, such as p50_ms=2%; repeatable. Figures: mean_ms, p50_ms, p95_ms "
            "and p99_ms of one user; rps, cpu_ms and rss_mb of 8 users. Default: p50_ms=5% and cpu_ms=5%.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    minutes: Annotated[
        float, typer.Option(min=0.05, help="After this time, what is open cannot be told.", rich_help_panel=HOW_LONG)
    ] = 6,
    seconds: Annotated[
        float,
        typer.Option(min=0.2, help="Of each measured window. A p99 takes 459 answers in it.", rich_help_panel=HOW_LONG),
    ] = 2,
    pairs: Annotated[
        int, typer.Option(min=1, help="At most so many pairs of blocks.", rich_help_panel=HOW_LONG)
    ] = 1000,
    junit: Annotated[
        Path | None, typer.Option(help="Write the JUnit XML here, too.", rich_help_panel=OUTPUT, show_default=False)
    ] = None,
    seed: SeedOption = 1,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Say whether one version of a service is worse than another by more than allowed: for CI. Under seven minutes.

    Both are measured in pairs of blocks, in fresh processes, until every figure is decided: worse than allowed, not
    worse than allowed, or, when the time is over, not to be told. The 95 % intervals hold although they are looked at
    after every pair. A row may name a git revision (checkout = "main") and how it is built (setup = "make").

    In GitHub Actions it annotates the job and writes its summary; junit.xml and summary.md are in the run directory.

    Exit status: 0 no figure is worse than allowed, 1 could not be measured, 2 wrong usage, 3 INVALID or not to be
    told, 4 a figure is shown to be worse than allowed, 130 interrupted.
    """
    from benchmark.contenders.discovery import row_at
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.gate.experiment import EXPERIMENT
    from benchmark.experiments.gate.plan import BASE, DEFAULT_ALLOWED, HEAD, GatePlan, assign, parse_allowed
    from benchmark.experiments.gate.schema import GateSummary
    from benchmark.load.scenario_requests import refuse_unknown
    from benchmark.measure.progress import Progress
    from benchmark.stack.checkouts import placed

    with measuring_command():
        plan = GatePlan(parse_allowed(allow or DEFAULT_ALLOWED), _MINUTE_S * minutes, seconds, pairs, seed)
        rows = {BASE: row_at(base), HEAD: row_at(head)}
        refuse_unknown(rows.values())
        progress = Progress(console)
        found = {side: placed(row, progress.say) for side, row in rows.items()}
        assignment = assign(
            {side: row for side, (row, _) in found.items()},
            plan,
            {side: revision for side, (_, revision) in found.items()},
            free_ports,
        )
        run = carry_out(EXPERIMENT, assignment, results, progress, wait_idle)
        summary = GateSummary.model_validate(run.summary)
        _tell_ci(summary, junit)
    try:
        conclude(run, EXPERIMENT)
    except typer.Exit as ended:
        raise typer.Exit(_status(ended.exit_code, summary)) from None


def _status(measured: int, summary: "GateSummary") -> int:
    """Return the exit status, given that of a run that was measured, INVALID, or interrupted."""
    if measured not in (0, EXIT_INVALID):
        return measured
    if summary.worse:
        return EXIT_BROKEN
    return EXIT_INVALID if measured or summary.unclear else 0


def _tell_ci(summary: "GateSummary", junit: Path | None) -> None:
    """Write what CI systems read, where they look for it. Raises RecordError."""
    from benchmark.errors import RecordError
    from benchmark.experiments.gate import ci

    try:
        if junit:
            junit.write_text(ci.junit(summary))
        if target := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(target).open("a") as file:
                file.write(ci.step_summary(summary))
    except OSError as error:
        raise RecordError(
            f"cannot write to {error.filename}: {error.strerror}; the run directory is complete"
        ) from error
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in ci.annotations(summary):
            typer.echo(line)
