"""Figures of a queue, from what its service says of itself."""

from statistics import fmean

from benchmark.experiments.strategies.figure_kinds import ACCEPTED_MEAN, MEAN, per
from benchmark.experiments.strategies.law import Figure
from benchmark.experiments.strategies.observed import Observed
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals
from strategies.laws import waits_ms

QUEUED = Figure("queued_ms", "ms", per("waited_ms", "effects").of)
AT_WORK = Figure("at_work_ms", "ms", per("worked_ms", "effects").of)
OCCUPIED = Figure("occupied_ms", "ms", per("occupied_ms", "occupied").of)


def _sojourn_ms(seen: Observed) -> float | None:
    queued_ms, at_work_ms = QUEUED.of(seen), AT_WORK.of(seen)
    return None if queued_ms is None or at_work_ms is None else queued_ms + at_work_ms


def _told_ms(seen: Observed) -> float | None:
    known = [each for each in (MEAN.of(seen), ACCEPTED_MEAN.of(seen), SOJOURN.of(seen)) if each is not None]
    return max(known[0] - known[1] - known[2], 0.0) if len(known) == 3 else None


def _done_per_s(seen: Observed) -> float | None:
    return per("effects", "clock_s").of(seen)


def _little(seen: Observed) -> float | None:
    """Return the mean number of jobs, as looked at, as a multiple of rate x mean time."""
    mean_jobs, rate, sojourn_ms = per("sampled_jobs", "samples").of(seen), DONE.of(seen), SOJOURN.of(seen)
    return mean_jobs * 1e3 / (rate * sojourn_ms) if mean_jobs is not None and rate and sojourn_ms else None


SOJOURN = Figure("in_system_ms", "ms", _sojourn_ms)  # from the acceptance of a job until its result is stored
TOLD = Figure("told_ms", "ms", _told_ms)  # from then on until the client has it
DONE = Figure("done_per_s", "jobs/s", _done_per_s)
LITTLE = Figure("jobs_by_rate_and_time", "x", _little)


def wait_by_law(load: Arrivals) -> Figure:
    """Return the mean wait as a multiple of what the recursion gives.

    It is told the very arrivals, and how long a job did occupy the worker: the model, and all that RQ does for a job.
    """
    due = times_of(load)

    def ratio(seen: Observed) -> float | None:
        queued_ms, occupied_ms, done = QUEUED.of(seen), OCCUPIED.of(seen), _done(seen)
        if queued_ms is None or not occupied_ms or not done:
            return None
        expected_ms = fmean(waits_ms(due[:done], occupied_ms))  # first come, first served: these are done
        return queued_ms / expected_ms if expected_ms else None

    return Figure("wait_by_law", "x", ratio)


def _done(seen: Observed) -> int:
    return round(float(seen.after.get("effects") or 0) - float(seen.before.get("effects") or 0)) if seen.before else 0
