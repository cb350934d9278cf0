"""`bench`: every contender in blocks of fresh processes and random order."""

from benchmark.experiments.bench.plan import BenchPlan
from benchmark.experiments.experiment import Assignment
from benchmark.measure.blocks import BlockMeasurer
from benchmark.measure.levels import Levels
from benchmark.measure.session import Session


def measure(session: Session, assignment: Assignment[BenchPlan]) -> None:
    """Hold the levels with every contender once in every block. Raises RecordError."""
    plan = assignment.plan
    load = Levels(plan.levels, plan.climb, plan.stage_clock)
    pairs = {contender.label: (contender, load) for contender in assignment.contenders}
    BlockMeasurer(session, pairs).measure(assignment.facts["order"])
