"""What a contender did with three times what it carries, beside the bounds of the contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmark.analysis.reasons import Reason, because
from benchmark.experiments.under_fire.evidence import disturbed, memory_mb, rounded, saturated, why_not
from benchmark.experiments.under_fire.measure import OFFERED
from benchmark.experiments.under_fire.observed import (
    OK,
    Peak,
    answers_in,
    counts,
    course,
    good_rps,
    no_answers_in,
    peak_of,
    recovery_s,
    samples_of_trial,
    unexplained,
    usual_limit_ns,
    usual_share,
)
from benchmark.experiments.under_fire.plan import SHED
from benchmark.experiments.under_fire.schema import Bound, OverloadResult
from benchmark.experiments.under_fire.troubled import hanging
from benchmark.record.damage import reading
from benchmark.record.run import Run, TrialRecord, Window

LEAST_GOODPUT: Final = 0.9  # of the peak
MOST_LATENCY: Final = 1.5  # times that at the peak
FULL_SPEED_WITHIN_S: Final = 2.0
_LEAST_OFFERED: Final = 0.9  # of what was planned
_SETTLED_NS: Final = 1e9  # after overload has begun, until its rate of right answers counts
_NS: Final = 1e9


@dataclass(frozen=True)
class _Offer:
    """Between which moments which rate was planned, and by how many generators."""

    start_ns: float
    end_ns: float
    rps: float
    generators: int


def overload_result(
    run: Run, label: str, at_peak: TrialRecord | None, trial: TrialRecord | None, row: Mapping[str, Any] | None,
    deadline_s: float,
) -> OverloadResult:  # fmt: skip
    """Return what a contender did with three times its peak. Raises RecordError."""
    if at_peak is None or at_peak.status != "measured" or not at_peak.windows:
        return OverloadResult(contender=label, reasons=(why_not(at_peak),))
    if trial is None or trial.status != "measured" or not trial.windows or row is None:
        return OverloadResult(contender=label, reasons=(why_not(trial),))
    peak, window = peak_of(run, at_peak), trial.windows[0]
    with reading(run.path / OFFERED):
        offer = _offer(row, window)
    samples = samples_of_trial(run, trial, offer.generators)
    due = samples[samples["scheduled_ns"].between(window.start_ns, window.end_ns, inclusive="left")]
    if peak is None or not len(due):
        return OverloadResult(contender=label, reasons=(because("silent"),))
    resources = run.cell_resources(trial)
    reasons = [
        *_offered_less(due, offer),
        *saturated(resources, offer.start_ns, offer.end_ns, offer.generators),
        *disturbed(resources, [(window.start_ns, offer.end_ns)]),
        *disturbed(run.cell_resources(at_peak), [(each.start_ns, each.end_ns) for each in at_peak.windows]),
    ]
    found = _figures(label, due, window, offer, peak, resources, deadline_s)
    bounds = _bounds(found, told=not reasons)
    return found.model_copy(update={"reasons": tuple(reasons), "bounds": bounds})


def _offer(row: Mapping[str, Any], window: Window) -> _Offer:
    load = row["load"]
    (begins_s, rps), (ends_s, _) = load["later"]
    first_ns = window.start_ns - float(load["warmup_s"]) * _NS
    return _Offer(first_ns + begins_s * _NS, first_ns + ends_s * _NS, float(rps), int(row["generators"]))


def _sent_rps(due: pd.DataFrame, offer: _Offer) -> float:
    """Return the rate at which requests really were sent."""
    count = due["start_ns"].between(offer.start_ns, offer.end_ns, inclusive="left").sum()
    return float(count / (offer.end_ns - offer.start_ns) * _NS)


def _offered_less(due: pd.DataFrame, offer: _Offer) -> list[Reason]:
    share = _sent_rps(due, offer) / offer.rps
    return [because("offered_less", share=share, limit=_LEAST_OFFERED)] if share < _LEAST_OFFERED else []


def _figures(
    label: str, due: pd.DataFrame, window: Window, offer: _Offer, peak: Peak, resources: pd.DataFrame,
    deadline_s: float,
) -> OverloadResult:  # fmt: skip
    last_ns = float(due["scheduled_ns"].max())
    asked = due[due["scheduled_ns"].between(offer.start_ns, offer.end_ns, inclusive="left")]
    accepted_ms = asked.loc[asked["outcome"] == OK, "latency_ms"]
    p50_ms, p95_ms = np.percentile(accepted_ms, [50, 95]) if len(accepted_ms) else (None, None)
    before = due[due["end_ns"] < offer.start_ns]
    limit_ns = usual_limit_ns(before[before["outcome"] == OK])
    memory_before_mb = memory_mb(resources, window.start_ns, offer.start_ns)
    most_mb = memory_mb(resources, offer.start_ns, window.end_ns)
    odd = unexplained(due, {SHED}, offer.start_ns, offer.end_ns + deadline_s * _NS)
    return OverloadResult(
        contender=label,
        peak_users=peak.users,
        peak_rps=rounded(peak.rps),
        peak_p50_ms=rounded(peak.p50_ms),
        peak_p95_ms=rounded(peak.p95_ms),
        offered_rps=rounded(_sent_rps(due, offer)),
        good_rps=rounded(good_rps(due, offer.start_ns + _SETTLED_NS, offer.end_ns)),
        accepted_p50_ms=rounded(p50_ms),
        accepted_p95_ms=rounded(p95_ms),
        sent=len(due),
        answers=answers_in(due),
        no_answers=no_answers_in(due),
        hanging=hanging(due, deadline_s),
        unexplained=len(odd),
        refused_share=rounded(counts(asked).get(SHED, 0) / len(asked)) if len(asked) else None,
        full_speed_s=rounded(recovery_s(due, offer.end_ns, last_ns, usual_share(before, limit_ns), limit_ns)),
        memory_before_mb=memory_before_mb,
        memory_growth_mb=rounded(most_mb - memory_before_mb) if most_mb and memory_before_mb else None,
        generators=offer.generators,
        begun_s=round((offer.start_ns - window.start_ns) / _NS, 3),
        over_s=round((offer.end_ns - window.start_ns) / _NS, 3),
        course=course(due, window.start_ns, last_ns),
    )


def _bounds(found: OverloadResult, told: bool) -> tuple[Bound, ...]:
    """Return the bounds of the contract beside what was measured; none is told of what is INVALID."""
    at_most = [
        ("median of what was accepted", _ratio(found.accepted_p50_ms, found.peak_p50_ms), "× peak", MOST_LATENCY),
        ("p95 of what was accepted", _ratio(found.accepted_p95_ms, found.peak_p95_ms), "× peak", MOST_LATENCY),
        ("full speed after the end", found.full_speed_s, "s", FULL_SPEED_WITHIN_S),
    ]
    goodput = _ratio(found.good_rps, found.peak_rps)
    first = Bound(name="goodput", value=goodput, unit="× peak", at_least=LEAST_GOODPUT,
                  held=(goodput or 0.0) >= LEAST_GOODPUT if told else None)  # fmt: skip
    rest = [
        Bound(name=name, value=value, unit=unit, at_most=most, held=_is_within(value, most) if told else None)
        for name, value, unit, most in at_most
    ]
    return (first, *rest)


def _is_within(value: float | None, most: float) -> bool:
    """Whether a bound holds; what did not happen at all, an answer or full speed, is within none."""
    return value is not None and value <= most


def _ratio(value: float | None, base: float | None) -> float | None:
    return rounded(value / base) if value is not None and base else None
