"""What the trials of a selftest show, read from its record."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from benchmark.analysis.stats import percentile
from benchmark.analysis.validity import MAX_GENERATOR_CPU, most_late
from benchmark.contenders.absorber.law import NO_STALL, Stall
from benchmark.experiments.selftest.measure import OFFERED, TRUTH, fastest_rps
from benchmark.experiments.selftest.plan import ALONE, BIMODAL, CEILING, CLOSED, EXPONENTIAL, FASTEST, OPEN
from benchmark.experiments.selftest.schema import Dots, LawResult, Overhead, StallResult, Step
from benchmark.experiments.selftest.truth import drawn_ms, errors_of, held_ms, latencies, true_ms
from benchmark.measure.locust_process import late_arrivals
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import cpu_ns_between
from benchmark.record.run import Run, TrialRecord, Window, read_samples

_SERVICE: Final = "scoring"


class Observed(NamedTuple):
    """What there is; None or nothing where a trial is missing."""

    overhead: Overhead | None
    laws: tuple[LawResult, ...]
    stall: StallResult | None
    steps: tuple[Step, ...]
    ceiling_rps: float | None
    fastest_rps: float | None


class _Part(NamedTuple):
    """The answered requests of a trial's window, and the stall, on the monotonic clock."""

    window: Window
    samples: pd.DataFrame
    stall: Stall


def observe(run: Run) -> Observed:
    """Return what the trials show. Raises RecordError."""
    plan = run.manifest["plan"]
    trials = {each.part: each for each in run.trials() if each.status == "measured" and each.windows}
    steps = _steps(run, trials.get(CEILING))
    return Observed(
        overhead=_overhead(_closed(run, trials.get(ALONE))),
        laws=tuple(
            _law(part, str(plan["laws"][part]), seen)
            for part in (EXPONENTIAL, BIMODAL)
            if (seen := _open(run, trials.get(part)))
        ),
        stall=_stall(plan, _open(run, trials.get(OPEN)), _closed(run, trials.get(CLOSED))),
        steps=steps,
        ceiling_rps=_ceiling_rps(steps),
        fastest_rps=round(fastest_rps(run, trials[FASTEST]), 1) if FASTEST in trials else None,
    )


def stall_of(run: Run, part: str) -> Stall:
    """Return the stall of a trial, in ns on the monotonic clock, as the absorber says."""
    said = next((row for row in run.lines(TRUTH) if row["part"] == part), None)
    if said is None or said["stall_start_ns"] is None:
        return NO_STALL
    return Stall(float(said["stall_start_ns"]), float(said["stall_end_ns"]))


def _open(run: Run, trial: TrialRecord | None) -> _Part | None:
    """Return what was due in the window of an open loop, whenever it was answered."""
    return _part(run, trial, "scheduled_ns")


def _closed(run: Run, trial: TrialRecord | None) -> _Part | None:
    """Return what was answered in the window of a closed loop."""
    return _part(run, trial, "end_ns")


def _part(run: Run, trial: TrialRecord | None, by: str) -> _Part | None:
    if trial is None:
        return None
    window, samples = trial.windows[0], read_samples(run.file("samples", trial, ".csv"))
    inside = samples[samples[by].between(window.start_ns, window.end_ns, inclusive="left") & samples["ok"]]
    inside = inside[np.isfinite(drawn_ms(inside)) & np.isfinite(held_ms(inside))]
    return _Part(window, inside, stall_of(run, trial.part)) if len(inside) else None


def _overhead(seen: _Part | None) -> Overhead | None:
    if seen is None:
        return None
    held = held_ms(seen.samples)
    added = seen.samples["latency_ms"].to_numpy(dtype=float) - held
    return Overhead(
        requests=len(added),
        mean_ms=_fine(float(added.mean())),
        p50_ms=_share(added, 50),
        p99_ms=_share(added, 99),
        held_late_ms=_fine(float(np.median(held - drawn_ms(seen.samples)))),
    )


def _law(part: str, law: str, seen: _Part) -> LawResult:
    samples = seen.samples
    truth = latencies(true_ms(samples["scheduled_ns"], drawn_ms(samples), seen.stall))
    measured = latencies(samples["response_ms"])
    late_ms = _late_ms(samples)
    return LawResult(
        part=part,
        law=law,
        truth=truth,
        measured=measured,
        errors=errors_of(measured.three, truth.three),
        late_p50_ms=_share(late_ms, 50),
        late_p99_ms=_share(late_ms, 99),
        late_most_ms=_fine(float(late_ms.max())),
    )


