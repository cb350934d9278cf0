"""`gate`: pairs of blocks, each side in fresh processes, until every figure is decided or the time is over."""

import random
import time
from collections.abc import Callable, Sequence
from typing import Final

from benchmark.analysis.level_figures import LevelFigures
from benchmark.analysis.sequential import Look, is_due
from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, RecordError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.gate.judge import is_done, judge, trial_figures, write_look
from benchmark.experiments.gate.plan import GatePlan
from benchmark.measure.levels import hold
from benchmark.measure.session import Session

now_s: Callable[[], float] = time.monotonic
_LAST: Final = 1.0


class _Ended(Exception):
    """Nothing that follows could be VALID."""


def measure(session: Session, assignment: Assignment[GatePlan]) -> None:
    """Measure pair after pair. Every look is recorded before it decides anything. Raises RecordError."""
    plan, begin_s = assignment.plan, now_s()
    trials: dict[tuple[str, int], Sequence[LevelFigures]] = {}
    looks: list[Look] = []
    order = _sides(assignment)
    for pair in range(plan.max_pairs):
        try:
            for contender in order[pair % len(order)]:
                trials[contender.label, pair] = _measure_one(session, plan, contender, pair)
        except _Ended as reason:
            session.progress.say(f"{reason}: no later pair could make this VALID")
            return
        pairs, passed_s = pair + 1, now_s() - begin_s
        is_last = passed_s * (pairs + 1) / pairs > plan.budget_s or pairs == plan.max_pairs
        if not (is_last or is_due(pairs, looks[-1].pairs if looks else 0)):
            continue
        share = max(passed_s / plan.budget_s, pairs / plan.max_pairs)
        looks.append(Look(pairs, _LAST if is_last else round(min(share, _LAST), 6)))
        write_look(session.run, looks[-1])
        if is_last or is_done(judge(trials, plan.allowed, looks)):
            return


def _sides(assignment: Assignment[GatePlan]) -> list[list[Contender]]:
    """Return who is measured first in each pair: at random, and in the next pair the other way round."""
    draw, order = random.Random(assignment.seed), []
    for _ in range((assignment.plan.max_pairs + 1) // 2):
        sides = draw.sample(list(assignment.contenders), len(assignment.contenders))
        order += [sides, sides[::-1]]
    return order


def _measure_one(session: Session, plan: GatePlan, contender: Contender, pair: int) -> list[LevelFigures]:
    """Measure one side of a pair. Raises _Ended if it failed or answered wrongly, and RecordError."""
    try:
        trial = hold(session, contender, plan.load, pair)
    except RecordError:
        raise
    except BenchmarkError as error:
        session.progress.cell_done(session.cells[-1])
        raise _Ended(f"{contender.label} failed") from error
    session.progress.cell_done(trial)
    found = trial_figures(session.run, contender, trial)
    for level in found:
        if level.errors or not level.n:
            raise _Ended(f"{contender.label} answers wrongly ({level.first_error or 'nothing was answered'})")
    return found
