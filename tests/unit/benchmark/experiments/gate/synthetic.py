"""Runs of `gate` without processes, with latencies and CPU times that are known exactly."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmark.experiments import experiment
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.gate.experiment import EXPERIMENT
from benchmark.experiments.gate.plan import BASE, HEAD, GatePlan, assign
from benchmark.experiments.gate.schema import GateSummary
from benchmark.load.plan import LoadPlan
from benchmark.measure.trial import Trial
from benchmark.record import provenance
from benchmark.record.resources import BUSY, IDLE, STEAL
from benchmark.record.run import Run
from tests.unit.benchmark.fakes import Measure, fake_stack, make_progress
from tests.unit.benchmark.synthetic import CPU, Held, make_contender, write_files

NOISE = (0.0, 0.004, -0.003, 0.002, -0.004, 0.001)  # of one side, pair by pair


def sides(
    latency_ms: Mapping[str, float],
    cores: Mapping[str, float] | None = None,
    disturbed: Collection[int] = (),
    **held: Any,
) -> Measure:
    """Return a way to measure which records these latencies, with some noise, and CPU of the scoring handler.

    In the blocks that are `disturbed`, other programs use a quarter of a machine of two cores.
    """

    def measure(trial: Trial, load: LoadPlan) -> None:
        side, block = trial.cell.contender, trial.cell.block
        slower = 1 + (NOISE[block % len(NOISE)] if side == HEAD else 0)
        cpu = {**CPU, "scoring": (cores or {}).get(side, 0.3)}
        busy = sum(cpu.values()) + (0.5 if block in disturbed else 0.0)
        cpu |= {BUSY: busy, IDLE: 2 - busy, STEAL: 0.0}
        levels = [Held(level.users, latency_ms[side] * slower, cpu=cpu, **held) for level in load.levels]
        write_files(trial.session.run, trial.cell, *levels)

    return measure


def record(
    results: Path, patch: pytest.MonkeyPatch, measure: Measure, allowed: Mapping[str, float],
    pairs: int = 6, step_s: float = 1.0, budget_s: float = 3600.0,
) -> Run:  # fmt: skip
    """Carry a gate out, without its page; its clock goes on by so much whenever it is read."""
    fake_stack(patch, measure)
    make_light(patch)
    patch.setattr("benchmark.experiments.gate.measure.now_s", ticking(step_s))
    plan = GatePlan(allowed, budget_s, window_s=0.5, max_pairs=pairs)
    rows = {side: make_contender(side, floor="none") for side in (BASE, HEAD)}
    revisions = {BASE: "ab" * 20, HEAD: "as it is"}
    return carry_out(EXPERIMENT, assign(rows, plan, revisions, free_ports=False), results, make_progress())


def make_light(patch: pytest.MonkeyPatch) -> None:
    """Leave out what takes time and is tested elsewhere: the page, and the list of all packages."""
    patch.setattr(experiment, "report", experiment.write_summary)
    patch.setattr(provenance, "environment", lambda: {"machine": {"cores": 2}, "python": "3.11.0"})


def ticking(step_s: float) -> Callable[[], float]:
    t_s = 0.0

    def now_s() -> float:
        nonlocal t_s
        t_s += step_s
        return t_s

    return now_s


def summary_of(run: Run) -> GateSummary:
    return GateSummary.model_validate(run.summary)


def by_name(summary: GateSummary) -> Mapping[str, Any]:
    return {each.name: each for each in summary.figures}


def order_of(run: Run) -> Sequence[str]:
    return [trial.contender for trial in run.trials()]
