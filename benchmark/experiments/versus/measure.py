"""`versus`: both services once per block, in random order, asked the very same at the very same times."""

from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, RecordError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.versus.duet import hold_both
from benchmark.experiments.versus.plan import VersusPlan
from benchmark.measure.blocks import shuffled_blocks
from benchmark.measure.levels import Levels, hold
from benchmark.measure.session import Session
from benchmark.record.run import TrialRecord
from benchmark.record.scrub import scrub
from benchmark.scenarios.discovery import scenario_of

PEAK = "peak"  # the part of a trial that goes up to it


def measure(session: Session, assignment: Assignment[VersusPlan]) -> None:
    """Measure all blocks; a trial that fails is recorded, the others go on. No secret stays in the record."""
    contenders = {each.label: each for each in assignment.contenders}
    secrets = [value for each in contenders.values() for value in scenario_of(each).secrets().values()]
    peaks = _Peaks(session, assignment.plan)
    try:
        for block, labels in enumerate(shuffled_blocks(list(contenders), assignment.plan.blocks, assignment.seed)):
            chosen = [contenders[label] for label in labels]
            if assignment.plan.duet:
                hold_both(session, chosen, assignment.plan, block)
            else:
                for contender in chosen:
                    _hold(session, contender, _load(assignment.plan, block), block)
            for contender in chosen if assignment.plan.levels else ():
                peaks.hold(contender, block)
    finally:
        scrub(session.run.path, secrets)


def _load(plan: VersusPlan, block: int) -> Levels:
    loads = (plan.one_user, plan.arrivals(block))
    return Levels((), loads=loads, stage_clock=False, expected=plan.expected)


def _hold(session: Session, contender: Contender, load: Levels, block: int, part: str = "") -> TrialRecord:
    try:
        cell = hold(session, contender, load, block, part)
    except RecordError:
        raise
    except BenchmarkError:
        cell = session.cells[-1]  # recorded as failed
    session.progress.cell_done(cell)
    return cell


class _Peaks:
    """Climbs in the first block for as long as the rate grows; later blocks repeat these levels."""

    def __init__(self, session: Session, plan: VersusPlan) -> None:
        self._session, self._plan = session, plan
        self._reached: dict[str, Levels] = {}

    def hold(self, contender: Contender, block: int) -> None:
        plan = self._plan
        first = Levels(plan.levels, plan.climb, stage_clock=False, expected=plan.expected)
        cell = _hold(self._session, contender, self._reached.get(contender.label, first), block, PEAK)
        if cell.status == "measured" and contender.label not in self._reached:
            held = {window.users for window in cell.windows}
            levels = tuple(level for level in (*plan.levels, *plan.climb) if level.users in held)
            self._reached[contender.label] = Levels(levels, stage_clock=False, expected=plan.expected)
