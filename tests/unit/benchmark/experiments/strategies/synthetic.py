"""A strategy whose laws are known exactly, and runs of it as they would have been recorded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from benchmark.experiments.strategies import summarise as module
from benchmark.experiments.strategies.figure_kinds import FAILURES, MAKESPAN, MEDIAN, RATE, counted, said
from benchmark.experiments.strategies.law import (
    Chart,
    Computation,
    Gain,
    Kill,
    Law,
    Seen,
    Strategy,
    at_most,
    exactly,
    from_floor,
    within,
)
from benchmark.experiments.strategies.measure import STATISTICS
from benchmark.experiments.strategies.recorded import predictions
from benchmark.experiments.strategies.schema import LawResult, StrategiesSummary, StrategySummary
from benchmark.experiments.strategies.summarise import summarise
from benchmark.load.arrivals import arrivals_until
from benchmark.load.plan import Arrivals, Level, Load, Pause, Scheduled, Waves
from benchmark.record.columns import SAMPLE_COLUMNS, ResourceSample
from benchmark.record.resources import BUSY, HARNESS, IDLE, STEAL
from benchmark.record.run import SUMMARY, Run, TrialRecord, Window
from tests.unit.benchmark.synthetic import MS_NS, SECOND_NS, START_NS, make_contender, make_run, samples_of

LATENCY_MS: Final = {"one": 100.0, "two": 50.0}
TOTAL: Final = 12.0  # that the computation prints
CALLS: Final = 12.0  # of a contender within the waves
CORES: Final = {"scoring": 0.3, "redis": 0.1, "load": 0.2, BUSY: 0.7, IDLE: 1.3, STEAL: 0.0, HARNESS: 0.1}
ALL: Final = ("one", "two", "sum")
POOLS: Final = "pools"
FOUR: Final = "four at once"


def make_strategy(**changes: Any) -> Strategy:
    """Return a strategy of two contenders and a computation, under a load of each kind."""
    whole = Strategy(
        title="A pool of workers",
        trouble="One request needs many calls.",
        claim="A pool is twice as fast.",
        source="a talk",
        use_when="there are many calls.",
        loads={
            "one at once": Waves(1, 3),
            FOUR: Waves(4, 3),
            "random": Arrivals(20, 2.0, warmup_s=0.5, seed=3),
            "busy": Level(2, 0.1, 2.0),
            "idle": Pause(0.5),
            "not asked for": Waves(8, 3),
        },
        laws=(
            Law("four calls in a loop take 100 ms", "one", FOUR, MAKESPAN, **from_floor(100, 0.1), contrast=True),
            Law("four calls on two workers take 50 ms", "two", FOUR, MAKESPAN, **from_floor(50, 0.1)),
            Law("each call counts once", "two", FOUR, counted("calls", "calls"), **exactly(CALLS)),
            Law("a request takes 50 ms", "two", "random", MEDIAN, **within(50, 0.1)),
            Law("two users make 2 / 50 ms", "two", "busy", RATE, **within(40, 0.05)),
            Law("none fails", "two", "busy", FAILURES, **exactly(0)),
            Law("all are added up", "sum", "", said("total"), **exactly(TOTAL)),
            Law("the sum is quick", "sum", "", said("took_ms", "ms"), **at_most(10)),
        ),
        seen=(Seen("calls of the pool while idle", "two", "idle", counted("calls", "calls")),),
        gain=Gain("times as fast as a loop", MAKESPAN, FOUR, "two", "one"),
        charts=(Chart("A pool is faster", MAKESPAN, ("one", "two"), "requests", {"one at once": 1, FOUR: 4}),),
        kills={"random": Kill(2, 0.5)},
        computations={"sum": Computation("no.module", ("3",), timeout_s=5)},
    )  # fmt: skip
    return replace(whole, **changes)


def other_strategy() -> Strategy:
    """Return a strategy that measures a contender of the first one, too."""
    law = Law("one request takes 100 ms", "one", "one at once", MAKESPAN, **from_floor(100, 0.1))
    gain = Gain("times as fast as a loop", MAKESPAN, "one at once", "two", "one")
    return Strategy("A cache", "The same again.", "A hit is free.", "a post", "things repeat.", make_strategy().loads,
                    laws=(law,), gain=gain)  # fmt: skip


def write_trial(
    run: Run, cell: TrialRecord, loads: Iterable[Load], latency_ms: float, failed: int = 0,
    cores: Mapping[str, float] = CORES,
) -> None:  # fmt: skip
    """Write what a trial under these loads would have left, each answer of which took so long; add its windows."""
    frames, start_ns = [pd.DataFrame(columns=list(SAMPLE_COLUMNS))], START_NS
    for load in loads:
        sent, window = _under(load, start_ns, round(latency_ms * MS_NS))
        middle = len(sent) // 2
        is_failed = np.arange(len(sent)) - middle < failed
        is_failed &= np.arange(len(sent)) >= middle
        sent = sent.assign(
            ok=np.where(is_failed, 0, 1),
            status=np.where(is_failed, 500, 200),
            error=np.where(is_failed, "status 500", ""),
        )
        frames.append(sent)
        cell.windows.append(window)
        start_ns = window.end_ns + SECOND_NS
    whole = pd.concat([frame for frame in frames if len(frame)] or frames)
    whole.to_csv(run.file("samples", cell, ".csv"), index=False, columns=list(SAMPLE_COLUMNS))
    with run.resource_writer(cell) as writer:
        for t_ns in range(START_NS - SECOND_NS, start_ns, SECOND_NS // 10):
            for role, share in cores.items():
                writer.append(ResourceSample(t_ns, role, int((t_ns - START_NS + SECOND_NS) * share), 50_000_000))


def _under(load: Load, start_ns: int, latency_ns: int) -> tuple[pd.DataFrame, Window]:
    """Return the samples of a load whose window begins then, and the window."""
    match load:
        case Waves(size, count):
            due_ns = np.repeat(start_ns + np.arange(count) * latency_ns, size)
            return samples_of(due_ns, latency_ns, users=size), Window(size, start_ns, start_ns + count * latency_ns)
        case Arrivals(rate_rps, measure_s, warmup_s, seed):
            due_s = np.array(arrivals_until(rate_rps, seed, warmup_s + measure_s)) - warmup_s
            due_ns = start_ns + (due_s * 1e9).astype(np.int64)
            return samples_of(due_ns, latency_ns, users=0), Window(0, start_ns, int(due_ns[-1]) + latency_ns)
        case Level(users, _, measure_s):
            end_ns = start_ns + int(measure_s * 1e9)
            apart_ns = latency_ns // users
            first = [start_ns - latency_ns // 2 + user * apart_ns for user in range(users)]
            due_ns = np.sort(np.concatenate([np.arange(at_ns, end_ns + latency_ns, latency_ns) for at_ns in first]))
            return samples_of(due_ns, latency_ns, users=users), Window(users, start_ns, end_ns)
        case Pause(pause_s):
            return samples_of([], latency_ns), Window(0, start_ns, start_ns + int(pause_s * 1e9))
        case Scheduled():
            raise NotImplementedError("no strategy has such a load")


@dataclass
class Recorded:
    """A run of strategies that is being recorded."""

    run: Run
    strategies: Mapping[str, Strategy]
    names: list[str] = field(default_factory=list)

    def measure(
        self, contender: str, block: int = 0, strategy: str = POOLS, latency_ms: float | None = None, failed: int = 0,
        calls: float | None = CALLS, only: int | None = None, cores: Mapping[str, float] = CORES, **changes: Any,
    ) -> None:  # fmt: skip
        """Record a trial, with windows of its first loads `only`; `calls` is what its counter grows by in a window."""
        cell = TrialRecord(block, contender, seed=1, part=strategy, **changes)
        stated = self.strategies[strategy]
        names = stated.loads_of(contender)[:only]
        loads = [stated.loads[name] for name in names]
        write_trial(self.run, cell, loads, latency_ms or LATENCY_MS[contender], failed, cores)
        for name in names:
            said: list[dict[str, float]] = [{"calls": 5}, {"calls": 5 + calls}] if calls is not None else [{}, {}]
            for when, each in zip(("before", "after"), said, strict=True):
                self._say(block, strategy, contender, name, when, each)
        self.run.append_cell(cell)

    def compute(self, block: int = 0, **said: float) -> None:
        """Record a computation, and what it printed."""
        self._say(block, POOLS, "sum", "", "after", said or {"total": TOTAL, "took_ms": 2.0})
        self.run.append_cell(TrialRecord(block, "sum", seed=1, part=POOLS))

    def fail(self, subject: str, code: str, reason: str, block: int = 0) -> None:
        self.run.append_cell(TrialRecord(block, subject, seed=1, status="failed", code=code, reason=reason, part=POOLS))

    def whole(self, block: int = 0, without: Sequence[str] = ()) -> None:
        """Record a block in which every law holds."""
        for subject in ("one", "two"):
            if subject not in without:
                self.measure(subject, block)
        if "sum" not in without:
            self.compute(block)

    def summary(self) -> StrategiesSummary:
        """Summarise the run, and return what was written."""
        self.run.write_json(SUMMARY, dict(summarise(self.run)[SUMMARY]))
        return StrategiesSummary.model_validate(self.run.summary)

    def pools(self) -> StrategySummary:
        return self.summary().strategies[POOLS]

    def say_during(self, subject: str, load: str, t_ns: int, **said: float) -> None:
        """Record what a service said while its load was watched."""
        row = {"block": 0, "strategy": POOLS, "subject": subject, "load": load, "when": "during", "t_ns": t_ns}
        self.run.append_line(STATISTICS, {**row, "said": said})

    def _say(self, block: int, strategy: str, subject: str, load: str, when: str, said: Mapping[str, float]) -> None:
        row = {"block": block, "strategy": strategy, "subject": subject, "load": load, "when": when, "said": said}
        more = {"pss_mb": 60.0, "killed": 2} if when == "after" else {}
        self.run.append_line(STATISTICS, {**row, **more})


def begin(
    results: Path, patch: pytest.MonkeyPatch, blocks: int = 1, strategies: Mapping[str, Strategy] | None = None,
    **manifest: Any,
) -> Recorded:  # fmt: skip
    """Return a run of which nothing has been measured yet."""
    known = strategies or {POOLS: make_strategy()}
    patch.setattr(module, "load_strategy", lambda name, scale: known[name])
    changes: dict[str, Any] = {
        "command": "strategies",
        "command_line": "python -m benchmark strategies",
        "plan": {"strategies": list(known), "blocks": blocks, "scale": 1.0},
        "laws": {name: predictions(strategy) for name, strategy in known.items()},
        **manifest,
    }
    return Recorded(make_run(results, [make_contender("one"), make_contender("two")], blocks, **changes), known)


def law_of(strategy: StrategySummary, says: str) -> LawResult:
    """Return the law that says this."""
    (found,) = [law for law in strategy.laws if law.says == says]
    return found
