"""The command `promise`."""

from typing import Annotated

import typer

from benchmark.cli_options import (
    CONDITIONS,
    EXIT_BROKEN,
    EXIT_INVALID,
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
    refuse_together,
)

EXAMPLES = examples(
    "promise    # p99 < 100 ms from nothing to 200 requests/s within a minute, and a minute there",
    "promise --slo 'p99<100ms' --slo 'errors<0.1%' --rate 200",
    "promise --shape '200 for 10s -> 1000 for 10s -> 200 for 20s' --contenders async-aiohttp",
    "promise --shape 'sine 50 to 200 every 2min for 4min' --require async-aiohttp    # exit status 4 if it is broken",
    "promise --shape 'replay access.log at 10x'    # the times of a log, ten times as fast",
    "promise --shape 'replay requests.jsonl with bodies'    # what its requests sent, too",
)


def command(
    slo: Annotated[
        list[str] | None,
        typer.Option(
            help="An objective such as 'p99<100ms' or 'errors<0.1%'; repeatable. Default: these two.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    shape: Annotated[
        str,
        typer.Option(
            help="The rate over time, such as '0 -> 12000/min in 1min, hold 1min', '200 -> 1000 for 10s -> 200', "
            "'sine 50 to 200 every 2min for 4min', 'bursts 50 to 400, 8s and 2s, for 1min' or 'replay access.log'. "
            "Default: the first of these.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    rate: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="The same rate for a minute, in requests per second; with --shape, what that one has to reach.",
            rich_help_panel=WHAT,
        ),
    ] = None,
    contenders: RealContendersOption = "",
    require: Annotated[
        str,
        typer.Option(
            help="Contenders, separated by commas, that must keep the promise: otherwise the exit status is 4.",
            rich_help_panel=CONDITIONS,
        ),
    ] = "",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="An eighth of the time of the usual shape.", rich_help_panel=HOW_LONG),
    ] = False,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    free_ports: FreePortsOption = False,
    wait_idle: WaitIdleOption = 0,
    results: ResultsOption = RESULTS,
) -> None:
    """Say whether each contender keeps a promise under a load that changes. About nine minutes.

    Requests come at their own times, the same for every contender, and latency counts from when they were due.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but INVALID,
    4 a contender of --require is VALID and not shown to keep the promise, 130 interrupted.
    """
    refuse_together(**{"--shape": shape, "--quick": quick})
    refuse_together(**{"--rate": rate is not None, "--quick": quick})
    from benchmark.analysis.validity import run_reasons
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.promise.experiment import EXPERIMENT
    from benchmark.experiments.promise.plan import assign, make_plan, written_shape
    from benchmark.experiments.promise.schema import PromiseSummary
    from benchmark.load.rates import parse_shape
    from benchmark.measure.progress import Progress
    from benchmark.record.certificate import refuse_beyond_ceiling

    with measuring_command():
        written = written_shape(shape, rate, seed, quick)
        required = [name.strip() for name in require.split(",") if name.strip()]
        plan = make_plan(parse_shape(written), slo or (), seed, required)
        refuse_beyond_ceiling(plan.peak_rps, results)
        assignment = assign(choose_real_contenders(contenders), plan, parse_settings(setting), free_ports)
        run = carry_out(EXPERIMENT, assignment, results, Progress(console), wait_idle)
    try:
        conclude(run, EXPERIMENT)
    except typer.Exit as ended:
        summary = PromiseSummary.model_validate(run.summary)
        # What strikes another contender strikes none that is required; what strikes the whole run strikes them all.
        stands = ended.exit_code in (0, EXIT_INVALID) and not run_reasons(run.manifest["busy_before_start"])
        if stands and summary.broken_requirements:
            console.print(f"--require: {', '.join(summary.broken_requirements)}", soft_wrap=True, markup=False)
            raise typer.Exit(EXIT_BROKEN) from None
        raise
