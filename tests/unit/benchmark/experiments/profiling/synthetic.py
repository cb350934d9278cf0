"""`profile` without processes: every call takes 50 ms, and every stack is httpx's."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmark.contenders.discovery import Contender
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.profiling import measure as module
from benchmark.experiments.profiling.calls import CallPlan, Calls
from benchmark.experiments.profiling.experiment import EXPERIMENT
from benchmark.experiments.profiling.libraries import FRAMEWORK, HTTP_CLIENT, Frame
from benchmark.experiments.profiling.plan import ProfilePlan, assign
from benchmark.experiments.profiling.stacks import Growth
from benchmark.experiments.profiling.summarise import RUNNING, WAITING_MODELS
from benchmark.measure.trial import Trial
from benchmark.record.run import Run
from tests.unit.benchmark.fakes import fake_stack, make_progress, measuring

CPU_MS = {"scoring": 80.0, "model": 30.0, "redis": 2.0, "client": 20.0}
STACK = (Frame("/site-packages/httpx/_client.py", "send"), Frame("/async/scoring.py", "predict"))


class Profiling:
    """`profile` on a stack that is none; remembers who was called, from which side and under what."""

    def __init__(self, results: Path, patch: pytest.MonkeyPatch) -> None:
        self.results, self.fake = results, fake_stack(patch, measuring(100))
        self.calls: list[tuple[str, str]] = []  # (contender, part), and the client's own profiler
        self.fails: dict[str, BaseException] = {}  # by contender, what its calls raise
        patch.setattr(module, "_run_calls", self._call)
        patch.setattr(Growth, "stacks_between", lambda *_: iter([STACK] * 55))

    def run(self, contenders: Sequence[Contender], **plan: Any) -> Run:
        assignment = assign(contenders, ProfilePlan(**plan), {})
        return carry_out(EXPERIMENT, assignment, self.results, make_progress())

    def _call(self, trial: Trial, plan: CallPlan, _: Path) -> bytes:
        label = trial.cell.contender
        self.calls.append((label, plan.profiler or trial.cell.part))
        if label in self.fails:
            raise self.fails[label]
        return json.dumps(asdict(Calls([50.0] * plan.requests, [], CPU_MS))).encode()


def entry(**changes: Any) -> dict[str, Any]:
    """Return a contender's entry of summary.json."""
    return {
        "title": "a contender",
        "valid": True,
        "reasons": [],
        "notes": [],
        "sampling_attempts": 1,
        "cpu_by_library": {"httpx": 6.0, "fastapi": 2.0},
        "cpu_by_kind": {HTTP_CLIENT: 6.0, FRAMEWORK: 2.0},
        "cpu_not_attributed": 0.5,
        "cpu_ms_counted": 8.5,
        "cpu_samples": 800,
        "wall_split_ms": {WAITING_MODELS: 46.0, RUNNING: 6.0},
        "profiler_cost": [],
        "profiles": [],
        **changes,
    }


EMPTY = entry(cpu_by_library={}, cpu_by_kind={}, cpu_not_attributed=None, cpu_ms_counted=None, wall_split_ms={})


def recorded_summary(entries: dict[str, dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return a summary with these entries, as far as answers and page read it."""
    return {
        "valid": True,
        "reasons": [],
        "complete": True,
        "started_utc": "2026-11-21T05:00:00Z",
        "users": 16,
        "contenders": entries,
        **changes,
    }
