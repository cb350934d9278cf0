"""`explain`: rounds of light load, prediction, cells and what-ifs; then the map; record and summary."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmark.bench import BlockMeasurer, make_cell_plan, shuffled_blocks
from benchmark.cell import CellPlan
from benchmark.contenders import Contender
from benchmark.experiment4_gap import prediction
from benchmark.experiment4_gap.bursts import measure_bursts, read_bursts
from benchmark.experiment4_gap.factors import Design
from benchmark.experiment4_gap.page import write_page
from benchmark.experiment4_gap.plan import (
    PHASES,
    ExplainPlan,
    PhaseName,
    Variant,
    describe,
    expected_s,
    make_variants,
)
from benchmark.experiment4_gap.reading import parse
from benchmark.experiment4_gap.rounds import blocks_of_round, combined
from benchmark.experiment4_gap.story import write_headline
from benchmark.experiment4_gap.summary import phase_cells, summarise
from benchmark.experiment4_gap.what_ifs import WhatIf
from benchmark.guard import Guard
from benchmark.manifest import make_manifest, service_environment
from benchmark.progress import Progress
from benchmark.record import Run
from benchmark.session import measuring
from contract.settings import PREFIX

PREDICTION = "prediction.json"
# What decides how long a model's answer takes, and so which answers are right.
_LAW = tuple(f"{PREFIX}{name}" for name in ("MODEL_LAW", "MODEL_MIN_MS", "MODEL_MAX_MS", "MODEL_SIGMA"))


def run_explain(
    results: Path,
    design: Design,
    mains: Sequence[Contender],
    what_ifs: Sequence[WhatIf],
    plan: ExplainPlan,
    service_settings: Mapping[str, str],
    progress: Progress,
) -> Run:
    """Measure, and write record, summary and page, also when interrupted. Raises BenchmarkError.

    `mains` are the contenders that are calibrated, predicted and taken apart, with labels.
    """
    variants = make_variants(design, mains, what_ifs, plan)
    order = _order(variants, plan)
    manifest = make_manifest([v.contender for v in variants], plan.seed, asdict(plan), service_settings)
    explain = describe(design, variants, what_ifs, plan)
    run = Run.create(results, "explain", {**manifest, "explain": explain, "order": order})
    question = prediction.Question(
        contenders=mains,
        service_settings=service_settings,
        what_ifs=what_ifs,
        from_=design.contenders["from"],
        to=design.contenders["to"],
        cpu_ms=plan.cpu_ms,
        map_users=[level.users for level in plan.map.levels],
        users=plan.users,
    )
    count = sum(len(labels) for blocks in order.values() for labels in blocks)
    with measuring(run, progress, count, expected_s(variants) / count, lambda _: report(run)) as guard:
        pairs = {v.label: (v.contender, _cell_plan(v, plan, service_settings)) for v in variants}
        measurer = BlockMeasurer(run, pairs, plan.seed, guard, progress)
        for number in range(plan.rounds):
            light, cell, whatif = (
                blocks_of_round(len(order[phase]), number, plan.rounds) for phase in ("light", "cell", "whatif")
            )
            measurer.measure(order["light"], light)
            if mains and light:
                _measure_bursts(run, mains, plan, service_settings, guard, progress, number, len(light))
                progress.phase("", "prediction")
                # The map takes as long to simulate as all else, and is measured after the last round.
                asked = replace(question, maps=number == plan.rounds - 1)
                write_prediction(run, asked, number, light)
            measurer.measure(order["cell"], cell)
            measurer.measure(order["whatif"], whatif)
        measurer.measure(order["lag"])
        measurer.measure(order["map"])
    return run


def _measure_bursts(
    run: Run,
    mains: Sequence[Contender],
    plan: ExplainPlan,
    service_settings: Mapping[str, str],
    guard: Guard,
    progress: Progress,
    number: int,
    times: int,
) -> None:
    """Light load, too: on the average the scoring process has less to do than half a core could."""
    env = {**service_environment(service_settings), f"{PREFIX}MODEL_SEED": str(plan.seed)}
    for _ in range(times):
        for contender in mains:
            progress.phase(contender.label, "bursts")
            measure_bursts(run, contender, env, guard, plan.burst_s, plan.free_ports, plan.burst_sizes, number)


def write_prediction(run: Run, question: prediction.Question, number: int, light: Container[int]) -> None:
    """Write what a round predicts from its own light levels and bursts, before any of its other cells is measured."""
    cells = {name: [cell for cell in cells if cell.block in light] for name, cells in phase_cells(run, "light").items()}
    bursts = [burst for burst in read_bursts(run.path) if burst.round == number]
    predicted = prediction.predict(run, cells, bursts, question)
    if predicted:
        written = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        rounds = [*_predicted(run).get("rounds", ()), {"written_utc": written, **predicted}]
        run.write_json(PREDICTION, combined(rounds))


def _predicted(run: Run) -> dict[str, Any]:
    """Return what has been predicted so far, nothing if nothing was."""
    return run.read_json(PREDICTION) if (run.path / PREDICTION).exists() else {}


def report(run: Run) -> None:
    """Compute the summary of a run from its record and draw its page."""
    summary = summarise(run, _predicted(run))
    summary["verdict"] = write_headline(parse(summary, run.manifest))
    run.write_json("summary.json", summary)
    write_page(run)


def _order(variants: Sequence[Variant], plan: ExplainPlan) -> dict[PhaseName, list[list[str]]]:
    """Return by phase the labels of every block in random order."""
    order = {}
    for phase in PHASES:
        inside = [variant for variant in variants if variant.phase == phase]
        blocks = max((variant.plan.blocks for variant in inside), default=0)
        order[phase] = shuffled_blocks([v.label for v in inside], blocks, f"{plan.seed}-{phase}")
    return order


def _cell_plan(variant: Variant, plan: ExplainPlan, service_settings: Mapping[str, str]) -> CellPlan:
    law = {
        name.removeprefix(PREFIX).lower(): value
        for process in variant.contender.process
        for name, value in process.env.items()
        if name in _LAW
    }
    levels, climb = variant.plan.levels, variant.plan.climb
    held = {level.users for level in levels}
    climb = tuple(level for level in climb if level.users not in held)
    return make_cell_plan(levels, climb, service_settings, variant.stage_clock, plan.free_ports, law)
