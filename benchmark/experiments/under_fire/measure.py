"""Puts every contender under load, and lets happen to it what was planned."""

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from benchmark.contenders.discovery import Contender
from benchmark.errors import BenchmarkError, LoadError, RecordError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.under_fire.observed import peak_of
from benchmark.experiments.under_fire.plan import (
    OVERLOAD,
    OVERLOAD_TIMES,
    PEAK,
    Trouble,
    UnderFirePlan,
    generators_for,
)
from benchmark.measure.faults import FAULTS, Inflicted, Inflictor
from benchmark.measure.levels import Levels, hold
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record.run import TrialRecord

OFFERED: Final = "overload.jsonl"  # a line for each contender: the peak that was found, and what was offered


def measure(session: Session, assignment: Assignment[UnderFirePlan]) -> None:
    """Carry out all parts of the plan; one that fails is recorded, the others go on. Raises RecordError."""
    plan = assignment.plan
    contenders = {contender.label: contender for contender in assignment.contenders}
    troubles = {trouble.name: trouble for trouble in plan.troubles}
    for part, label in plan.parts(list(contenders)):
        try:
            _measure_part(session, plan, contenders[label], part, troubles)
        except RecordError:
            raise
        except BenchmarkError as error:
            if not session.cells or (session.cells[-1].part, session.cells[-1].contender) != (part, label):
                _note(session, part, label, error)
        session.progress.cell_done(session.cells[-1], plan.seconds_of(part))


def _measure_part(
    session: Session, plan: UnderFirePlan, contender: Contender, part: str, troubles: Mapping[str, Trouble]
) -> None:
    if part == PEAK:
        hold(session, contender, Levels(plan.levels, stage_clock=False), part=PEAK)
    elif part == OVERLOAD:
        _overload(session, plan, contender)
    else:
        _trouble(session, plan, contender, troubles[part])


def _trouble(session: Session, plan: UnderFirePlan, contender: Contender, trouble: Trouble) -> None:
    """Load a contender, and inflict a fault while it is loaded."""
    loads = Levels((), stage_clock=False, loads=(plan.arrivals(trouble),))
    with Inflictor(session) as inflictor:
        watcher = _Watcher(inflictor, trouble, plan.before_s)
        hold(session, trouble.applied_to(contender), loads, part=trouble.name, on_event=watcher)
    if watcher.inflicted:
        done = watcher.inflicted
        done.orphans += inflictor.orphans
        row = {"block": 0, "contender": contender.label, "part": trouble.name, **asdict(done)}
        session.run.append_line(FAULTS, {**row, "fault": asdict(trouble.fault)})


class _Watcher:
    """Inflicts a fault so many seconds after the measured window has begun; called with each event of the generator.

    Meanwhile nobody reads the generator's events: there are two a second, and a pipe holds thousands.
    """

    def __init__(self, inflictor: Inflictor, trouble: Trouble, before_s: float) -> None:
        self._inflictor, self._trouble, self._before_s = inflictor, trouble, before_s
        self.inflicted: Inflicted | None = None

    def __call__(self, trial: Trial, event: str) -> None:
        if event == "measuring" and self.inflicted is None:
            time.sleep(self._before_s)
            trial.phase(self._trouble.name)
            self.inflicted = self._inflictor.inflict(trial, self._trouble.fault)


def _overload(session: Session, plan: UnderFirePlan, contender: Contender) -> None:
    """Offer three times the peak that has just been measured. Raises LoadError if there is none."""
    trial = next((c for c in session.cells if (c.part, c.contender) == (PEAK, contender.label)), None)
    peak = peak_of(session.run, trial) if trial and trial.windows else None
    if peak is None or not peak.rps:
        raise LoadError("its peak is unknown, so there is nothing to offer three times")
    load, generators = plan.overload_arrivals(peak.rps), generators_for(OVERLOAD_TIMES * peak.rps)
    row = {"contender": contender.label, "peak_rps": peak.rps, "generators": generators, "load": asdict(load)}
    session.run.append_line(OFFERED, row)
    hold(session, contender, Levels((), stage_clock=False, loads=(load,), generators=generators), part=OVERLOAD)


def _note(session: Session, part: str, label: str, error: BenchmarkError) -> None:
    """Record a trial that could not begin."""
    cell = TrialRecord(0, label, session.seed * 1000, "failed", str(error), part=part, code=error.code)
    session.cells.append(cell)
    session.run.append_cell(cell)