def _stall(plan: Mapping[str, Any], seen: _Part | None, closed: _Part | None) -> StallResult | None:
    """Return what both loops say of the stall, beside what requests met that were due as the open loop's were."""
    if seen is None or seen.stall is NO_STALL:
        return None
    samples = seen.samples
    true = true_ms(samples["scheduled_ns"], drawn_ms(samples), seen.stall)
    truth, measured = latencies(true), latencies(samples["response_ms"])
    said = latencies(closed.samples["latency_ms"]) if closed else None
    return StallResult(
        rate_rps=plan["stall_rps"],
        service_ms=float(np.median(drawn_ms(samples))),
        start_s=_fine((seen.stall.start - seen.window.start_ns) / 1e9),
        seconds=_fine((seen.stall.end - seen.stall.start) / 1e9),
        truth=truth,
        open=measured,
        closed=said,
        errors=errors_of(measured.three, truth.three),
        closed_errors=errors_of(said.three, truth.three) if said else None,
        truth_dots=_dots(samples["scheduled_ns"], true, seen.window.start_ns),
        open_dots=_dots(samples["scheduled_ns"], samples["response_ms"], seen.window.start_ns),
        closed_dots=_closed_dots(closed, seen),
    )


def _closed_dots(closed: _Part | None, seen: _Part) -> Dots:
    """Return the requests of the closed loop, moved so that both stalls begin at the same moment of the picture."""
    if closed is None or closed.stall is NO_STALL:
        return Dots()
    begin_ns = closed.stall.start - (seen.stall.start - seen.window.start_ns)
    return _dots(closed.samples["start_ns"], closed.samples["latency_ms"], begin_ns)


def _dots(at_ns: ArrayLike, latency_ms: ArrayLike, begin_ns: float) -> Dots:
    at_s = (np.asarray(at_ns, dtype=float) - begin_ns) / 1e9
    order = np.argsort(at_s, kind="stable")
    values = np.asarray(latency_ms, dtype=float)
    return Dots(
        at_s=tuple(round(float(each), 3) for each in at_s[order]),
        latency_ms=tuple(_fine(float(each)) for each in values[order]),
    )


def _steps(run: Run, trial: TrialRecord | None) -> tuple[Step, ...]:
    offered = run.lines(OFFERED)
    if trial is None or not offered:
        return ()
    samples, resources = read_samples(run.file("samples", trial, ".csv")), run.cell_resources(trial)
    pairs = zip(offered[-1]["rates_rps"], trial.windows, strict=False)  # an interrupted trial has fewer windows
    return tuple(_step(float(rate_rps), window, samples, resources) for rate_rps, window in pairs)


def _step(rate_rps: float, window: Window, samples: pd.DataFrame, resources: pd.DataFrame) -> Step:
    due = samples[samples["scheduled_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
    late, generator = late_arrivals(due), _cores(resources, GENERATOR_ROLE, window)
    is_on_time = bool(len(due)) and late <= most_late(len(due)) and (generator or 0.0) <= MAX_GENERATOR_CPU
    return Step(
        rate_rps=rate_rps,
        requests=len(due),
        late=late,
        late_p99_ms=_share(_late_ms(due), 99),
        generator_cpu=generator,
        service_cpu=_cores(resources, _SERVICE, window),
        on_time=is_on_time and bool(due["ok"].all()),
    )


def _ceiling_rps(steps: Sequence[Step]) -> float | None:
    """Return the highest rate below which every rate was on time, and that was itself; None if there is none."""
    ceiling = None
    for step in sorted(steps, key=lambda each: each.rate_rps):
        if not step.on_time:
            break
        ceiling = step.rate_rps
    return ceiling


def _late_ms(samples: pd.DataFrame) -> Any:
    return (samples["start_ns"] - samples["scheduled_ns"]).to_numpy(dtype=float) / 1e6


def _cores(resources: pd.DataFrame, role: str, window: Window) -> float | None:
    own = resources[resources["role"] == role]
    if own.empty:
        return None
    return round(cpu_ns_between(own, window.start_ns, window.end_ns) / (window.end_ns - window.start_ns), 4)


def _share(values: ArrayLike, percent: float) -> float | None:
    found = percentile(values, percent)
    return None if found is None else _fine(found)


def _fine(value: float) -> float:
    return float(f"{value:.6g}")
