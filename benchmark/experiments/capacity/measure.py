"""`capacity`: tries one rate after the other in fresh processes, the contenders by turns."""

import random
from collections.abc import Sequence
from dataclasses import asdict

from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, RecordError
from benchmark.experiments.capacity.observed import TRIES, read_try
from benchmark.experiments.capacity.plan import CapacityPlan
from benchmark.experiments.capacity.search import Offer, Search
from benchmark.experiments.experiment import Assignment
from benchmark.load.plan import Arrivals
from benchmark.measure.levels import Levels, hold
from benchmark.measure.session import Session
from benchmark.record.run import TrialRecord


def measure(session: Session, assignment: Assignment[CapacityPlan]) -> None:
    """Search the capacity of each contender; one that fails is recorded, the others go on."""
    plan = assignment.plan
    searches = [ContenderSearch(session, contender, plan) for contender in assignment.contenders]
    draw = random.Random(assignment.seed)
    _take_turns(searches, draw)
    for block in range(plan.blocks):
        for each in searches:
            each.search.begin_block(block)
        _take_turns(searches, draw)
    for each in draw.sample(searches, len(searches)):
        while each.confirm():
            pass


def _take_turns(searches: Sequence["ContenderSearch"], draw: random.Random) -> None:
    """Let each make a try in turn, in random order, until all have made theirs: what drifts then drifts for all."""
    waiting = list(searches)
    while waiting:
        waiting = [each for each in draw.sample(waiting, len(waiting)) if each.step()]


class ContenderSearch:
    """The search of one contender, with what it takes to carry it out."""

    def __init__(self, session: Session, contender: Contender, plan: CapacityPlan) -> None:
        self._session, self._contender, self._plan = session, contender, plan
        self._failed = False
        self.search = Search(plan.objectives, plan.limits)

    def step(self) -> bool:
        """Make the next try of this part; False if there is none."""
        return self._make(None if self._failed else self.search.offer())

    def confirm(self) -> bool:
        """Make the next confirming run; False if there is none."""
        return self._make(None if self._failed else self.search.confirming())

    def _make(self, offer: Offer | None) -> bool:
        if offer is None:
            return False
        number = len(self.search.tries)
        load, part = self._plan.load(offer, number), f"try-{number + 1}"
        row = {"contender": self._contender.label, "part": part, "number": number, **asdict(offer)}
        self._session.run.append_line(TRIES, row)
        cell = self._hold(load, offer.block, part)
        if cell.status == "measured" and cell.windows:
            plan = self._plan
            self.search.add(read_try(self._session.run, cell, offer, load, plan.objectives, plan.generators))
        else:
            self._failed = True
        self._session.progress.cell_done(cell)
        return not self._failed

    def _hold(self, load: Arrivals, block: int, part: str) -> TrialRecord:
        levels = Levels((), loads=(load,), generators=self._plan.generators)
        try:
            return hold(self._session, self._contender, levels, block, part)
        except RecordError:
            raise
        except BenchmarkError:
            return self._session.cells[-1]  # recorded as failed
