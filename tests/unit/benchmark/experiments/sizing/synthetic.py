"""Recorded runs to plan from, and predictions, with figures that are known exactly."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.contenders.discovery import Contender
from benchmark.experiments.sizing.capacity import Capacity, Configuration, as_row
from benchmark.experiments.sizing.choose import Price, hourly_cost, per_million, scoring_pods
from benchmark.experiments.sizing.outlook import Assumed
from benchmark.experiments.sizing.plan import SizingPlan, make_plan
from benchmark.experiments.sizing.source import Costs, Learnt, Source
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals, Load
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.run import Run, TrialRecord, Window
from tests.unit.benchmark.synthetic import MS_NS, RSS_BYTES, SECOND_NS, START_NS, make_contender, samples_of

HERE = ({"threads": 8, "workers": 1, "rps": 100.0}, {"threads": 32, "workers": 2, "rps": 200.0})
LEVELS = (
    Costs(1, 20.0, {"scoring": 3.0, "model": 1.0, "redis": 0.1, "load": 0.5}),
    Costs(64, 400.0, {"scoring": 2.0, "model": 0.5, "redis": 0.05, "load": 0.25}),
)


def learnt(contender: Contender) -> Learnt:
    return Learnt(contender, contender.title, 46.667, 50.0, LEVELS, {"scoring": 100.0, "model": 50.0})


def source(contenders: Sequence[Contender]) -> Source:
    return Source(Path("run"), "2026-11-28T00:00:00Z", 2, "a processor", tuple(map(learnt, contenders)), {})


def plan_of(contenders: Sequence[Contender], **changes: Any) -> SizingPlan:
    plan = make_plan(source(contenders), 200.0, ["p99<100ms"], Price(0.04), "", (), Assumed(), verify=True)
    return replace(plan, **{"window_s": 1.0, "samples": 1, "settle_s": 0.1, **changes})


def foretold(rate_rps: float = 200.0, rps: float = 300.0, deployment: str = "async") -> dict[str, Any]:
    """Return the prediction of one contender, whose pods carry so many requests per second."""
    configuration, capacity = Configuration(32, 1), Capacity(rps, rps / 0.9, "threads", 2.0)
    row = {
        "title": "a contender",
        "floor_ms": 46.667,
        "lone_ms": 50.0,
        "choices": [as_row(configuration, capacity)],
        "here": [{**each, "bound_rps": 2 * each["rps"], "binds": "threads", "cpu_ms": 2.0} for each in HERE],
    }
    if not rps:
        return row
    pods = scoring_pods(rate_rps, configuration, capacity, learnt(make_contender()))
    hourly = hourly_cost((pods, pods), Price(0.04))
    start = {"requests": 1000, "gave_up": 0, "last_missed_s": 5.0, "most_pods": 2, "pod_s": 100.0}
    return row | {
        "chosen": as_row(configuration, capacity),
        "scoring": {**asdict(pods), "most": pods.most},
        "models": {**asdict(pods), "most": pods.most},
        "hourly": hourly,
        "per_million": per_million(hourly, rate_rps),
        "deployment": deployment,
        "environment": {"SERVING_HTTP_CLIENT": "aiohttp", "SERVING_THREADS": "32", "SERVING_WORKERS": "1"},
        "starts": [{"least": 0, "missed": 120, **start}, {"least": 2, "missed": 0, **start}],
        "regions": {
            "names": ["first", "second"], "highest_rps": [200.0, 200.0], "lowest_rps": [20.0, 20.0],
            "day_cost": 5.0, "ready_cost": 9.0, "left": "first", "hour": 20.0, "stays_rps": 65.0, "takes_rps": 265.0,
            "way_misses": 0.0, "failing_requests": 3000, "failing_missed": 300, "failing_gave_up": 0,
            "failing_last_missed_s": 20.0, "failing_most_pods": 3, "failing_pod_s": 300.0,
        },
    }  # fmt: skip


def write_trial(run: Run, cell: TrialRecord, loads: Sequence[Load], limit_rps: float) -> None:
    """Write what a trial leaves whose answers are in time up to a rate, and late beyond."""
    frames, start_ns = [pd.DataFrame(columns=list(SAMPLE_COLUMNS))], START_NS
    for load in loads:
        assert isinstance(load, Arrivals)
        due_s = np.array(times_of(load))
        latency_ms = 50.0 if load.rate_rps <= limit_rps else 500.0
        scheduled_ns = start_ns + (due_s * 1e9).astype(np.int64)
        frames.append(samples_of(scheduled_ns, int(latency_ms * MS_NS), users=0))
        end_ns = start_ns + int((load.warmup_s + load.measure_s) * 1e9)
        cell.windows.append(Window(0, start_ns, end_ns))
        start_ns = end_ns + SECOND_NS
    rows = pd.concat(frames[1:])
    rows.to_csv(run.file("samples", cell, ".csv"), index=False, columns=list(SAMPLE_COLUMNS))
    with run.resource_writer(cell) as writer:
        for t_ns in range(START_NS - SECOND_NS, start_ns, SECOND_NS // 10):
            for role, cores in (("scoring", 0.5), ("load", 0.3)):
                writer.append(ResourceSample(t_ns, role, int((t_ns - START_NS + SECOND_NS) * cores), RSS_BYTES))


def write_summary(folder: Path, contenders: Mapping[str, Mapping[str, Any]], **changes: Any) -> Path:
    """Write a summary as `bench` does; return its folder."""
    entry = {
        "title": "a contender", "floor_ms": 46.667, "low_load": {"n": 100, "mean_ms": 50.0},
        "levels": [{"users": each.users, "rps": each.rps, "cpu_ms_per_request": dict(each.cpu_ms)} for each in LEVELS],
        "rss_mb": {"scoring": 100.0, "model": 50.0},
    }  # fmt: skip
    document = {
        "schema": 2, "command": "bench", "complete": True, "valid": True, "levels": [1, 64],
        "environment": {"machine": {"cores": 2, "cpu_model": "a processor"}},
        "contenders": {name: {**entry, **changed} for name, changed in contenders.items()}, **changes,
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.json").write_text(json.dumps(document))
    return folder
