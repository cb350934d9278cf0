"""Runs as a load generator would have recorded them, with figures that are known exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.contenders.discovery import Contender, Process
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.run import Run, TrialRecord, Window

SECOND_NS = 10**9
MS_NS = 10**6
DETAIL_S = 0.045
START_NS = 1_000 * SECOND_NS
CPU = {"scoring": 0.3, "model": 0.1, "redis": 0.02, "load": 0.2}  # cores
RSS_BYTES = 50_000_000


@dataclass(frozen=True)
class Held:
    """A level as one block saw it: every answer takes as long, and every user asks again at once."""

    users: int
    latency_ms: float
    seconds: float = 2.0
    errors: int = 0
    cpu: Mapping[str, float] = field(default_factory=lambda: dict(CPU))


def make_contender(name: str = "a", label: str = "", floor: str = "max", harness_floor: bool = False) -> Contender:
    return Contender.model_validate(
        {
            "name": name,
            "label": label or name,
            "title": f"contender {name}",
            "floor": floor,
            "endpoint": "/predict",
            "harness_floor": harness_floor,
            "process": (Process(role="scoring", module="nothing", port=1),),
            "folder": Path("/"),
        }
    )


def make_run(results: Path, contenders: Sequence[Contender], blocks: int = 1, **changes: Any) -> Run:
    """Return a run directory of which nothing has been measured yet."""
    manifest: dict[str, Any] = {
        "started_utc": "2026-11-21T05:00:00Z",
        "command_line": "python -m benchmark bench",
        "seed": 1,
        "plan": {"blocks": blocks, "levels": [], "climb": []},
        "order": [[contender.label for contender in contenders]] * blocks,
        "contenders": {c.label: c.model_dump(mode="json", exclude={"folder"}) for c in contenders},
        "settings": {"services": {}, "defaults": {}},
        "busy_before_start": 0.02,
        "environment": {"machine": {"cores": 2}, "python": "3.11.0", "packages": {}, "git": {}},
    }
    return Run.create(results, "bench", {**manifest, **changes})


def record(run: Run, block: int, label: str, *held: Held, resources: bool = True, **changes: Any) -> TrialRecord:
    """Add a cell to a run, with the files that its measuring would have left."""
    cell = TrialRecord(block, label, seed=1000 + block, **changes)
    write_files(run, cell, *held, resources=resources)
    run.append_cell(cell)
    return cell


def write_files(run: Run, cell: TrialRecord, *held: Held, resources: bool = True) -> None:
    """Write a cell's samples and resources; its windows follow each other with a second in between."""
    frames = [pd.DataFrame(columns=list(SAMPLE_COLUMNS))]
    start_ns = START_NS
    for level in held:
        window = Window(level.users, start_ns, start_ns + int(level.seconds * SECOND_NS))
        cell.windows.append(window)
        frames += [_answers(level, window), _failures(level, window)]
        start_ns = window.end_ns + SECOND_NS
    rows = pd.concat([frame for frame in frames if len(frame)] or frames)
    rows.to_csv(run.file("samples", cell, ".csv"), index=False, columns=list(SAMPLE_COLUMNS))
    if resources:
        _write_resources(run, cell, held)


def _answers(level: Held, window: Window) -> pd.DataFrame:
    """Return each user's requests, one after the other, from before the window until after it."""
    latency_ns = round(level.latency_ms * MS_NS)
    starts = []
    for user in range(level.users):
        first_ns = window.start_ns - latency_ns // 2 - user * latency_ns // level.users
        starts.append(np.arange(first_ns, window.end_ns + latency_ns, latency_ns))
    return samples_of(np.sort(np.concatenate(starts)), latency_ns, users=level.users)


def _failures(level: Held, window: Window) -> pd.DataFrame:
    middle_ns = (window.start_ns + window.end_ns) // 2
    starts = np.full(level.errors, middle_ns)
    return samples_of(starts, MS_NS, users=level.users, status=500, ok=0, detail_s=np.nan, error="status 500")


def samples_of(start_ns: Any, latency_ns: Any, **columns: Any) -> pd.DataFrame:
    """Return samples with the columns of a file of samples; checked answers, unless said otherwise."""
    start_ns = np.asarray(start_ns)
    values = {
        "users": 1,
        "scheduled_ns": start_ns,
        "start_ns": start_ns,
        "latency_ns": latency_ns,
        "status": 200,
        "bytes": 20,
        "ok": 1,
        "detail_s": DETAIL_S,
        "server_timing": "",
        "error": "",
        "requests": 1,
        "items": 1,
        "first_ns": latency_ns,
        **columns,
    }
    return pd.DataFrame(values, index=range(len(start_ns)))


def _write_resources(run: Run, cell: TrialRecord, held: Sequence[Held]) -> None:
    """Write CPU time that grows evenly within each window, sampled from before it until after it."""
    cpu_ns = {role: 0.0 for level in held for role in level.cpu}
    with run.resource_writer(cell) as writer:
        for level, window in zip(held, cell.windows, strict=True):
            step_ns = SECOND_NS // 10
            for t_ns in range(window.start_ns - step_ns // 2, window.end_ns + step_ns, step_ns):
                for role, share in level.cpu.items():
                    cpu_ns[role] += share * step_ns
                    writer.append(ResourceSample(t_ns, role, int(cpu_ns[role]), RSS_BYTES))
