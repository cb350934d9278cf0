"""`bench`: every contender in blocks of fresh processes and random order; record, summary, report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmark.analysis.summary import summarise
from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import with_overrides
from benchmark.experiments.bench.page import write_bench_report
from benchmark.experiments.bench.plan import BenchPlan
from benchmark.measure.blocks import BlockMeasurer, shuffled_blocks
from benchmark.measure.progress import Progress
from benchmark.measure.session import measuring
from benchmark.measure.trial import CellPlan
from benchmark.record.manifest import make_manifest
from benchmark.record.run import Run
from benchmark.stack.containers import ContainerLauncher
from benchmark.stack.processes import ProcessLauncher


def run_bench(
    results: Path,
    contenders: Sequence[Contender],
    plan: BenchPlan,
    service_settings: Mapping[str, str],
    progress: Progress,
    containers: ContainerLauncher | None = None,
) -> Run:
    """Measure, and write record, summary and report, also when interrupted. Raises BenchmarkError.

    With `containers` the contenders' processes run in those.
    """
    contenders = with_overrides(contenders, service_settings)
    facts = {"containers": containers.facts(contenders)} if containers else {}
    manifest = make_manifest(contenders, plan.seed, asdict(plan), service_settings)
    order = shuffled_blocks([c.label for c in contenders], plan.blocks, plan.seed)
    run = Run.create(results, "bench", {**manifest, **facts, "order": order})
    cells = plan.blocks * len(contenders)
    cell_plan = CellPlan(plan.levels, plan.climb, plan.stage_clock, plan.free_ports, containers or ProcessLauncher())
    pairs = {contender.label: (contender, cell_plan) for contender in contenders}
    with measuring(run, progress, cells, plan.cell_s, lambda _: report(run, contenders)) as guard:
        BlockMeasurer(run, pairs, plan.seed, guard, progress).measure(order)
    return run


def report(run: Run, contenders: Sequence[Contender]) -> None:
    """Compute the summary of a run from its record and draw the report."""
    run.write_json("summary.json", summarise(run, contenders))
    write_bench_report(run)
