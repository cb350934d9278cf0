"""`promise`: every contender in fresh processes, under requests that are due at the very same times."""

import random

from benchmark.errors import BenchmarkError, RecordError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.promise.plan import PromisePlan
from benchmark.measure.levels import Levels, hold
from benchmark.measure.session import Session


def measure(session: Session, assignment: Assignment[PromisePlan]) -> None:
    """Measure each contender once, in random order; one that fails is recorded, the others go on."""
    load = Levels((), loads=assignment.plan.loads)
    order = list(assignment.contenders)
    random.Random(assignment.seed).shuffle(order)
    for contender in order:
        try:
            cell = hold(session, contender, load)
        except RecordError:
            raise
        except BenchmarkError:
            cell = session.cells[-1]  # recorded as failed
        session.progress.cell_done(cell)
