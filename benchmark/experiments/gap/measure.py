"""`explain`: blocks of cells, among them light load, prediction and what-ifs; then the map; record and summary."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmark.contenders.discovery import Contender
from benchmark.experiments.gap.factors import Design
from benchmark.experiments.gap.page import write_page
from benchmark.experiments.gap.plan import ExplainPlan, PhaseName, Variant, describe, expected_s, make_variants
from benchmark.experiments.gap.schema import parse
from benchmark.experiments.gap.summarise import summarise
from benchmark.experiments.gap.text import write_headline
from benchmark.experiments.prediction.measure import Calibrator, read_prediction
from benchmark.experiments.prediction.model import Question
from benchmark.experiments.prediction.what_ifs import WhatIf
from benchmark.measure.blocks import BlockMeasurer, shuffled_blocks
from benchmark.measure.progress import Progress
from benchmark.measure.session import measuring
from benchmark.measure.trial import CellPlan
from benchmark.record.manifest import make_manifest
from benchmark.record.run import Run

CONTENDERS = "contenders.json"  # the contenders among the cells, as `bench` summarises them


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

    `mains` are the contenders that are calibrated, predicted and taken apart, with labels. They and those of the
    design have the service settings already.
    """
    variants = make_variants(design, mains, what_ifs, plan)
    order = make_order(variants, plan.seed)
    manifest = make_manifest([v.contender for v in variants], plan.seed, asdict(plan), service_settings)
    explain = describe(design, variants, what_ifs, plan)
    run = Run.create(results, "explain", {**manifest, "explain": explain, "order": order})
    question = Question(
        what_ifs=what_ifs,
        from_=design.contenders["from"],
        to=design.contenders["to"],
        cpu_ms=plan.cpu_ms,
        map_users=[level.users for level in plan.map.levels],
        users=plan.users,
    )
    count = sum(len(labels) for blocks in order.values() for labels in blocks)
    calibrated = {v.label: _named(mains, v.of) for v in variants if v.phase == "light"}
    with measuring(run, progress, count, expected_s(variants) / count, lambda _: report(run)) as guard:
        pairs = {v.label: (v.contender, _cell_plan(v, plan)) for v in variants}
        measurer = BlockMeasurer(run, pairs, plan.seed, guard, progress)
        calibrator = Calibrator(run, question, plan.calibration, guard, progress)
        for block, labels in enumerate(order["cell"]):
            for label in labels:
                cell = measurer.measure_one(label, block)
                if label in calibrated:
                    calibrator.calibrate(calibrated[label], cell)
        measurer.measure(order["lag"])
        if order["map"]:
            calibrator.map()
        measurer.measure(order["map"])
    return run


def _named(contenders: Sequence[Contender], name: str | None) -> Contender:
    return next(contender for contender in contenders if contender.name == name)


def report(run: Run) -> None:
    """Compute the summary of a run from its record and draw its page."""
    summary, contenders = summarise(run, read_prediction(run))
    run.write_json(CONTENDERS, contenders)
    summary["verdict"] = write_headline(parse(summary, run.manifest))
    run.write_json("summary.json", summary)
    write_page(run)


def make_order(variants: Sequence[Variant], seed: int) -> dict[PhaseName, list[list[str]]]:
    """Return the labels of every block, in random order; light load and what-ifs are in the blocks of the cells.

    A contender's light levels come right before its cell, and its what-ifs right after it, so that a prediction and
    all that it is held against are as near to each other as they can be.
    """
    own = {v.of: v.label for v in reversed(variants) if v.phase == "cell" and v.of and v.stage_clock}
    contenders = {label: name for name, label in own.items()}
    order: dict[PhaseName, list[list[str]]] = {phase: _shuffled(variants, phase, seed) for phase in ("lag", "map")}
    order["cell"] = [
        [each for label in labels for each in _with_neighbours(label, contenders.get(label), variants, block, seed)]
        for block, labels in enumerate(_shuffled(variants, "cell", seed))
    ]
    return order


def _shuffled(variants: Sequence[Variant], phase: PhaseName, seed: int) -> list[list[str]]:
    inside = [variant for variant in variants if variant.phase == phase]
    blocks = max((variant.plan.blocks for variant in inside), default=0)
    return shuffled_blocks([v.label for v in inside], blocks, f"{seed}-{phase}")


def _with_neighbours(
    label: str, contender: str | None, variants: Sequence[Variant], block: int, seed: int
) -> list[str]:
    """Return a cell's label, and around it what else this block measures of the contender that it is, if it is one."""

    def around(phase: PhaseName) -> list[str]:
        inside = [v for v in variants if v.phase == phase and block < v.plan.blocks]
        return [v.label for v in inside if v.of and v.of == contender]

    what_ifs = around("whatif")
    random.Random(f"{seed}-{block}-{label}").shuffle(what_ifs)
    return [*around("light"), label, *what_ifs]


def _cell_plan(variant: Variant, plan: ExplainPlan) -> CellPlan:
    levels, climb = variant.plan.levels, variant.plan.climb
    held = {level.users for level in levels}
    climb = tuple(level for level in climb if level.users not in held)
    return CellPlan(levels, climb, variant.stage_clock, plan.free_ports)
