"""The record of a run -> its summary: milliseconds per call, percentages, VALID or INVALID and why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason, because, plain
from benchmark.analysis.stats import Interval, holm, holm_levels, ratio_interval, ratio_p_value
from benchmark.analysis.summary import MIN_CLAIM, against, failures_of, summary_head
from benchmark.analysis.validity import disturbance_reasons
from benchmark.contenders.discovery import Contender
from benchmark.experiments.timeit import fit
from benchmark.record.resources import Disturbance
from benchmark.record.run import TrialRecord

QUESTION = "How do n calls add up, and what does one call cost?"
WATCHED = "machine.jsonl"  # by repeat and contender: what others had of the machine while it was timed
BELOW_FLOOR_ERRORS = 3.0  # standard errors by which a mean may miss the floor by chance


def summarise(
    manifest: Mapping[str, Any],
    cells: Sequence[TrialRecord],
    repeats: pd.DataFrame,
    contenders: Sequence[Contender],
    floors_ms: Mapping[str, float],
    watched: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the summary of a run in the form of summary.json.

    `repeats` holds the timings (benchmark.experiments.timeit.repeats.COLUMNS), `floors_ms` each
    contender's latency floor by label, `watched` the lines of WATCHED, which older records lack.
    """
    counted = {c.label: _counted(repeats, cells, c.label) for c in contenders}
    baseline = next((c for c in contenders if not c.harness_floor), contenders[0]).label
    entries = {
        c.label: _entry(
            c, floors_ms[c.label], counted, baseline, [x for x in cells if x.contender == c.label], manifest
        )
        for c in contenders
    }
    for label, entry in entries.items():
        entry["reasons"] += _disturbed(watched, label, counted[label])
        entry["valid"] = not entry["reasons"]
    _mark_what_is_shown(entries, counted, baseline)
    planned = manifest["plan"]["repeats"]
    complete = all(_has_ended(label, cells, planned) for label in entries)
    done = max(len(complete_repeats(cells, label)) for label in entries)
    document: dict[str, Any] = plain(
        {
            **summary_head(
                manifest, against(entries), complete, f"{done} of {planned} repeats were measured completely"
            ),
            "findings": [
                found for label, entry in entries.items() for found in _found(label, entry, entries, baseline)
            ],
            "scale": manifest["plan"]["scale"],
            "repeats": planned,
            "calls": list(manifest["plan"]["calls"]),
            "baseline": baseline,
            "contenders": entries,
        }
    )
    return document


def _found(label: str, entry: Mapping[str, Any], entries: Mapping[str, Any], baseline: str) -> Iterator[Finding]:
    """Yield what a call takes, held against the baseline's if that is VALID."""
    entry, figures = entries[label], entries[label]["timeit"]
    if figures["ms_per_call"] is None:
        return
    faster = 1 + figures["faster_than_baseline_pct"] / 100 if figures["faster_than_baseline_pct"] is not None else None
    versus: dict[str, Any] = {}
    if label != baseline and faster and entries[baseline]["valid"]:
        ends = figures["ci95_pct"] and sorted(100 / (100 + end) for end in figures["ci95_pct"])
        shown = figures["difference_shown"]
        versus = {"versus": baseline, "ratio": 1 / faster, "ratio_ci95": ends, "shown": shown}
    yield finding(
        QUESTION, label, "time_per_call_ms", "ms", figures["ms_per_call"], entry["reasons"], figures["ci95"], **versus
    )


def repeat_sums(timings: pd.DataFrame) -> dict[int, fit.Floats]:
    """Return one contender's line sums by repeat; see benchmark.experiments.timeit.fit."""
    return {int(str(r)): fit.line_sums(group["n"], group["seconds"]) for r, group in timings.groupby("repeat")}


def complete_repeats(cells: Sequence[TrialRecord], label: str) -> list[int]:
    """Return the repeats in which one contender was timed with every number of calls."""
    return [cell.block for cell in cells if cell.contender == label and cell.status == "measured"]


def _counted(repeats: pd.DataFrame, cells: Sequence[TrialRecord], label: str) -> pd.DataFrame:
    """Return the timings that count: of complete repeats, or of what there is if none is complete."""
    own = repeats[repeats["contender"] == label]
    whole = complete_repeats(cells, label)
    return own[own["repeat"].isin(whole)] if whole else own


def _has_ended(label: str, cells: Sequence[TrialRecord], planned: int) -> bool:
    """Whether nothing of a contender is missing; one that has dropped out has ended, too."""
    own = [cell.status for cell in cells if cell.contender == label]
    return "interrupted" not in own and ("failed" in own or len(own) == planned)


