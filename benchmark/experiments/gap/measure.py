"""`explain`: blocks of cells, among them light load, prediction and what-ifs; then the map."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmark.contenders.discovery import Contender
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.gap.factors import Design
from benchmark.experiments.gap.order import make_order
from benchmark.experiments.gap.plan import ExplainPlan, Variant, describe, expected_s, make_variants
from benchmark.experiments.prediction.measure import Calibrator
from benchmark.experiments.prediction.model import PredictionQuestion
from benchmark.experiments.prediction.what_ifs import WhatIf
from benchmark.measure.blocks import BlockMeasurer
from benchmark.measure.levels import Levels
from benchmark.measure.session import Session


@dataclass(frozen=True)
class Explanation:
    """How much is measured of what, and what is asked of the predictions."""

    plan: ExplainPlan
    variants: Sequence[Variant]
    mains: Sequence[Contender]  # that are calibrated, predicted and taken apart, with labels
    question: PredictionQuestion


def assign(
    design: Design,
    mains: Sequence[Contender],
    what_ifs: Sequence[WhatIf],
    plan: ExplainPlan,
    settings: Mapping[str, str],
) -> Assignment[Explanation]:
    """Return what one run measures. Contenders have the settings of all services already. Raises ContenderError."""
    variants = make_variants(design, mains, what_ifs, plan)
    order = make_order(variants, plan.seed)
    question = PredictionQuestion(
        what_ifs=what_ifs,
        from_=design.contenders["from"],
        to=design.contenders["to"],
        cpu_ms=plan.cpu_ms,
        map_users=[level.users for level in plan.map.levels],
        users=plan.users,
    )
    count = sum(len(labels) for blocks in order.values() for labels in blocks)
    return Assignment(
        contenders=[variant.contender for variant in variants],
        plan=Explanation(plan, variants, mains, question),
        recorded_plan=asdict(plan),
        trials=count,
        trial_s=expected_s(variants) / count,
        seed=plan.seed,
        free_ports=plan.free_ports,
        settings=settings,
        facts={"explain": describe(design, variants, what_ifs, plan), "order": order},
    )


def measure(session: Session, assignment: Assignment[Explanation]) -> None:
    """Measure every phase; what is predicted of a contender is written down before that is measured."""
    work, order = assignment.plan, assignment.facts["order"]
    mains = {main.name: main for main in work.mains}
    calibrated = {v.label: mains[str(v.of)] for v in work.variants if v.phase == "light"}
    measurer = BlockMeasurer(session, {v.label: (v.contender, _load(v)) for v in work.variants})
    calibrator = Calibrator(session, work.question, work.plan.calibration)
    for block, labels in enumerate(order["cell"]):
        for label in labels:
            cell = measurer.measure_one(label, block)
            if label in calibrated:
                calibrator.calibrate(calibrated[label], cell)
    measurer.measure(order["lag"])
    if order["map"]:
        calibrator.map()
    measurer.measure(order["map"])


def _load(variant: Variant) -> Levels:
    levels, climb = variant.plan.levels, variant.plan.climb
    held = {level.users for level in levels}
    return Levels(levels, tuple(level for level in climb if level.users not in held), variant.stage_clock)
