"""The command of experiment 4."""

from typing import Annotated, Any

import typer
from rich.table import Table

from benchmark.cli_options import (
    EXIT_INTERRUPTED,
    EXIT_INVALID,
    RESULTS,
    FreePortsOption,
    ResultsOption,
    SeedOption,
    SettingOption,
    console,
    end_on_signals,
    fail,
    parse_settings,
)
from benchmark.errors import BenchmarkError
from contract.limits import open_files, raise_open_files


def explain(
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
    from benchmark.experiments.gap import plan as plans
    from benchmark.experiments.gap.factors import Design, read_factors
    from benchmark.experiments.gap.measure import run_explain
    from benchmark.experiments.prediction.what_ifs import read_what_ifs
    from benchmark.load.open_files import files_per_user
    from benchmark.measure.progress import Progress

    end_on_signals()
    raise_open_files()
    try:
        services = parse_settings(setting or [])
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
        run = run_explain(results, design, mains, what_ifs, plan, services, Progress(console))
    except BenchmarkError as error:
        fail(error)
    summary = run.summary
    print_summary(summary)
    console.print(f"report: {run.path / 'report.html'}", soft_wrap=True, markup=False)
    if not summary["complete"]:
        raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(0 if summary["valid"] else EXIT_INVALID)


def print_summary(summary: dict[str, object]) -> None:
    """Print the shares of the gap, and whether they may be believed."""
    attribution = summary["attribution"]
    assert isinstance(attribution, dict)
    for name, form in (("latency_ms", "+.2f"), ("cpu_ms", "+.2f"), ("peak_rps", ".3f")):
        found = attribution.get(name)
        if not found:
            continue
        table = Table(box=None, pad_edge=False, header_style="bold")
        ends = f"{name}: {found['from']} {found['from_value']:.4g}, {found['to']} {found['to_value']:.4g}"
        console.print(ends, soft_wrap=True, markup=False)
        for heading in ("factor", "share", "95 % interval"):
            table.add_column(heading, justify="left" if heading == "factor" else "right")
        for factor, share in [*found["shares"].items(), _whole(found)]:
            interval = " to ".join(format(bound, form) for bound in share["ci95"]) if share["ci95"] else "-"
            table.add_row(factor, format(share["value"], form), interval)
        console.print(table)
    console.print("[bold green]VALID[/]" if summary["valid"] else "[bold red]INVALID[/]")
    for key in ("reasons", "notes"):
        sentences = summary[key]
        assert isinstance(sentences, list)
        for sentence in sentences:
            console.print(f"  {sentence}", soft_wrap=True, markup=False)


def _whole(found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the gap as one more row, with the interval that decides whether it is shown."""
    adjusted = found.get("confidence") is not None
    return "all, adjusted" if adjusted else "all", {"value": found["gap"], "ci95": found["ci" if adjusted else "ci95"]}
