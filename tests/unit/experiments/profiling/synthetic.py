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
from benchmark.experiments.profiling.libraries import Frame
from benchmark.experiments.profiling.plan import ProfilePlan, assign
from benchmark.experiments.profiling.stacks import Growth
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
