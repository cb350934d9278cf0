"""Runs of `promise` as a load generator would have recorded them, with latencies that are known exactly."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.contenders.discovery import Contender
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.promise.plan import PromisePlan, assign, make_plan
from benchmark.experiments.promise.schema import PromiseSummary
from benchmark.experiments.promise.summarise import summarise
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals, Load, Scheduled
from benchmark.load.rates import parse_shape
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.run import SUMMARY, Run, TrialRecord, Window
from tests.unit.benchmark.synthetic import MS_NS, RSS_BYTES, SECOND_NS, START_NS, make_run, samples_of

Latency = Callable[[np.ndarray], np.ndarray]  # ms by the second at which a request is due


def always(latency_ms: float) -> Latency:
    return lambda due_s: np.full(due_s.shape, latency_ms)


def slow_between(since_s: float, until_s: float, latency_ms: float = 400.0) -> Latency:
    return lambda due_s: np.where((due_s >= since_s) & (due_s < until_s), latency_ms, 50.0)


def assigned(
    contenders: Sequence[Contender], shape: str, objectives: Sequence[str] = (), required: Sequence[str] = ()
) -> Assignment[PromisePlan]:
    return assign(contenders, make_plan(parse_shape(shape), objectives, 1, required), {}, free_ports=False)


def write_trial(
    run: Run, cell: TrialRecord, loads: Sequence[Load], latency: Latency | None = None, failed: int = 0,
    generator_cores: float = 0.3, late_ms: float = 0.0, requests: int = 1, accepted_ms: float | None = None,
) -> None:  # fmt: skip
    """Write what a trial leaves, the first `failed` requests of its main load failed; add its windows."""
    frames, start_ns = [pd.DataFrame(columns=list(SAMPLE_COLUMNS))], START_NS
    for load in loads:
        assert isinstance(load, Arrivals | Scheduled)
        due_s = np.array(times_of(load))
        latency_ns = ((latency or always(50.0))(due_s) * MS_NS).astype(np.int64)
        scheduled_ns = start_ns + (due_s * 1e9).astype(np.int64)
        sent = samples_of(scheduled_ns, latency_ns, users=0, requests=requests)
        if accepted_ms is not None:
            sent["first_ns"] = int(accepted_ms * MS_NS)
        sent["start_ns"] += int(late_ms * MS_NS)
        if isinstance(load, Scheduled):
            is_failed = np.arange(len(sent)) < failed
            sent = sent.assign(
                ok=np.where(is_failed, 0, 1),
                status=np.where(is_failed, 503, 200),
                error=np.where(is_failed, "status 503", ""),
            )
        frames.append(sent)
        end_ns = int((scheduled_ns + latency_ns).max()) + 1
        cell.windows.append(Window(0, start_ns, end_ns))
        start_ns = end_ns + SECOND_NS
    rows = pd.concat(frames[1:])
    rows.to_csv(run.file("samples", cell, ".csv"), index=False, columns=list(SAMPLE_COLUMNS))
    with run.resource_writer(cell) as writer:
        for t_ns in range(START_NS - SECOND_NS, start_ns, SECOND_NS // 10):
            for role, cores in (("scoring", 0.5), ("load", generator_cores)):
                writer.append(ResourceSample(t_ns, role, int((t_ns - START_NS + SECOND_NS) * cores), RSS_BYTES))


def recorded_run(
    results: Path, contenders: Sequence[Contender], shape: str, objectives: Sequence[str] = (),
    required: Sequence[str] = (), how: Mapping[str, Mapping[str, Any]] | None = None,
) -> Run:  # fmt: skip
    """Return a run with its summary; `how` holds the keywords of `write_trial` by contender."""
    assignment = assigned(contenders, shape, objectives, required)
    run = make_run(results, contenders, plan=assignment.recorded_plan)
    for contender in contenders:
        cell = TrialRecord(0, contender.label, seed=1)
        write_trial(run, cell, assignment.plan.loads, **(how or {}).get(contender.label, {}))
        run.append_cell(cell)
    run.write_json(SUMMARY, dict(summarise(run)[SUMMARY]))
    return run


def recorded(*given: Any, **more: Any) -> PromiseSummary:
    """Return the summary of a run; see `recorded_run`."""
    return PromiseSummary.model_validate(recorded_run(*given, **more).summary)
