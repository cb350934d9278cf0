"""Selftests as a load generator would have recorded them, with latencies that are known exactly."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark.contenders.absorber.law import NO_STALL, Stall, service_times_ms
from benchmark.contenders.absorber.serve import LAW, STALL
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.selftest import measure as selftest_measure
from benchmark.experiments.selftest.experiment import EXPERIMENT
from benchmark.experiments.selftest.plan import SelftestPlan, assign
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals, Level, LoadPlan
from benchmark.measure import levels
from benchmark.measure.trial import Trial
from benchmark.record.columns import ResourceSample
from benchmark.record.run import Run, TrialRecord, Window
from tests.unit.benchmark.fakes import fake_stack, make_progress
from tests.unit.benchmark.synthetic import MS_NS, RSS_BYTES, SECOND_NS, START_NS, samples_of

WHOLE = SelftestPlan(fastest_users=8, fastest_s=0.2, steps=(0.3, 0.6), step_s=0.5)


def nobody(_: str) -> None:
    """No part fails."""


@dataclass(frozen=True)
class Generator:
    """How good the generator is that these records are of."""

    added_ms: float = 0.2
    late_ms: float = 0.1
    sustains_rps: float = 500.0  # beyond which all arrivals are late
    forgets: float = 1.0  # share of the latency that it reports
    fails: Callable[[str], BaseException | None] = nobody  # by part


def record(
    results: Path,
    patch: pytest.MonkeyPatch,
    generator: Generator | None = None,
    plan: SelftestPlan = WHOLE,
    drawn: bool = False,
) -> Run:
    """Return a run whose trials are recorded by such a generator; its page is drawn only if that is asked for."""
    fake(patch, generator)
    undrawn = replace(EXPERIMENT, write_page=lambda run: run.path, headline=lambda _: None)
    return carry_out(EXPERIMENT if drawn else undrawn, assign(plan, free_ports=False), results, make_progress())


def fake(patch: pytest.MonkeyPatch, generator: Generator | None = None) -> None:
    """Let nothing be started, and every trial be recorded by such a generator."""
    used, stalls = generator or Generator(), {}

    def measure(trial: Trial, load: LoadPlan) -> None:
        error = used.fails(trial.cell.part)
        if error:
            raise error
        stalls[trial.cell.part] = _write(trial.session.run, trial.cell, load, trial.contender.process[0].env, used)

    def truth(trial: Trial) -> dict[str, Any]:
        stall = stalls[trial.cell.part] if trial.cell.part in stalls else _stall_in(trial.contender.process[0].env)
        ends = (None, None) if stall is NO_STALL else (int(stall.start), int(stall.end))
        return {"first_ns": START_NS, "stall_start_ns": ends[0], "stall_end_ns": ends[1], "requests": 1}

    fake_stack(patch, measure)

    def hold(*arguments: Any, **options: Any) -> TrialRecord:
        cell = levels.hold(*arguments, **options)
        if "on_event" in options:  # the stand-in has events of loads only
            patch_trial: Any = SimpleNamespace(session=arguments[0], cell=cell)
            selftest_measure._note_truth(patch_trial)
        return cell

    patch.setattr(selftest_measure, "hold", hold)
    patch.setattr(selftest_measure, "_ask", lambda *_: None)
    patch.setattr(selftest_measure, "_truth", truth)


def _write(run: Run, cell: TrialRecord, load: LoadPlan, env: Mapping[str, str], generator: Generator) -> Stall:
    stall = _stall_in(env)
    law = env.get(LAW, "constant 3")
    frames, begin_ns, end_ns = [], START_NS, START_NS
    for level in load.levels:
        frames.append(_closed(level, law, stall, generator))
        start_ns, end_ns = (
            START_NS + int(level.warmup_s * 1e9),
            START_NS + int((level.warmup_s + level.measure_s) * 1e9),
        )
        cell.windows.append(Window(level.users, start_ns, end_ns))
    for each in load.loads:
        assert isinstance(each, Arrivals)
        late_ms = 50.0 if each.rate_rps > generator.sustains_rps else generator.late_ms
        frames.append(_open(each, law, stall, replace(generator, late_ms=late_ms), begin_ns))
        end_ns = int(frames[-1]["scheduled_ns"].max()) + 3 * SECOND_NS
        cell.windows.append(Window(0, begin_ns + int(each.warmup_s * 1e9), end_ns))
        begin_ns = end_ns
    pd.concat(frames).to_csv(run.file("samples", cell, ".csv"), index=False)
    with run.resource_writer(cell) as writer:
        for t_ns in range(START_NS, end_ns + SECOND_NS, SECOND_NS // 10):
            for role in ("scoring", "load"):
                writer.append(ResourceSample(t_ns, role, int((t_ns - START_NS) * 0.3), RSS_BYTES))
    return stall


def _stall_in(env: Mapping[str, str]) -> Stall:
    """Return the stall that the settings of the absorber describe, if its first request comes at once."""
    after_s, stall_s = map(float, env.get(STALL, "0 0").split())
    return Stall(START_NS + after_s * 1e9, START_NS + (after_s + stall_s) * 1e9) if stall_s else NO_STALL


def _open(load: Arrivals, law: str, stall: Stall, generator: Generator, begin_ns: int) -> pd.DataFrame:
    due_ns = begin_ns + (np.array(times_of(load)) * 1e9).astype(np.int64)
    drawn = np.array(list(islice(service_times_ms(law, 1), len(due_ns))))
    took = [stall.latency(at, ms * MS_NS) for at, ms in zip(due_ns, drawn, strict=True)]
    sent = samples_of(due_ns, _reported_ns(np.array(took), generator), users=0, detail_s=np.nan)
    return sent.assign(
        start_ns=sent["start_ns"] + int(generator.late_ms * MS_NS), server_timing=_timing(drawn, np.array(took) / MS_NS)
    )


def _closed(level: Level, law: str, stall: Stall, generator: Generator) -> pd.DataFrame:
    """Return the requests of users who wait for their answer before they ask again."""
    drawn, frames = service_times_ms(law, 1), []
    until_ns = START_NS + (level.warmup_s + level.measure_s) * 1e9
    for user in range(level.users):
        at_ns, rows = float(START_NS + user * MS_NS), []
        while at_ns < until_ns:
            ms = next(drawn)
            took_ns = stall.latency(at_ns, ms * MS_NS)
            rows.append((int(at_ns), took_ns, ms))
            at_ns += took_ns + generator.added_ms * MS_NS
        starts, took, ms_each = map(np.array, zip(*rows, strict=True))
        sent = samples_of(starts, _reported_ns(took, generator), users=level.users, detail_s=np.nan)
        frames.append(sent.assign(server_timing=_timing(ms_each, took / MS_NS)))
    return pd.concat(frames)


def _reported_ns(took_ns: Any, generator: Generator) -> Any:
    return (np.asarray(took_ns) * generator.forgets + generator.added_ms * MS_NS).astype(np.int64)


def _timing(drawn_ms: Any, held_ms: Any) -> list[str]:
    return [f"drawn;dur={a:.4f}, held;dur={b:.4f}" for a, b in zip(drawn_ms, held_ms, strict=True)]


def only(part: str, error: BaseException) -> Callable[[str], BaseException | None]:
    """Return who fails: one part, with an error."""
    return lambda measured: error if measured == part else None
