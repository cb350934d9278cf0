"""Figures of this strategy, and its laws on paper: how a backlog grows, stays, and is worked off."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from benchmark.experiments.strategies.law import Figure
from benchmark.experiments.strategies.observed import Observed, accepted_mean_ms, mean_ms
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals
from strategies.laws import waits_ms
from strategies.push_worker.parameters import BACKOFFS_MS, SLOW_MS
from strategies.push_worker.requests_file import is_new, is_poison

_LOOK_S: Final = 0.5  # between two looks at the backlog

Series = Sequence[tuple[float, float]]  # of seconds and jobs


def lost(seen: Observed) -> float | None:
    """Return how many jobs were accepted, and have no right answer."""
    if "requests" not in seen.samples:
        return None
    return float(((seen.samples["requests"] > 1) & ~seen.samples["ok"].astype(bool)).sum())


def unexplained_runs(seen: Observed) -> float | None:
    """Return how many more runs than effects there were, beyond those of messages that were delivered again."""
    runs, effects, redelivered = (_growth(seen, key) for key in ("runs", "effects", "redelivered"))
    if runs is None or effects is None:
        return None
    return max(runs - effects - (redelivered or 0.0), 0.0)


def _growth(seen: Observed, key: str) -> float | None:
    if seen.after.get(key) is None or not seen.before:
        return None
    return float(seen.after[key]) - float(seen.before.get(key) or 0)


def _mean(name: str, total: str, count: str) -> Figure:
    """Return the figure of a mean, from the counters of a sum and of what is summed."""

    def value(seen: Observed) -> float | None:
        above, below = _growth(seen, total), _growth(seen, count)
        return above / below if above is not None and below else None

    return Figure(name, "ms", value)


LOST: Final = Figure("lost", "jobs", lost)
UNEXPLAINED: Final = Figure("unexplained_runs", "runs", unexplained_runs)
QUEUED: Final = _mean("queued_ms", "queued_ms", "first_attempts")
PUSHED: Final = _mean("pushed_ms", "push_ms", "attempts")


def _rest(seen: Observed) -> float | None:
    """Return the mean time that is neither acceptance, nor in the stream, nor at the worker."""
    whole, accepted, queued, pushed = (of(seen) for of in (mean_ms, accepted_mean_ms, QUEUED.of, PUSHED.of))
    if whole is None or accepted is None or queued is None or pushed is None:
        return None
    return max(whole - accepted - queued - pushed, 0.0)


REST: Final = Figure("rest_ms", "ms", _rest)


def gap(failures: int) -> Figure:
    """Return the mean pause after so many failures, until the message is pushed again."""
    return _mean(f"gap_{failures}_ms", f"gap_{failures}_ms", f"gaps_{failures}")


GAPS: Final = {gap(number): pause_ms for number, pause_ms in enumerate(BACKOFFS_MS, 1)}


def growth(measure_s: float) -> Figure:
    """Return by how much the backlog grows per second while requests arrive."""
    return Figure("backlog_growth_per_s", "jobs/s", lambda seen: slope(_until(_backlog(seen), measure_s)))


def worked_off(measure_s: float) -> Figure:
    """Return by how much the backlog shrinks per second once nothing arrives any more."""

    def value(seen: Observed) -> float | None:
        falling = slope([(t_s, jobs) for t_s, jobs in _backlog(seen) if t_s >= measure_s and jobs > 0])
        return None if falling is None else -falling

    return Figure("worked_off_per_s", "jobs/s", value)


def _backlog(seen: Observed) -> Series:
    return [(t_s, float(said["backlog"])) for t_s, said in seen.series if said.get("backlog") is not None]


def _until(series: Series, end_s: float) -> Series:
    return [(t_s, jobs) for t_s, jobs in series if t_s < end_s]


def slope(series: Series) -> float | None:
    """Return the slope of the straight line through some points."""
    if len(series) < 3:
        return None
    times, jobs = zip(*series, strict=True)
    return float(np.polyfit(times, jobs, 1)[0])


def new_s(load: Arrivals, before: int = 0) -> list[float]:
    """Return when the new ones among mixed requests are due, `before` of which were sent under other loads."""
    return [at_s for place, at_s in enumerate(times_of(load), before) if is_new(place)]


def backlog_on_paper(arrivals_s: Sequence[float], slots: int = 1, service_ms: float = SLOW_MS) -> Series:
    """Return how many jobs are unfinished, at every look until there are none any more."""
    waits = waits_ms(arrivals_s, service_ms, slots)
    done_s = [at_s + (wait_ms + service_ms) / 1e3 for at_s, wait_ms in zip(arrivals_s, waits, strict=True)]
    looks = np.arange(0.0, max(done_s, default=0.0) + 2 * _LOOK_S, _LOOK_S)
    come, gone = np.searchsorted(arrivals_s, looks), np.searchsorted(sorted(done_s), looks)
    return [(float(at_s), float(jobs)) for at_s, jobs in zip(looks, come - gone, strict=True)]


def growth_on_paper(arrivals_s: Sequence[float], measure_s: float) -> float:
    """Return the growth that a backlog of these very arrivals has."""
    found = slope(_until(backlog_on_paper(arrivals_s), measure_s))
    assert found is not None
    return found


def poison_of(load: Arrivals) -> int:
    """Return how many of the requests of poison.jsonl that a load sends are poisonous."""
    return sum(is_poison(place) for place in range(len(times_of(load))))
