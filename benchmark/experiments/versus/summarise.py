"""The record of a run -> its summary: every figure by block, and the differences, paired by block."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason, because
from benchmark.analysis.stats import (
    Interval,
    block_interval,
    holm,
    holm_levels,
    percentile,
    positive_interval,
    ratio_interval,
    ratio_p_value,
)
from benchmark.analysis.summary import MIN_CLAIM, failures_of, summary_head
from benchmark.contenders.discovery import Contender
from benchmark.experiments.versus.observed import (
    AT_RATE,
    CPU,
    ONE_USER,
    OTHERS,
    OTHERS_IN_DUET,
    PEAK_RATE,
    UNITS,
    Observed,
    Requests,
    observe,
    peak_of,
    peak_reasons,
)
from benchmark.experiments.versus.schema import Compared, Measured, SideEntry, VersusSummary
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SUMMARY, Run, TrialRecord

QUESTION: Final = "Which of two services answers sooner?"
PARTS: Final = {ONE_USER: "one user", PEAK_RATE: "peak"}  # as reasons call them; the rate has its own name
NOT_OBSERVED: Final = ("CPU per request", "memory")
NOT_CHECKED: Final = ("whether it follows the service contract", "answers that come too early")
Pairs = Sequence[tuple[float, float]]


def summarise(run: Run) -> dict[str, Mapping[str, Any]]:
    """Return the documents of a run by file name. Raises RecordError."""
    manifest, trials, plan = run.manifest, run.trials(), run.manifest["plan"]
    contenders, where = recorded_contenders(manifest), plan["where"]
    found: dict[str, Observed] = {}
    entries: dict[str, SideEntry] = {}
    for each in contenders:
        own = [trial for trial in trials if trial.contender == each.label]
        found[each.label] = observe(run, each, own)
        entries[each.label] = _entry(each, where[each.label], own, found[each.label], plan)
    done = min(sum(_is_whole(trial, label) for trial in trials) for label in found)
    summary = VersusSummary(
        **summary_head(
            manifest,
            {label: entry.reasons for label, entry in entries.items()},
            not run.interrupted and done == plan["blocks"],
            f"{done} of {plan['blocks']} blocks were measured",
        ),
        blocks=done,
        rate_rps=plan["rate_rps"],
        duet=plan["duet"],
        same_as=plan["same_as"],
        answers=sum(figure.requests for entry in entries.values() for figure in _asked(entry)),
        sides=entries,
        compared=_compared(list(found.values()), list(entries.values()), plan["duet"]),
    )
    summary = summary.model_copy(update={"findings": tuple(_findings(summary))})
    return {SUMMARY: summary.model_dump(mode="json", by_alias=True)}


def _is_whole(trial: TrialRecord, label: str) -> bool:
    return trial.contender == label and not trial.part and trial.status != "interrupted"


def _asked(entry: SideEntry) -> list[Measured]:
    return [entry.figures[name] for name in (ONE_USER, AT_RATE) if name in entry.figures]


def _entry(
    contender: Contender, where: str, trials: Sequence[TrialRecord], found: Observed, plan: Mapping[str, Any]
) -> SideEntry:
    unseen = OTHERS_IN_DUET if plan["duet"] else OTHERS if where == "this machine" else ""
    rate = f"{plan['rate_rps']:g} requests/s"
    reasons = failures_of(trials)
    figures: dict[str, Measured] = {}
    if not found.blocks:
        reasons = reasons or [because("not_measured")]
    for name, requests in ((ONE_USER, found.one_user), (AT_RATE, found.at_rate)):
        if requests.values:
            own = requests.reasons(name == AT_RATE, not unseen)
            figures[name] = _measured(requests, plan["blocks"], not own)
            reasons += [each.at(part=PARTS.get(name, rate)) for each in own]
    if any(found.cpu_ms.values()):
        cpu_ms = [found.cpu_ms.get(block) for block in range(plan["blocks"])]
        figures[CPU] = Measured(values=tuple(cpu_ms), **_mean(cpu_ms))
    peak = peak_of(found)
    if peak:
        own = peak_reasons(contender, found, peak[0], not unseen)
        figures[PEAK_RATE] = Measured(values=tuple(peak[1]), **_mean(peak[1]), valid=not own)
        reasons += [each.at(part=PARTS[PEAK_RATE]) for each in own]
    return SideEntry(
        title=contender.title,
        where=where,
        valid=not reasons,
        reasons=tuple(reasons),
        figures=figures,
        rss_mb=found.rss_mb,
        first_error=found.one_user.first_error or found.at_rate.first_error,
        not_observed=NOT_OBSERVED if contender.runs_elsewhere else (),
        not_checked=(*(NOT_CHECKED if contender.runs_elsewhere else ()), *([unseen] if unseen else ())),
        peak_users=peak[0] if peak else None,
    )


def _measured(requests: Requests, blocks: int, valid: bool) -> Measured:
    every = np.concatenate(requests.latencies_ms)
    values = [requests.values.get(block) for block in range(blocks)]
    return Measured(
        values=tuple(values),
        **_mean(values),
        p50=_rounded(percentile(every, 50)),
        p99=_rounded(percentile(every, 99)),
        requests=every.size,
        errors=requests.errors,
        valid=valid,
    )


def _mean(values: Sequence[float | None]) -> dict[str, Any]:
    seen = [value for value in values if value]
    if not seen:
        return {}
    interval = positive_interval(seen)
    return {"mean": round(interval.value, 6), "ci95": _ends(interval)}


def _compared(found: Sequence[Observed], entries: Sequence[SideEntry], duet: bool) -> tuple[Compared, ...]:
    """Compare every figure that both have. A difference is shown after Holm's correction, from 2 % on."""
    one, other = entries
    names = [name for name in UNITS if all(name in each.figures for each in entries)]
    pairs = {name: _pairs(name, found, entries, duet) for name in names}
    pairs = {name: each for name, each in pairs.items() if each}
    valid = [name for name in pairs if _stands(one, name) and _stands(other, name)]
    p_values = [ratio_p_value(*_columns(pairs[name])) for name in valid]
    judged = dict(zip(valid, zip(holm(p_values), holm_levels(p_values), p_values, strict=True), strict=True))
    return tuple(_comparison(name, each, judged.get(name)) for name, each in pairs.items())


