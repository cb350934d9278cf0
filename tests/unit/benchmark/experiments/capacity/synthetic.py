"""Runs of `capacity` as load generators would have recorded them, of services that carry a known rate."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.contenders.discovery import Contender
from benchmark.experiments.capacity import experiment
from benchmark.experiments.capacity.plan import CapacityPlan, assign, make_plan
from benchmark.experiments.capacity.schema import CapacitySummary
from benchmark.experiments.experiment import carry_out
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals, LoadPlan
from benchmark.measure.trial import Trial
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.run import Run, TrialRecord, Window
from tests.unit.benchmark.fakes import fake_stack, make_progress
from tests.unit.benchmark.synthetic import RSS_BYTES, SECOND_NS, START_NS, samples_of

Misses = Callable[[float], float]  # the share of requests that are late, by the rate


def knee(carries_rps: float) -> Misses:
    """Return a service that is good up to a rate, and late beyond it."""
    return lambda rate_rps: 0.0 if rate_rps <= carries_rps else 1.0


def write_try(
    run: Run, cell: TrialRecord, load: Arrivals, misses: Misses, late_ms: float = 0.0, failing: bool = False
) -> None:
    """Write what a try leaves, its late requests spread evenly; the generator sent each `late_ms` too late."""
    due_s = np.array(times_of(load))
    share = misses(load.rate_rps)
    numbers = np.arange(due_s.size)
    is_late = np.floor((numbers + 1) * share) > np.floor(numbers * share)
    latency_ms = np.where(is_late & (not failing), 400.0, 50.0)
    scheduled_ns = START_NS + (due_s * 1e9).astype(np.int64)
    sent: pd.DataFrame = samples_of(scheduled_ns, (latency_ms * 1e6).astype(np.int64), users=0)
    sent["start_ns"] += int(late_ms * 1e6)
    if failing:
        sent = sent.assign(ok=np.where(is_late, 0, 1), status=np.where(is_late, 503, 200))
    sent.to_csv(run.file("samples", cell, ".csv"), index=False, columns=list(SAMPLE_COLUMNS))
    begin_ns = START_NS + int(load.warmup_s * 1e9)
    end_ns = begin_ns + int(load.measure_s * 1e9) + SECOND_NS
    cell.windows.append(Window(0, begin_ns, end_ns))
    with run.resource_writer(cell) as writer:
        for t_ns in (START_NS, end_ns):
            writer.append(ResourceSample(t_ns, "load", int((t_ns - START_NS) * 0.3), RSS_BYTES))


def short_plan(objectives: Sequence[str] = ("p99<100ms",), first_rps: float = 100.0, blocks: int = 2) -> CapacityPlan:
    return make_plan(objectives, first_rps=first_rps, blocks=blocks, quick=True)


def recorded(
    results: Path,
    patch: pytest.MonkeyPatch,
    services: Mapping[str, Misses],
    contenders: Sequence[Contender],
    plan: CapacityPlan,
    error: tuple[str, str, BaseException] | None = None,
    late_ms: float = 0.0,
    failing: bool = False,
) -> Run:
    """Return the run of services by contender; `error` is raised for a contender in a part."""

    def measure(trial: Trial, load: LoadPlan) -> None:
        if error and (trial.cell.contender, trial.cell.part) == error[:2]:
            raise error[2]
        (arrivals,) = load.loads
        assert isinstance(arrivals, Arrivals)
        write_try(trial.session.run, trial.cell, arrivals, services[trial.cell.contender], late_ms, failing)

    fake_stack(patch, measure)
    return carry_out(experiment.EXPERIMENT, assign(contenders, plan, {}, free_ports=False), results, make_progress())


def summary_of(run: Run) -> CapacitySummary:
    return CapacitySummary.model_validate(run.summary)
