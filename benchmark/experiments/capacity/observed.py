"""The samples of a try -> how many requests missed each objective, and whether the generator kept up."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.analysis.promises import Verdict, good_requests, judge_promise
from benchmark.analysis.validity import MAX_GENERATOR_CPU, most_late
from benchmark.experiments.capacity.curve import Count
from benchmark.experiments.capacity.search import Kind, Offer, Tried
from benchmark.load.arrivals import times_of
from benchmark.load.objectives import Objective
from benchmark.load.plan import Arrivals, Bound
from benchmark.measure.levels import share_of
from benchmark.measure.locust_process import late_arrivals
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import cpu_ns_between
from benchmark.record.run import Run, TrialRecord, Window, read_samples, samples_suffix

TRIES: Final = "tries.jsonl"  # what was offered, a line each, in order
_FAR: Final = 10.0  # times the share that may miss: a try beyond it says no more by how far
_NS: Final = 1e9
_EDGE: Final = 0.01  # of the requests of several generators may lie outside of the window
_ROUNDING: Final = 1e-9
Floats = NDArray[np.float64]


def read_try(
    run: Run, cell: TrialRecord, offer: Offer, load: Arrivals, objectives: Sequence[Objective], generators: int = 1
) -> Tried:
    """Return what the record says of a try. Raises RecordError."""
    window = cell.windows[-1]
    samples = [read_samples(run.file("samples", cell, samples_suffix(number))) for number in range(generators)]
    cores = generator_cores(run.cell_resources(cell), window)
    # Without the time in which the last answers came.
    end_ns = min(window.end_ns, window.start_ns + int(load.measure_s * _NS))
    counted = Window(window.users, window.start_ns, end_ns)
    return observe(offer, load, pd.concat(samples), counted, objectives, cores, generators)


def bounds_of(objectives: Sequence[Objective], due: int) -> tuple[Bound, ...]:
    """Return when a try ends early: so many requests have missed an objective that its rate is far too high."""
    return tuple(Bound(int(_far(1 - each.share) * due), each.limit_ms) for each in objectives)


def due_in_window(load: Arrivals, generators: int = 1) -> int:
    """Return how many requests are due after the warm-up of a try."""
    shares = (share_of(load, number, generators) for number in range(generators))
    return sum(at_s >= load.warmup_s for share in shares if isinstance(share, Arrivals) for at_s in times_of(share))


def observe(
    offer: Offer,
    load: Arrivals,
    samples: pd.DataFrame,
    window: Window,
    objectives: Sequence[Objective],
    cores: float = 0.0,
    generators: int = 1,
) -> Tried:
    """Return what became of a try, whose busiest generator used so many cores.

    A request that failed, was answered wrongly, or was given up when the try ended early and had taken as long as the
    limit by then, missed its objectives.
    """
    seen = samples[samples["scheduled_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
    due = due_in_window(load, generators)
    # Several generators do not begin at the very same moment.
    is_cut = len(seen) < (due if generators == 1 else (1 - _EDGE) * due)
    given_up = [_given_up(load, seen, window, each) if is_cut else 0 for each in objectives]
    response_ms = seen["response_ms"].to_numpy(dtype=float)
    missed = [count + more for count, more in zip(_missed(response_ms, seen, objectives), given_up, strict=True)]
    counts = tuple(
        _count(offer.rate_rps, due, count, bound.most, is_cut)
        for count, bound in zip(missed, bounds_of(objectives, due), strict=True)
    )
    kept = _kept(missed, objectives, due)
    offered = all(kept) or _kept_up(seen, objectives, due, given_up, cores)
    verdict = _verdict(response_ms, seen, objectives, is_cut) if offer.kind is Kind.CONFIRM else None
    return Tried(offer, counts, kept, offered, verdict)


def generator_cores(resources: pd.DataFrame, window: Window) -> float:
    """Return the CPU use of the busiest generator within a window, in cores; 0 without a sample of it."""
    groups = [group for role, group in resources.groupby("role") if str(role).startswith(GENERATOR_ROLE)]
    passed_ns = max(window.end_ns - window.start_ns, 1)
    return max((cpu_ns_between(group, window.start_ns, window.end_ns) / passed_ns for group in groups), default=0.0)


def _missed(latency_ms: Floats, seen: pd.DataFrame, objectives: Sequence[Objective]) -> list[int]:
    ok = seen["ok"].to_numpy(dtype=bool)
    return [int(np.count_nonzero(~good_requests(latency_ms, ok, each))) for each in objectives]


def _count(rate_rps: float, due: int, missed: int, most: int, is_cut: bool) -> Count:
    """Return what counts: beyond the bound it does not matter how many more missed, nor when the try ended."""
    return Count(rate_rps, due, min(missed, most + 1), at_least=is_cut or missed > most)


def _kept(missed: Sequence[int], objectives: Sequence[Objective], due: int) -> tuple[bool, ...]:
    allowed = [(1 - each.share) * due + _ROUNDING for each in objectives]
    return tuple(count <= most for count, most in zip(missed, allowed, strict=True))


def _kept_up(
    seen: pd.DataFrame, objectives: Sequence[Objective], due: int, given_up: Sequence[int], cores: float
) -> bool:
    """Whether it was the service that broke the promise.

    Where the generator was late, the latencies since the requests were sent must have broken it, too.
    """
    if cores > MAX_GENERATOR_CPU:
        return False
    if late_arrivals(seen) <= most_late(len(seen)):
        return True
    since_sent_ms = (seen["end_ns"] - seen["start_ns"]).to_numpy(dtype=float) / 1e6
    missed = _missed(since_sent_ms, seen, objectives)
    return not all(_kept([a + b for a, b in zip(missed, given_up, strict=True)], objectives, due))


def _verdict(response_ms: Floats, seen: pd.DataFrame, objectives: Sequence[Objective], is_cut: bool) -> Verdict:
    if is_cut:
        return Verdict.BROKEN
    ok = seen["ok"].to_numpy(dtype=bool)
    found = {judge_promise(good_requests(response_ms, ok, each), each).verdict for each in objectives}
    return next((verdict for verdict in (Verdict.BROKEN, Verdict.TOO_FEW) if verdict in found), Verdict.KEPT)


def _given_up(load: Arrivals, seen: pd.DataFrame, window: Window, objective: Objective) -> int:
    """Return how many requests without an answer had missed the limit when the try ended early."""
    if objective.limit_ms is None:
        return 0
    until_s = (window.end_ns - window.start_ns) / _NS - objective.limit_ms / 1e3
    overdue = sum(0 <= at_s - load.warmup_s <= until_s for at_s in times_of(load))
    answered = np.count_nonzero((seen["scheduled_ns"] - window.start_ns) / _NS <= until_s)
    return max(overdue - int(answered), 0)


def _far(allowed: float) -> float:
    return min(_FAR * allowed, (1 + allowed) / 2)