def _stands(entry: SideEntry, name: str) -> bool:
    """Whether a figure is VALID; failed trials strike all of them."""
    return entry.figures[name].valid and not any(not reason.part for reason in entry.reasons)


def _pairs(name: str, found: Sequence[Observed], entries: Sequence[SideEntry], duet: bool) -> Pairs:
    """Return both values of each block in which there are two."""
    if duet and name == AT_RATE:
        mine, theirs = (each.at_rate.seconds for each in found)
        return [pair for block in mine.keys() & theirs if (pair := _by_second(mine[block], theirs[block]))]
    one, other = (entry.figures[name].values for entry in entries)
    return [(b, a) for a, b in zip(one, other, strict=False) if a and b]


def _by_second(one: pd.Series, other: pd.Series) -> tuple[float, float] | None:
    """Return the means of both over the seconds in which both were answered."""
    both = pd.concat([other, one], axis=1, join="inner").mean()
    return None if both.isna().any() else (float(both.iloc[0]), float(both.iloc[1]))


def _columns(pairs: Pairs) -> tuple[list[float], list[float]]:
    return [b for b, _ in pairs], [a for _, a in pairs]


def _comparison(name: str, pairs: Pairs, judged: tuple[bool, float, float] | None) -> Compared:
    is_shown, confidence, p_value = judged or (False, 0.95, 1.0)
    theirs, mine = _columns(pairs)
    ratio = ratio_interval(theirs, mine, confidence)
    difference = block_interval([b - a for b, a in pairs], confidence)
    half = None if ratio.low is None or ratio.high is None else (ratio.high / ratio.low) ** 0.5 - 1
    return Compared(
        figure=name,
        blocks=len(pairs),
        one=round(sum(mine) / len(mine), 6),
        other=round(sum(theirs) / len(theirs), 6),
        difference=round(difference.value, 6),
        difference_ci=_ends(difference),
        ratio=round(ratio.value, 6),
        ratio_ci=_ends(ratio),
        confidence=round(confidence, 6),
        p_value=round(p_value, 6),
        shown=is_shown and abs(ratio.value - 1) >= MIN_CLAIM,
        would_show_pct=None if half is None else round(100 * max(half, MIN_CLAIM), 3),
        valid=judged is not None,
    )


def _ends(interval: Interval) -> tuple[float, float] | None:
    return None if interval.low is None or interval.high is None else (round(interval.low, 6), round(interval.high, 6))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _findings(summary: VersusSummary) -> list[Finding]:
    one, other = summary.pair
    found = []
    for label, entry in summary.sides.items():
        for name, measured in entry.figures.items():
            if measured.mean is None:
                continue
            reasons: list[Reason] = [] if _stands(entry, name) else list(entry.reasons)
            compared = summary.comparison(name) if label == other else None
            against = (
                {"versus": one, "ratio": compared.ratio, "ratio_ci95": compared.ratio_ci, "shown": compared.shown}
                if compared and compared.valid
                else {}
            )
            found.append(
                finding(QUESTION, label, name, UNITS[name], measured.mean, reasons, ci95=measured.ci95, **against)
            )
    return found
