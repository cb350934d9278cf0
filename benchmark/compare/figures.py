"""Reads the figures of a contender from a run, in a form that can be compared."""

from collections.abc import Mapping
from dataclasses import replace

from benchmark.analysis.comparable import PEAK_RATE, Comparable
from benchmark.errors import RecordError
from benchmark.experiments.registry import REGISTRY, experiment_of
from benchmark.record.run import Run


def figures_of(run: Run, label: str, tails_at: int | None = None) -> dict[str, Comparable]:
    """Return a contender's figures by key, in reading order. Raises RecordError if the run cannot be compared.

    Percentiles are taken at low load and at `tails_at` users: pass those of the other run's peak, so that both runs
    have percentiles at the same load. The default is the run's own peak.
    """
    experiment = experiment_of(run.manifest["command"])
    if experiment.comparable is None:
        known = ", ".join(row.name for row in REGISTRY if row.experiment.comparable)
        raise RecordError(f"{run.path.name} is a run of `{experiment.name}`, expected one of {known}")
    try:
        at = peak_users(run, label) if tails_at is None else tails_at
        return {figure.key: figure for figure in experiment.comparable(run, label, at)}
    except (KeyError, ValueError, OSError) as error:
        raise RecordError(f"{run.path.name} cannot be read: {error!r}") from error


def peak_users(run: Run, label: str) -> int | None:
    """Return the number of users at a contender's peak, or None if it has no peak."""
    peak = run.summary["contenders"][label].get("peak")
    return int(peak["users"]) if peak else None


def pair_of(a: Run, label_a: str, b: Run, label_b: str) -> tuple[dict[str, Comparable], dict[str, Comparable]]:
    """Return the figures of a contender of A and of one of B, with percentiles at A's peak. Raises RecordError.

    If the levels of either run do not bracket the peak, both rates are called `highest rate` instead of `peak rate`.
    """
    ours, theirs = figures_of(a, label_a), figures_of(b, label_b, peak_users(a, label_a))
    if _is_peak(a, label_a) and _is_peak(b, label_b):
        return ours, theirs
    return _without_peak(ours), _without_peak(theirs)


def _is_peak(run: Run, label: str) -> bool:
    """Whether a run's levels bracket a contender's peak. Old records, which do not say, are assumed to."""
    return bool((run.summary["contenders"][label].get("peak") or {}).get("bracketed", True))


def _without_peak(figures: Mapping[str, Comparable]) -> dict[str, Comparable]:
    renamed = (replace(each, name="highest rate") if each.name == PEAK_RATE else each for each in figures.values())
    return {figure.key: figure for figure in renamed}
