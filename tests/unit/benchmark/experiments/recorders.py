"""A way to record a small run of every experiment without processes: whole, interrupted, or with one who fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from benchmark.contenders.discovery import choose, discover
from benchmark.errors import LoadError
from benchmark.experiments.bench import experiment as bench
from benchmark.experiments.bench import plan as bench_plan
from benchmark.experiments.breaking_point import experiment as locust
from benchmark.experiments.breaking_point import measure as locust_measure
from benchmark.experiments.breaking_point import plan as locust_plan
from benchmark.experiments.breaking_point.summarise import OPEN_LOOP
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.gap.plan import Phase
from benchmark.experiments.gate import experiment as gate
from benchmark.experiments.gate import plan as gate_plan
from benchmark.experiments.promise import experiment as promise
from benchmark.experiments.selftest import plan as selftest_plan
from benchmark.experiments.sizing import experiment as sizing
from benchmark.experiments.sizing import measure as sizing_measure
from benchmark.experiments.sizing import plan as sizing_plan
from benchmark.experiments.strategies import experiment as strategies
from benchmark.experiments.strategies import measure as strategies_measure
from benchmark.experiments.strategies import plan as strategies_plan
from benchmark.experiments.strategies import summarise as strategies_summarise
from benchmark.experiments.timeit import experiment as timeit
from benchmark.experiments.timeit import measure as timeit_measure
from benchmark.experiments.timeit import plan as timeit_plan
from benchmark.experiments.versus import experiment as versus
from benchmark.experiments.versus.sides import Side
from benchmark.load.arrivals import arrivals_until
from benchmark.load.plan import Level, LoadPlan
from benchmark.load.shapes import EXAMPLES
from benchmark.measure.locust_process import Issued
from benchmark.measure.trial import Trial
from benchmark.record.run import Run, TrialRecord, read_samples
from tests.unit.benchmark.experiments.capacity import synthetic as capacity
from tests.unit.benchmark.experiments.gap.conftest import Explain, levels, stopping
from tests.unit.benchmark.experiments.gap.conftest import measure_well as measure_factors
from tests.unit.benchmark.experiments.profiling.synthetic import Profiling
from tests.unit.benchmark.experiments.promise.synthetic import assigned
from tests.unit.benchmark.experiments.promise.synthetic import write_trial as write_promise
from tests.unit.benchmark.experiments.selftest import synthetic as selftest
from tests.unit.benchmark.experiments.sizing.synthetic import foretold, plan_of
from tests.unit.benchmark.experiments.sizing.synthetic import write_trial as write_plan
from tests.unit.benchmark.experiments.strategies.synthetic import LATENCY_MS, POOLS, make_strategy, write_trial
from tests.unit.benchmark.experiments.under_fire import synthetic as under_fire
from tests.unit.benchmark.experiments.versus.synthetic import assigned as assigned_versus
from tests.unit.benchmark.experiments.versus.synthetic import write_trial as write_versus
from tests.unit.benchmark.fakes import failing, fake_stack, make_progress, measure_well
from tests.unit.benchmark.synthetic import make_contender, samples_of

Kind = Literal["whole", "interrupted", "failed"]
KINDS: tuple[Kind, ...] = ("whole", "interrupted", "failed")
ERRORS: dict[Kind, BaseException] = {"interrupted": KeyboardInterrupt(), "failed": LoadError("no answer came")}
ONE, TWO = make_contender("one"), make_contender("two")
START_NS = 10**12
LIMIT_RPS = 120.0  # that a contender of `locust` sustains


@dataclass(frozen=True)
class Recorder:
    """How a run is recorded into a folder, and who fails in it."""

    record: Callable[[Path, pytest.MonkeyPatch, Kind], Run]
    fails: str


def record_bench(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    fake_stack(patch, failing("two", ERRORS[kind], block=1) if kind in ERRORS else measure_well)
    plan = bench_plan.BenchPlan(blocks=2, levels=(Level(1, 0.1, 0.2), Level(4, 0.1, 0.2)))
    return carry_out(bench.EXPERIMENT, bench_plan.assign([ONE, TWO], plan, {}), results, make_progress())


def record_timeit(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    def seconds(ready: Any, n: int) -> float:
        cell: TrialRecord = ready.trial.cell
        if kind in ERRORS and (cell.contender, cell.block) == ("two", 2):
            raise ERRORS[kind]
        return n * (0.05 + 0.001 * cell.block)

    fake_stack(patch)
    patch.setattr(timeit_measure, "_time", seconds)
    assignment = timeit_plan.assign([ONE, TWO], timeit_plan.make_plan(1, 10, 3, repeat=3, seed=1), {})
    return carry_out(timeit.EXPERIMENT, assignment, results, make_progress())


def record_profile(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    profiling = Profiling(results, patch)
    profiling.fails = {"async": ERRORS[kind]} if kind in ERRORS else {}
    return profiling.run(choose(["sync", "async"], discover()), requests=10)


def record_locust(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    def issue(trial: Trial, env: Mapping[str, str], _: Any, seconds: float, *__: Any) -> Issued:
        if kind in ERRORS and (trial.cell.contender, trial.cell.part) == ("two", "load-test"):
            raise ERRORS[kind]
        latency_ms = 50
        if "OPEN_RPS" in env:
            latency_ms = 50 if float(env["OPEN_RPS"]) <= LIMIT_RPS else 500
            due_s = np.array(arrivals_until(float(env["OPEN_RPS"]), int(env["SEED"]), seconds))
        else:
            due_s = np.arange(0, seconds, float(env["PACING_S"]) / float(env["USERS"]))
        path = trial.session.run.file("samples", trial.cell, ".csv")
        samples_of(START_NS + (due_s * 1e9).astype(np.int64), latency_ms * 1_000_000).to_csv(path, index=False)
        return Issued(read_samples(path), START_NS, generator_cpu=0.1, seconds=seconds, law=trial.law)

    fake_stack(patch)
    patch.setattr(locust_measure, "issue", issue)
    plan = locust_plan.BreakingPointPlan((*EXAMPLES, OPEN_LOOP), scale=0.01)
    return carry_out(locust.EXPERIMENT, locust_plan.assign([ONE, TWO], plan, {}), results, make_progress())


def record_explain(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    measure = stopping("cell-runtime", ERRORS[kind], block=1) if kind in ERRORS else measure_factors
    small: dict[str, Any] = {"cell": Phase(2, levels(1, 8)), "clock": None, "cpu_ms": (2,), "what_ifs": 1}
    return Explain(results, patch).run(measure, factors=("runtime", "fan_out"), **small)


def record_strategies(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    stated = {POOLS: make_strategy()}

    def measure(trial: Trial, plan: LoadPlan) -> None:
        if kind in ERRORS and (trial.cell.contender, trial.cell.block) == ("two", 1):
            raise ERRORS[kind]
        write_trial(trial.session.run, trial.cell, plan.loads, LATENCY_MS[trial.cell.contender])

    said = iter(range(0, 10_000, 12))
    fake_stack(patch, measure)
    patch.setattr(strategies_measure, "_statistics", lambda _: {"calls": next(said)})
    patch.setattr(strategies_measure, "_run", lambda *_: {"total": 12.0, "took_ms": 2.0})
    patch.setattr(strategies_plan, "discover", lambda: {"one": ONE, "two": TWO})
    patch.setattr(strategies_summarise, "load_strategy", lambda name, scale: stated[name])
    plan = strategies_plan.StrategiesPlan(stated, blocks=2, scale=1.0)
    return carry_out(strategies.EXPERIMENT, strategies_plan.assign(plan), results, make_progress())


def record_promise(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    def measure(trial: Trial, plan: LoadPlan) -> None:
        if kind in ERRORS and trial.cell.contender == "two":
            raise ERRORS[kind]
        write_promise(trial.session.run, trial.cell, plan.loads)

    fake_stack(patch, measure)
    return carry_out(promise.EXPERIMENT, assigned([ONE, TWO], "60 for 4s"), results, make_progress())


def record_selftest(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    fails = selftest.only(selftest_plan.FASTEST, ERRORS[kind]) if kind in ERRORS else selftest.nobody
    return selftest.record(results, patch, selftest.Generator(fails=fails), selftest_plan.QUICK, drawn=True)


def record_capacity(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    error = ("two", "try-2", ERRORS[kind]) if kind in ERRORS else None
    services = {"one": capacity.knee(130.0), "two": capacity.knee(90.0)}
    plan = replace(capacity.short_plan(blocks=1), coarse_steps=(1.5,))
    return capacity.recorded(results, patch, services, [ONE, TWO], plan, error)


def record_under_fire(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    error = (("other", "two"), ERRORS[kind]) if kind in ERRORS else None
    return under_fire.record(results, patch, [ONE, TWO], error=error, drawn=True)


def record_versus(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    def measure(trial: Trial, plan: LoadPlan) -> None:
        if kind in ERRORS and (trial.cell.contender, trial.cell.block) == ("two", 1):
            raise ERRORS[kind]
        write_versus(trial.session.run, trial.cell, plan.loads)

    fake_stack(patch, measure)
    sides = [Side(each, "started here") for each in (ONE, TWO)]
    return carry_out(versus.EXPERIMENT, assigned_versus(sides), results, make_progress())


def record_gate(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    fake_stack(patch, failing("head", ERRORS[kind], block=1) if kind in ERRORS else measure_well)
    plan = gate_plan.GatePlan({"mean_ms": 0.02, "cpu_ms": 0.05}, budget_s=3600, window_s=0.5, max_pairs=2)
    sides = {gate_plan.BASE: ONE, gate_plan.HEAD: TWO}
    revisions = {gate_plan.BASE: "0" * 40, gate_plan.HEAD: "as it is"}
    return carry_out(gate.EXPERIMENT, gate_plan.assign(sides, plan, revisions, False), results, make_progress())


def record_plan(results: Path, patch: pytest.MonkeyPatch, kind: Kind) -> Run:
    def measure(trial: Trial, plan: LoadPlan) -> None:
        if kind in ERRORS and trial.cell.contender == "two":
            raise ERRORS[kind]
        write_plan(trial.session.run, trial.cell, plan.loads, limit_rps=105.0)

    fake_stack(patch, measure)
    patch.setattr(sizing_plan, "network_settings", lambda _: {"threads": 64})
    patch.setattr(
        sizing_measure, "foretell", lambda *_: {"contenders": {"one": foretold(), "two": foretold()}, "refused": {}}
    )
    return carry_out(sizing.EXPERIMENT, sizing_plan.assign(plan_of([ONE, TWO]), False), results, make_progress())


RECORDERS: dict[str, Recorder] = {
    "bench": Recorder(record_bench, "two"),
    "timeit": Recorder(record_timeit, "two"),
    "profile": Recorder(record_profile, "async"),
    "locust": Recorder(record_locust, "two"),
    "explain": Recorder(record_explain, "cell-runtime"),
    "promise": Recorder(record_promise, "two"),
    "selftest": Recorder(record_selftest, "null"),
    "capacity": Recorder(record_capacity, "two"),
    "plan": Recorder(record_plan, "two"),
    "strategies": Recorder(record_strategies, "two"),
    "under-fire": Recorder(record_under_fire, "two"),
    "versus": Recorder(record_versus, "two"),
    "gate": Recorder(record_gate, "head"),
}
