"""The command `bench`."""

from typing import Annotated, Final

import typer

from benchmark.cli_options import (
    CONDITIONS,
    HOW_LONG,
    RESULTS,
    WHAT,
    ContendersOption,
    FreePortsOption,
    LiveOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    WaitIdleOption,
    choose_contenders,
    conclude,
    console,
    examples,
    measuring_command,
    parse_levels,
    parse_settings,
    parse_sweep,
    refuse_together,
)
from contract.limits import open_files

QUICK_TAKES: Final = "about a minute"  # README and Makefile say the same, and a test holds them to it

EXAMPLES = examples(
    "bench    # the usual five contenders, five minutes",
    f"bench --quick    # {QUICK_TAKES}, wide intervals",
    "bench --contenders sync,async-aiohttp --levels 1,16,64",
    "bench --contenders async --sweep model_pool_size=100,2048    # one contender with two pool sizes",
    "bench --set model_cpu_ms=5    # models that compute for 5 ms instead of only waiting",
)


def command(
    contenders: ContendersOption = "",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"{QUICK_TAKES.capitalize()}: two blocks, 1 to 64 users, and a climb to 256.",
            rich_help_panel=HOW_LONG,
        ),
    ] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="About an hour: enough samples for every p99.", rich_help_panel=HOW_LONG),
    ] = False,
    field: Annotated[
        bool,
        typer.Option(
            "--field",
            help="All contenders, including those that are otherwise measured only when named.",
            rich_help_panel=WHAT,
        ),
    ] = False,
    levels: Annotated[
        str,
        typer.Option(
            help="Numbers of users, ascending, separated by commas, e.g. 1,16,64. Default: 1,8,16,32,64 and a climb "
            "to 512 while the rate grows.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    blocks: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How often every contender is measured in fresh processes; more blocks give narrower intervals. "
            "Default: 4.",
            rich_help_panel=HOW_LONG,
        ),
    ] = None,
    seed: SeedOption = 1,
    setting: SettingOption = None,
    sweep: Annotated[
        str,
        typer.Option(
            help="Measure each contender once per value of a setting, e.g. model_pool_size=16,32,64 or threads=16,64.",
            rich_help_panel=WHAT,
        ),
    ] = "",
    stage_clock: Annotated[
        bool,
        typer.Option(
            help="Make the services report the stages of a request (Server-Timing).", rich_help_panel=CONDITIONS
        ),
    ] = True,
    free_ports: FreePortsOption = False,
    containers: Annotated[
        bool,
        typer.Option(
            "--containers",
            help="Run the contenders' processes as containers; see `make docker-bench`.",
            rich_help_panel=CONDITIONS,
        ),
    ] = False,
    wait_idle: WaitIdleOption = 0,
    live: LiveOption = False,
    results: ResultsOption = RESULTS,
) -> None:
    """Compare contenders: latency, peak rate and CPU per request, from 1 user to hundreds. About five minutes.

    Each contender runs in fresh processes, in random order, in several blocks. The report is written to the run
    directory. Ctrl-C stops everything and still reports what was measured.

    Exit status: 0 measured and VALID, 1 could not be measured, 2 wrong usage, 3 measured but
    INVALID, 130 interrupted.
    """
    from benchmark.contenders.service_settings import swept
    from benchmark.experiments.bench import plan as plans
    from benchmark.experiments.bench.experiment import EXPERIMENT
    from benchmark.experiments.experiment import carry_out
    from benchmark.experiments.live.progress import progress_on
    from benchmark.load.open_files import files_per_user, refuse_beyond
    from benchmark.stack.containers import ContainerLauncher

    refuse_together(**{"--quick": quick, "--full": full})
    refuse_together(**{"--contenders": contenders, "--field": field})
    with measuring_command():
        chosen, swept_setting = choose_contenders(contenders, whole_field=field), parse_sweep(sweep)
        if swept_setting:
            chosen = swept(chosen, *swept_setting)
        users = parse_levels(levels)
        make_plan = plans.quick_plan if quick else plans.full_plan if full else plans.default_plan
        limit, per_user = open_files().soft, files_per_user(chosen, containers)
        if users:
            refuse_beyond(max(users), limit, per_user)
        plan = plans.fit(plans.adjust(make_plan(users), blocks, seed, stage_clock, free_ports), limit, per_user)
        if plan.left_out:
            console.print(plan.left_out, soft_wrap=True, markup=False)
        launcher = ContainerLauncher() if containers else None
        assignment = plans.assign(chosen, plan, parse_settings(setting), launcher)
        run = carry_out(EXPERIMENT, assignment, results, progress_on(console, live), wait_idle)
    conclude(run, EXPERIMENT)