def _entry(
    contender: Contender,
    floor_ms: float,
    counted: Mapping[str, pd.DataFrame],
    baseline: str,
    cells: Sequence[TrialRecord],
    manifest: Mapping[str, Any],
) -> dict[str, Any]:
    timings = counted[contender.label]
    reasons = failures_of(cells, "repeat")
    if timings.empty and not reasons:
        reasons.append(because("not_measured"))
    if not timings.empty:
        mean, error = fit.mean_ms(timings["n"].tolist(), timings["seconds"].tolist())
        if mean + BELOW_FLOOR_ERRORS * error < floor_ms:
            reasons.append(because("below_floor", mean_ms=mean, floor_ms=floor_ms))
    figures = _figures(repeat_sums(timings), repeat_sums(counted[baseline]), contender, baseline, floor_ms, manifest)
    return {
        "title": contender.title,
        "floor_ms": round(floor_ms, 3),
        "harness_floor": contender.harness_floor,
        "valid": not reasons,
        "reasons": reasons,
        "timeit": {
            **figures,
            "repeats": int(timings["repeat"].nunique()),
            "calls": int(timings["n"].sum()),
        },
    }


def _disturbed(watched: Sequence[Mapping[str, Any]], label: str, timings: pd.DataFrame) -> list[Reason]:
    """Return why the timings that count were disturbed by others."""
    repeats = set(timings["repeat"])
    own = [row for row in watched if row["contender"] == label and row["repeat"] in repeats]
    return disturbance_reasons([Disturbance(row["foreign_share"], row["steal_share"]) for row in own], "repeat")


def _figures(
    own: Mapping[int, fit.Floats],
    base: Mapping[int, fit.Floats],
    contender: Contender,
    baseline: str,
    floor_ms: float,
    manifest: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the lines say; None where there is nothing to fit one through."""
    sums = np.array(list(own.values())).reshape(-1, 5)
    slope = fit.slope_interval(sums, manifest["seed"]) if len(sums) else Interval(float("nan"), None, None)
    return {
        "ms_per_call": _r(slope.value),
        "ci95": _rs(slope),
        "over_floor": _r(slope.value / floor_ms) if floor_ms else None,
        "intercept_ms": _r(fit.intercept_ms(sums)) if len(sums) else None,
        **_faster(own, base, contender.label == baseline, manifest["seed"]),
    }


def _faster(
    own: Mapping[int, fit.Floats], base: Mapping[int, fit.Floats], is_baseline: bool, seed: int
) -> dict[str, Any]:
    """Return the percentage against the baseline over the repeats that both have; the baseline's own is 0."""
    if is_baseline and own:
        return {"faster_than_baseline_pct": 0.0, "ci95_pct": [0.0, 0.0]}
    shared = sorted(set(own) & set(base))
    theirs, ours = (np.array([each[r] for r in shared]).reshape(-1, 5) for each in (base, own))
    # A line that falls, as one through a few calls may, gives no percentage.
    if not shared or not all(np.all(fit.slopes_ms(sums) > 0) for sums in (theirs, ours)):
        return {"faster_than_baseline_pct": None, "ci95_pct": None}
    faster = fit.faster_interval(theirs, ours, seed)
    return {"faster_than_baseline_pct": _r(faster.value), "ci95_pct": _rs(faster)}


def _mark_what_is_shown(entries: Mapping[str, Any], counted: Mapping[str, pd.DataFrame], baseline: str) -> None:
    """Say of each contender whether it differs from the baseline by more than chance, and by enough to matter.

    `ci_pct`, of the slopes by repeat, is the interval that decides, at the level `confidence`.
    """
    slopes = {label: {r: float(fit.slopes_ms(s)) for r, s in repeat_sums(t).items()} for label, t in counted.items()}
    pairs: dict[str, tuple[list[float], list[float]]] = {}
    for label, entry in entries.items():
        entry["timeit"].update(difference_shown=False, ci_pct=None, confidence=None)
        if label != baseline and entry["timeit"]["faster_than_baseline_pct"] is not None:
            shared = sorted(set(slopes[label]) & set(slopes[baseline]))
            pairs[label] = [slopes[baseline][r] for r in shared], [slopes[label][r] for r in shared]
    p_values = [ratio_p_value(*pair) for pair in pairs.values()]
    for (label, pair), is_shown, level in zip(pairs.items(), holm(p_values), holm_levels(p_values), strict=True):
        figures, ends = entries[label]["timeit"], ratio_interval(*pair, level)
        figures["difference_shown"] = is_shown and abs(figures["faster_than_baseline_pct"]) >= 100 * MIN_CLAIM
        bounds = [_r(100 * (end - 1)) for end in ends.as_list() or ()]
        figures.update(ci_pct=bounds or None, confidence=level)


def _r(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")


def _rs(interval: Interval) -> list[float | None] | None:
    ends = [_r(interval.low), _r(interval.high)]
    return None if None in ends else ends
