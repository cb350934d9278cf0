"""Runs under fire as they would have been recorded, with figures that are known exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pytest

from benchmark.contenders.discovery import Contender
from benchmark.experiments import experiment as experiments
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.under_fire.experiment import EXPERIMENT
from benchmark.experiments.under_fire.plan import OVERLOAD, PEAK, REFUSED, Trouble, UnderFirePlan, assign
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals, Level, LoadPlan
from benchmark.measure.faults import Fault, Inflicted, Inflictor
from benchmark.measure.trial import Trial
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.resources import BUSY, HARNESS, IDLE, STEAL
from benchmark.record.run import Run, TrialRecord, Window
from tests.unit.benchmark.fakes import fake_stack, make_progress
from tests.unit.benchmark.synthetic import MS_NS, SECOND_NS, START_NS, make_contender, samples_of

LATENCY_MS: Final = 50.0
REFUSAL: Final = "WrongAnswer: status 503"
NOBODY: Final = "WrongAnswer: no answer (status 0): ConnectionRefusedError: [Errno 111] Connection refused"
CORES: Final = {"scoring": 0.3, "redis": 0.1, "load": 0.2, BUSY: 0.7, IDLE: 1.3, STEAL: 0.0, HARNESS: 0.1}
PAUSE = Trouble("pause", "the service stands still", Fault("stop", "scoring", 1.0), (503,), (REFUSED,))
OTHER = Trouble("other", "something else breaks", Fault("stop", "scoring", 1.0), (502,))
ONE, TWO = make_contender("one"), make_contender("two")
PLAN = UnderFirePlan(
    troubles=(PAUSE, OTHER),
    warmup_s=0.5,
    before_s=2.0,
    after_s=4.0,
    levels=(Level(4, 0.1, 1.0), Level(8, 0.1, 1.0)),
    overload_s=4.0,
    rest_s=4.0,
)


@dataclass(frozen=True)
class Behaviour:
    """How a contender behaves: what comes of requests that are due within the fault, and how long it goes on."""

    status: int = 503
    error: str = REFUSAL
    after_s: float = 0.0  # for which requests still fail after the fault
    latency_ms: float = LATENCY_MS  # of right answers under overload
    carries: float = 1.0  # of its peak, under overload
    cores: Mapping[str, float] = field(default_factory=lambda: dict(CORES))


def failing_between(
    due_ns: np.ndarray, start_ns: float, end_ns: float, status: int, error: str, latency_ns: int
) -> pd.DataFrame:
    """Return samples that all succeed but those that are due between two moments, which fail within 2 ms."""
    hit = (due_ns >= start_ns) & (due_ns < end_ns)
    return samples_of(
        due_ns,
        np.where(hit, 2 * MS_NS, latency_ns),
        users=0,
        status=np.where(hit, status, 200),
        ok=np.where(hit, 0, 1),
        detail_s=np.where(hit, np.nan, 0.045),
        error=np.where(hit, error, ""),
    )


def write_trial(run: Run, cell: TrialRecord, plan: LoadPlan, how: Behaviour = Behaviour()) -> None:
    """Write what a trial would have left, and add its windows."""
    frames, start_ns = [pd.DataFrame(columns=list(SAMPLE_COLUMNS))], START_NS
    latency_ns = int(LATENCY_MS * MS_NS)
    for level in plan.levels:
        end_ns = start_ns + int(level.measure_s * SECOND_NS)
        due_ns = np.sort(np.tile(np.arange(start_ns - latency_ns // 2, end_ns, latency_ns), level.users))
        frames.append(samples_of(due_ns, latency_ns, users=level.users))
        cell.windows.append(Window(level.users, start_ns, end_ns))
        start_ns = end_ns + SECOND_NS
    for load in plan.loads:
        assert isinstance(load, Arrivals)
        frames.append(_arrivals(load, start_ns, how))
        last_ns = int((frames[-1]["start_ns"] + frames[-1]["latency_ns"]).max())
        cell.windows.append(Window(0, start_ns, last_ns + 1))
        start_ns = last_ns + SECOND_NS
    whole = pd.concat([frame for frame in frames if len(frame)] or frames)
    whole.to_csv(run.file("samples", cell, ".csv"), index=False, columns=list(SAMPLE_COLUMNS))
    with run.resource_writer(cell) as writer:
        for t_ns in range(START_NS - SECOND_NS, start_ns, SECOND_NS // 10):
            for role, share in how.cores.items():
                used_ns = int((t_ns - START_NS + SECOND_NS) * share)
                writer.append(ResourceSample(t_ns, role, used_ns, 50_000_000 + 1_000_000 * (t_ns > START_NS + 3e9)))


def _arrivals(load: Arrivals, start_ns: int, how: Behaviour) -> pd.DataFrame:
    due_ns = start_ns + ((np.array(times_of(load)) - load.warmup_s) * 1e9).astype(np.int64)
    if not load.later:
        begun_ns = start_ns + PLAN.before_s * 1e9
        over_ns = begun_ns + (1.0 + how.after_s) * 1e9
        return failing_between(due_ns, begun_ns, over_ns, how.status, how.error, int(LATENCY_MS * MS_NS))
    (begins_s, _), (ends_s, _) = load.later
    begun_ns, over_ns = (start_ns + int((at_s - load.warmup_s) * 1e9) for at_s in (begins_s, ends_s))
    frame = failing_between(due_ns, begun_ns, over_ns, 503, REFUSAL, int(LATENCY_MS * MS_NS))
    within = np.flatnonzero((due_ns >= begun_ns) & (due_ns < over_ns))
    is_let_in = np.isin(np.arange(len(due_ns)), within[:: max(round(3 / how.carries), 1)])  # every third at full rate
    answered = samples_of(due_ns, int(how.latency_ms * MS_NS), users=0)
    return pd.concat([frame[~is_let_in], answered[is_let_in]])


def record(
    results: Path,
    patch: pytest.MonkeyPatch,
    contenders: Sequence[Contender] = (ONE, TWO),
    plan: UnderFirePlan = PLAN,
    behaviours: Mapping[str, Behaviour] | None = None,
    error: tuple[tuple[str, str], BaseException] | None = None,
    orphans: int = 0,
    drawn: bool = False,
) -> Run:
    """Record a run without processes; `error` is what a trial, given by part and contender, raises."""

    def measure(trial: Trial, load: LoadPlan) -> None:
        if error and (trial.cell.part, trial.cell.contender) == error[0]:
            raise error[1]
        write_trial(trial.session.run, trial.cell, load, (behaviours or {}).get(trial.cell.contender, Behaviour()))

    def inflict(_: Inflictor, trial: Trial, fault: Fault) -> Inflicted:
        begun_ns = trial.cell.windows[0].start_ns + int(plan.before_s * 1e9)
        return Inflicted(begun_ns, begun_ns + int(fault.seconds * 1e9), orphans)

    fake_stack(patch, measure)
    patch.setattr(Inflictor, "inflict", inflict)
    patch.setattr("benchmark.experiments.under_fire.measure.time.sleep", lambda _: None)
    how = EXPERIMENT if drawn else replace(EXPERIMENT, write_page=lambda run: run.path / "report.html")
    if not drawn:  # which costs most of the time
        patch.setattr(experiments, "card_files", lambda *_: {})
    return carry_out(how, assign(contenders, plan, {}), results, make_progress())


def without(*parts: str) -> UnderFirePlan:
    """Return the plan without some of its parts."""
    troubles = tuple(trouble for trouble in PLAN.troubles if trouble.name not in parts)
    return replace(PLAN, troubles=troubles, overload=OVERLOAD not in parts and PEAK not in parts)
