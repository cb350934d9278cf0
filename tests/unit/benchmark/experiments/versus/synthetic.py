"""Runs of `versus` as load generators would have recorded them, with latencies that are known exactly."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.contenders.discovery import ROOT, Contender
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.versus.plan import Size, VersusPlan, assign, make_plan
from benchmark.experiments.versus.schema import VersusSummary
from benchmark.experiments.versus.sides import Side, Where
from benchmark.experiments.versus.summarise import summarise
from benchmark.load.plan import Load, Pause, Scheduled, Waves
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.resources import BUSY, IDLE, STEAL
from benchmark.record.run import SUMMARY, Run, TrialRecord, Window
from tests.unit.benchmark.synthetic import MS_NS, RSS_BYTES, SECOND_NS, START_NS, make_run, samples_of

SMALL = Size(blocks=3, one_user_s=0.5, open_s=1.0)
Latency = Callable[[int, np.ndarray], np.ndarray]  # ms by block and the second at which a request is due


def always(latency_ms: float) -> Latency:
    return lambda _, due_s: np.full(due_s.shape, latency_ms)


def url_side(label: str, where: Where = "this machine") -> Side:
    contender = Contender(
        name=label.lower(), label=label, title=f"http://{label}", floor="none", endpoint="/", url=f"http://{label}",
        folder=ROOT,
    )  # fmt: skip
    return Side(contender, where)


def assigned(sides: Sequence[Side], size: Size = SMALL, **options: Any) -> Assignment[VersusPlan]:
    latency_ms = {side.label: 50.0 for side in sides}
    plan = make_plan(size, latency_ms, 20.0, None, is_polite=False, **options)
    return assign(sides, plan, latency_ms, free_ports=False)


def write_trial(
    run: Run, cell: TrialRecord, loads: Sequence[Load], latency: Latency | None = None, failed: int = 0,
    foreign_cores: float = 0.0, own_cores: float = 0.5,
) -> None:  # fmt: skip
    """Write what a trial leaves, the first `failed` requests of its open loop failed; add its windows."""
    latency, frames, start_ns = latency or always(50.0), [], START_NS
    for load in loads:
        if isinstance(load, Pause):
            cell.windows.append(Window(0, start_ns, start_ns + 1))
            start_ns += SECOND_NS
            continue
        assert isinstance(load, Waves | Scheduled)
        due_s = np.arange(load.count) * 0.5 if isinstance(load, Waves) else np.array(load.at_s)
        latency_ns = (latency(cell.block, due_s) * MS_NS).astype(np.int64)
        scheduled_ns = start_ns + (due_s * 1e9).astype(np.int64)
        users = 1 if isinstance(load, Waves) else 0
        sent = samples_of(scheduled_ns, latency_ns, users=users)
        if not users:
            is_failed = np.arange(len(sent)) < failed
            sent = sent.assign(ok=np.where(is_failed, 0, 1), error=np.where(is_failed, "status 503", ""))
        frames.append(sent)
        end_ns = int((scheduled_ns + latency_ns).max()) + 1
        cell.windows.append(Window(users, start_ns, end_ns))
        start_ns = end_ns + SECOND_NS
    pd.concat(frames).to_csv(run.file("samples", cell, ".csv"), index=False, columns=list(SAMPLE_COLUMNS))
    with run.resource_writer(cell) as writer:
        cores = {"scoring": own_cores, "load": 0.3, BUSY: own_cores + 0.3 + foreign_cores, IDLE: 1.2, STEAL: 0.0}
        for t_ns in range(START_NS - SECOND_NS, start_ns, SECOND_NS // 10):
            for role, used in cores.items():
                if used or role == STEAL:
                    writer.append(ResourceSample(t_ns, role, int((t_ns - START_NS + SECOND_NS) * used), RSS_BYTES))


def recorded(
    results: Path, sides: Sequence[Side], how: Mapping[str, Mapping[str, Any]] | None = None, size: Size = SMALL,
    **options: Any,
) -> VersusSummary:  # fmt: skip
    """Return the summary of a run; `how` holds the keywords of `write_trial` by label."""
    assignment = assigned(sides, size, **options)
    run = make_run(results, assignment.contenders, plan=assignment.recorded_plan, interrupted=False)
    plan = assignment.plan
    for block in range(plan.blocks):
        for side in sides:
            cell = TrialRecord(block, side.label, seed=1)
            first: Load = Pause(0.0) if plan.duet else plan.one_user
            own: dict[str, Any] = {"own_cores": 0.0} if side.contender.runs_elsewhere else {}
            write_trial(run, cell, (first, plan.arrivals(block)), **own, **(how or {}).get(side.label, {}))
            run.append_cell(cell)
    return VersusSummary.model_validate(summarise(run)[SUMMARY])
