"""Timeit runs as they would have been recorded, with times that are known."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.contenders.discovery import Contender, Process
from benchmark.experiments.timeit.repeats import RepeatsFile, read_repeats
from benchmark.experiments.timeit.summarise import summarise
from benchmark.record.run import Run, TrialRecord

CALLS = (1, 10, 20, 30)
FLOORS_MS = {"one": 90.0, "two": 45.0, "three": 45.0}
MS_PER_CALL = {"one": 100.0, "two": 50.0, "three": 50.0}


def make_contender(name: str, floor: str = "max") -> Contender:
    return Contender.model_validate(
        {
            "name": name,
            "label": name,
            "title": f"contender {name}",
            "floor": floor,
            "endpoint": "/predict",
            "process": (Process(role="scoring", module="nothing", port=1),),
            "folder": Path("/"),
        }
    )


def make_manifest(names: list[str], repeats: int, calls: tuple[int, ...] = CALLS, **changes: Any) -> dict[str, Any]:
    return {
        "started_utc": "2026-11-21T05:00:00Z",
        "command_line": "python -m benchmark timeit",
        "seed": 1,
        "plan": {"calls": list(calls), "repeats": repeats, "seed": 1, "scale": 1.0},
        "contenders": {name: make_contender(name).model_dump(mode="json", exclude={"folder"}) for name in names},
        "settings": {"services": {}, "defaults": {}},
        "busy_before_start": 0.02,
        "environment": {"machine": {"cores": 2}, "python": "3.11.0", "packages": {"a": "1"}, "git": {}},
        **changes,
    }


Recorder = Callable[..., Run]


def recorder(folder_of_runs: Path) -> Recorder:
    """Return a function that records a run; `noise` is the share by which a whole repeat is slower or faster."""

    def record(
        ms_per_call: Mapping[str, float] = MS_PER_CALL,
        repeats: int = 10,
        noise: float = 0.004,
        seed: int = 1,
        folder: str = "run",
        **changes: Any,
    ) -> Run:
        manifest = make_manifest(list(ms_per_call), repeats, **changes)
        run = Run.create(folder_of_runs / folder, "timeit", manifest)
        draw = np.random.default_rng(seed)
        file = RepeatsFile(run.path)
        for repeat in range(repeats):
            for name, ms in ms_per_call.items():
                mean_s = ms / 1e3 * (1 + noise * draw.standard_normal())
                for n in CALLS:
                    file.append(repeat, n, name, n * mean_s + 2e-4 * float(np.sqrt(n)) * draw.standard_normal())
                run.append_cell(TrialRecord(repeat, name, seed=repeat))
        return run

    return record


def summary_of(run: Run, floors_ms: dict[str, float] | None = None) -> dict[str, Any]:
    contenders = [make_contender(name) for name in run.manifest["contenders"]]
    return summarise(run.manifest, run.cells(), read_repeats(run.path), contenders, floors_ms or FLOORS_MS)


def summarised(run: Run) -> Path:
    """Write the summary of a run and return its directory."""
    run.write_json("summary.json", summary_of(run))
    return run.path
