"""A tiny run of a strategy against a real service: what was asked when, what the service said of it, and the page."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmark.experiments.experiment import carry_out
from benchmark.experiments.strategies import summarise as module
from benchmark.experiments.strategies.experiment import EXPERIMENT
from benchmark.experiments.strategies.figure_kinds import CORE_SHARE, FAILURES, MAKESPAN, MEMORY, said
from benchmark.experiments.strategies.law import Computation, Law, Seen, Strategy, exactly, from_floor
from benchmark.experiments.strategies.measure import STATISTICS
from benchmark.experiments.strategies.plan import StrategiesPlan, assign
from benchmark.experiments.strategies.schema import StrategiesSummary
from benchmark.load.arrivals import arrivals_until
from benchmark.load.plan import Arrivals, Level, Pause, Waves
from benchmark.measure.progress import Progress
from benchmark.record.run import read_samples

pytestmark = pytest.mark.integration

POOL = "thread-pool-shared"  # ten calls of 20 ms, all at once
ARRIVALS = Arrivals(10, measure_s=0.6, warmup_s=0.2, seed=2)
TINY = Strategy(
    title="Thread pools, a tiny run",
    trouble="One request needs many blocking calls.",
    claim="They can be made at once.",
    source="a test",
    use_when="tests run.",
    loads={"waves": Waves(2, 2), "level": Level(1, 0.1, 0.2), "random": ARRIVALS, "idle": Pause(0.3)},
    laws=(
        Law("20 calls on 40 threads take one round", POOL, "waves", MAKESPAN, **from_floor(20, 0, 10_000)),
        Law("none fails", POOL, "level", FAILURES, **exactly(0)),
        Law("none is lost", POOL, "random", FAILURES, **exactly(0)),
        Law("a computation is run", "python", "", said("pid"), **exactly(0)),
    ),
    seen=(Seen("CPU while idle", POOL, "idle", CORE_SHARE), Seen("memory", POOL, "idle", MEMORY)),
    computations={"python": Computation("json.tool")},  # which reads nothing, and fails
)


@pytest.fixture(autouse=True)
def not_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests use the machine meanwhile."""
    for bound in ("MAX_FOREIGN", "MAX_FOREIGN_IN_BLOCK", "MAX_STEAL", "MAX_STEAL_IN_BLOCK", "MAX_BUSY_BEFORE"):
        monkeypatch.setattr(f"benchmark.analysis.validity.{bound}", 1.0)


def test_a_tiny_run_leaves_a_record_a_summary_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "load_strategy", lambda name, scale: TINY)
    plan = StrategiesPlan({"tiny": TINY}, blocks=1, scale=1.0)
    run = carry_out(EXPERIMENT, assign(plan, free_ports=True), tmp_path, Progress(Console(quiet=True)))
    trials = {trial.contender: trial for trial in run.trials()}
    assert (trials[POOL].status, trials["python"].status) == ("measured", "failed")
    assert [window.users for window in trials[POOL].windows] == [2, 1, 0, 0]

    rows = run.lines(STATISTICS)
    assert [(row["load"], row["when"]) for row in rows] == [
        (name, when) for name in TINY.loads for when in ("before", "after")
    ]
    assert all(row["said"]["threads"] > 0 for row in rows)

    samples = read_samples(run.file("samples", trials[POOL], ".csv"))
    assert samples["ok"].all()
    random = trials[POOL].windows[2]
    due = [at_s for at_s in arrivals_until(10, 2, 0.8) if at_s >= ARRIVALS.warmup_s]
    assert samples["scheduled_ns"].between(random.start_ns, random.end_ns).sum() == len(due)

    strategy = StrategiesSummary.model_validate(run.summary).strategies["tiny"]
    makespan, level, lost, computed = strategy.laws
    assert makespan.value is not None
    assert makespan.value >= 20
    assert (level.value, lost.value, computed.held) == (0, 0, None)
    assert [reason.code for reason in computed.reasons] == ["load"]
    assert all(each.value is not None and each.value >= 0 for each in strategy.seen)
    assert TINY.trouble in (run.path / "report.html").read_text()
