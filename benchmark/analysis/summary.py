"""The summary of a run: figures with intervals, VALID or INVALID with reasons, comparisons with the baseline."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmark.analysis import schema
from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.level_figures import LevelFigures, level_figures
from benchmark.analysis.reasons import Reason, because, failure
from benchmark.analysis.stats import (
    CONFIDENCE,
    Interval,
    geometric_interval,
    holm,
    holm_levels,
    peak_interval,
    percentile,
    positive_interval,
    ratio_interval,
    ratio_p_value,
)
from benchmark.analysis.validity import level_notes, level_reasons, run_reasons
from benchmark.contenders.answer_law import AnswerLaw, law_of
from benchmark.contenders.discovery import Contender
from benchmark.load.peak import is_bracketed, peak_users, why_no_peak
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.run import SCHEMA, Run, TrialRecord

QUESTION = "Which contender is faster, by how much, and under which load?"
MIN_CLAIM = 0.02  # smaller differences are never claimed, however narrow the interval

Blocks = Sequence[LevelFigures]
ByBlock = Callable[
    [schema.ContenderSummary, Mapping[int, Blocks]], dict[int, float]
]  # from a contender's figures and levels


def summarise(run: Run, contenders: Sequence[Contender]) -> dict[str, Any]:
    """Return the summary of a run in the form of summary.json."""
    cells = run.cells()
    figures = {c.label: _by_level(run, c, [cell for cell in cells if cell.contender == c.label]) for c in contenders}
    return summarise_figures(run.manifest, contenders, cells, figures)


def summarise_figures(
    manifest: Mapping[str, Any],
    contenders: Sequence[Contender],
    cells: Sequence[TrialRecord],
    figures: Mapping[str, Mapping[int, Blocks]],
    more_figures: Mapping[str, ByBlock] | None = None,
    over: Mapping[tuple[str, str], Collection[int]] | None = None,
) -> dict[str, Any]:
    """Return the summary from figures by label and number of users.

    `more_figures` are compared in addition to the usual ones. `over` limits the comparison of a figure and a
    contender to certain blocks.
    """
    entries = {
        c.label: _contender_entry(c, law_of(c), figures[c.label], [x for x in cells if x.contender == c.label])
        for c in contenders
    }
    planned = [(block, label) for block, order in enumerate(manifest["order"]) for label in order]
    complete = len(cells) == len(planned) and not any(cell.status == "interrupted" for cell in cells)
    measured = sum(cell.status == "measured" for cell in cells)
    baseline = next((c.label for c in [*_compared(contenders), *contenders]), None)
    reasons = {label: entry.reasons for label, entry in entries.items()}
    summary = schema.Summary(
        **summary_head(manifest, reasons, complete, f"{measured} of {len(planned)} trials were measured"),
        blocks=len(manifest["order"]),
        levels=tuple(sorted({users for by_level in figures.values() for users in by_level})),
        baseline=baseline,
        contenders=entries,
        comparisons=tuple(_comparisons(contenders, entries, figures, {**_FIGURES, **(more_figures or {})}, over or {})),
    )
    return summary.model_copy(update={"findings": tuple(_findings(summary))}).model_dump(mode="json", by_alias=True)


def summary_head(
    manifest: Mapping[str, Any], by_label: Mapping[str, Sequence[Reason]], complete: bool, measured: str
) -> dict[str, Any]:
    """Return the fields that all summaries share: which run it is, and whether it is VALID.

    `by_label` holds the reasons against each contender; `measured` says how far an interrupted run came.
    """
    reasons = run_reasons(manifest["busy_before_start"])
    reasons += [] if complete else [because("interrupted", measured=measured)]
    reasons += [reason.at(contender=label) for label, own in by_label.items() for reason in own]
    return {
        "schema": SCHEMA,
        "command": manifest["command"],
        "started_utc": manifest["started_utc"],
        "finished_utc": manifest.get("finished_utc"),
        "complete": complete,
        "valid": not reasons,
        "reasons": reasons,
        "environment": manifest["environment"],
    }


def against(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Sequence[Reason]]:
    """Return the reasons of each contender's entry."""
    return {label: entry["reasons"] for label, entry in entries.items()}


def failures_of(cells: Sequence[TrialRecord], block_name: str = "block") -> list[Reason]:
    """Return a reason for each failed trial."""
    return [
        failure(cell.code, cell.reason, block=cell.block, block_name=block_name)
        for cell in cells
        if cell.status == "failed"
    ]


def _by_level(run: Run, contender: Contender, cells: Sequence[TrialRecord]) -> dict[int, list[LevelFigures]]:
    by_level: dict[int, list[LevelFigures]] = {}
    for cell in cells:
        for figures in level_figures(cell, run.cell_samples(cell), run.cell_resources(cell), law_of(contender)):
            by_level.setdefault(figures.users, []).append(figures)
    return dict(sorted(by_level.items()))


def _contender_entry(
    contender: Contender, law: AnswerLaw, by_level: Mapping[int, Blocks], cells: Sequence[TrialRecord]
) -> schema.ContenderSummary:
    levels = [_level_entry(contender, blocks) for blocks in by_level.values()]
    reasons = failures_of(cells) + [reason.at(users=level.users) for level in levels for reason in level.reasons]
    if not levels and not reasons:
        reasons.append(because("not_measured"))
    rps = {users: _rps(blocks).value for users, blocks in by_level.items()}  # unrounded: rounding could cause ties
    believed = {level.users: rps[level.users] for level in levels if level.valid}
    users = peak_users(rps, believed)
    peak = next((level for level in levels if level.users == users), None)
    return schema.ContenderSummary(
        title=contender.title,
        floor_ms=round(law.floor_ms, 3),
        asked=law.asked,
        harness_floor=contender.harness_floor,
        valid=not reasons,
        reasons=tuple(reasons),
        notes=(*(note for blocks in by_level.values() for note in level_notes(contender, blocks)), *_no_peak(believed)),
        low_load=_low_load_entry(by_level[1], law.floor_ms) if 1 in by_level else None,
        levels=tuple(levels),
        peak=peak
        and schema.HighestRate(
            **{key: getattr(peak, key) for key in _OF_PEAK},
            ci95_rps=_ci95_of_peak(by_level, believed, peak.users),
            bracketed=is_bracketed(believed),
        ),
        cpu_users=users,
        cpu_ms_per_request=peak.cpu_ms_per_request if peak else {},
        ci95_cpu_ms=_ci95(service_cpu_by_block([block for block in by_level[users] if block.n])) if users else None,
        rss_mb=_largest([figures.rss_mb for blocks in by_level.values() for figures in blocks]),
    )


def _no_peak(rps: Mapping[int, float]) -> list[str]:
    """Return a note if the VALID levels do not bracket the highest rate."""
    why = why_no_peak(rps)
    return [f"No peak was found: the rate was {why} (up to {max(rps)} users)"] if rps and why else []


_OF_PEAK = ("users", "rps", "p50_ms", "p99_ms", "generator_cpu", "valid")


def _ci95_of_peak(by_level: Mapping[int, Blocks], believed: Collection[int], top: int) -> list[float | None] | None:
    """Return the interval of the highest rate, which allows for its having been picked among the believed levels."""
    by_block = {users: {b.block: b.rps for b in blocks if b.n} for users, blocks in by_level.items()}
    shared = list(by_block[top])
    rates = {
        users: [found[block] for block in shared]
        for users, found in by_block.items()
        if users in {*believed, top} and found.keys() >= set(shared)
    }
    return _rs(peak_interval(rates, top).as_list()) if shared else None


def _low_load_entry(blocks: Blocks, floor_ms: float) -> schema.LowLoad | None:
    blocks = [block for block in blocks if block.n]
    if not blocks:
        return None
    mean = positive_interval([block.mean_ms for block in blocks])
    p50 = percentile(_pooled(blocks), 50)
    return schema.LowLoad(
        **_percentiles(blocks),
        n=sum(block.n for block in blocks),
        mean_ms=_r(mean.value),
        ci95_mean_ms=_rs(mean.as_list()),
        over_floor=_r(mean.value / floor_ms) if floor_ms else None,
        p50_over_floor=_r(p50 / floor_ms) if floor_ms and p50 else None,
    )


def _level_entry(contender: Contender, blocks: Blocks) -> schema.LevelSummary:
    reasons = level_reasons(contender, blocks)
    counted = [block for block in blocks if block.n]
    rps = _rps(blocks)
    return schema.LevelSummary(
        users=blocks[0].users,
        valid=not reasons,
        reasons=tuple(reasons),
        n=sum(block.n for block in blocks),
        errors=sum(block.errors for block in blocks),
        rps=_r(rps.value),
        ci95_rps=_rs(rps.as_list()),
        mean_ms=_r(float(np.mean([block.mean_ms for block in counted]))) if counted else None,
        **_percentiles(blocks),
        generator_cpu=_mean_by_role([block.cpu_share for block in blocks]).get(GENERATOR_ROLE),
        little_n=_r(float(np.mean([block.little_n for block in counted]))) if counted else None,
        cpu_ms_per_request=_mean_by_role([block.cpu_ms_per_request for block in counted]),
        foreign_share=_mean_seen([block.foreign_share for block in blocks]),
        steal_share=_mean_seen([block.steal_share for block in blocks]),
    )


def _ci95(by_block: Mapping[int, float]) -> list[float | None] | None:
    return _rs(positive_interval(list(by_block.values())).as_list()) if by_block else None


def _rps(blocks: Blocks) -> Interval:
    """Return the rate of a level as a geometric mean, so that ratios of printed rates equal the paired ratios."""
    values = [block.rps for block in blocks if block.n]
    return geometric_interval(values) if values else Interval(0.0, None, None)


def _percentiles(blocks: Blocks) -> dict[str, float | None]:
    pooled = _pooled(blocks)
    return {f"p{percent}_ms": _r(percentile(pooled, percent)) for percent in (50, 95, 99)}


def _pooled(blocks: Blocks) -> np.ndarray:
    return np.concatenate([block.latencies_ms for block in blocks])


def _comparisons(
    contenders: Sequence[Contender],
    entries: Mapping[str, schema.ContenderSummary],
    figures: Mapping[str, Mapping[int, Blocks]],
    kinds: Mapping[str, ByBlock],
    over: Mapping[tuple[str, str], Collection[int]],
) -> list[schema.Comparison]:
    """Compare every contender with the baseline, over the blocks in which both were measured."""
    if not (compared := _compared(contenders)):
        return []
    baseline, *others = compared
    pairs = []
    for other in others:
        for figure, by_block in kinds.items():
            ours = by_block(entries[other.label], figures[other.label])
            theirs = by_block(entries[baseline.label], figures[baseline.label])
            shared = sorted(set(ours) & set(theirs) & set(over.get((figure, other.label), ours)))
            if shared:
                pairs.append((figure, other.label, [ours[b] for b in shared], [theirs[b] for b in shared]))
    # Without a correction, one of many comparisons would look significant by chance.
    p_values = [ratio_p_value(ours, theirs) for _, _, ours, theirs in pairs]
    peaks = {label for label, entry in entries.items() if entry.peak and entry.peak.bracketed}
    return [
        schema.Comparison(
            figure=figure,
            baseline=baseline.label,
            contender=label,
            **_ratio(ours, theirs, level, is_shown and (figure != "peak_rps" or {label, baseline.label} <= peaks)),
        )
        for (figure, label, ours, theirs), level, is_shown in zip(
            pairs, holm_levels(p_values), holm(p_values), strict=True
        )
    ]


def _compared(contenders: Sequence[Contender]) -> list[Contender]:
    """Return the contenders to compare: all but those that measure the limit of the harness itself."""
    return [contender for contender in contenders if not contender.harness_floor]


def _ratio(ours: Sequence[float], theirs: Sequence[float], level: float, shown: bool) -> dict[str, Any]:
    """Return a ratio with `ci`, the corrected interval that decides, its `confidence`, and the plain 95 % interval.

    Unrounded, so that every computation of it gives the same value.
    """
    ratio = ratio_interval(ours, theirs, level)
    return {
        "ratio": ratio.value,
        "ci": ratio.as_list(),
        "confidence": level,
        "ci95": _rs(ratio_interval(ours, theirs, CONFIDENCE).as_list()),
        "difference_shown": shown and abs(ratio.value - 1) >= MIN_CLAIM,
    }


def _low_load_by_block(_: schema.ContenderSummary, by_level: Mapping[int, Blocks]) -> dict[int, float]:
    return {block.block: block.mean_ms for block in by_level.get(1, []) if block.n}


def _peak_by_block(entry: schema.ContenderSummary, by_level: Mapping[int, Blocks]) -> dict[int, float]:
    return {block.block: block.rps for block in _peak_blocks(entry, by_level)}


def _cpu_by_block(entry: schema.ContenderSummary, by_level: Mapping[int, Blocks]) -> dict[int, float]:
    return service_cpu_by_block(_peak_blocks(entry, by_level))


def service_cpu_by_block(blocks: Blocks) -> dict[int, float]:
    """Return the CPU time per request of all processes except the load generator, in ms by block."""
    sums = {
        block.block: sum(ms for role, ms in block.cpu_ms_per_request.items() if role != GENERATOR_ROLE)
        for block in blocks
        if block.n
    }
    return {block: cpu_ms for block, cpu_ms in sums.items() if cpu_ms}  # 0 means that there are no samples


def _peak_blocks(entry: schema.ContenderSummary, by_level: Mapping[int, Blocks]) -> Blocks:
    return [block for block in by_level[entry.peak.users] if block.n] if entry.peak else []


_FIGURES = {
    "low_load_mean_ms": _low_load_by_block,
    "peak_rps": _peak_by_block,
    "cpu_ms_per_request": _cpu_by_block,
}


def _mean_by_role(rows: Sequence[Mapping[str, float]]) -> dict[str, float | None]:
    roles = sorted({role for row in rows for role in row})
    return {role: _r(float(np.mean([row[role] for row in rows if role in row]))) for role in roles}


def _mean_seen(shares: Sequence[float | None]) -> float | None:
    """Return the mean of the shares that were observed; None if none was."""
    seen = [share for share in shares if share is not None]
    return _r(float(np.mean(seen))) if seen else None


def _largest(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    roles = sorted({role for row in rows for role in row})
    return {role: round(max(row[role] for row in rows if role in row), 1) for role in roles}


def _stands(summary: schema.Summary, compared: schema.Comparison) -> bool:
    """Whether the baseline's figure is VALID; otherwise there is nothing to compare with."""
    return summary.contenders[compared.baseline].figure_stands(compared.figure, summary.low_users)


def _findings(summary: schema.Summary) -> Iterator[Finding]:
    """Yield every contender's latency at low load, highest rate and CPU per request, compared with the baseline."""
    for name, each in summary.contenders.items():
        figures: list[tuple[str, str, float, schema.MaybeInterval, int]] = []
        if low := each.low_load:
            figures.append(("low_load_mean_ms", "ms", low.mean_ms, low.ci95_mean_ms, summary.low_users))
        if peak := each.peak:
            name_of_rate = "peak_rps" if peak.bracketed else "highest_rps"
            figures.append((name_of_rate, "rps", peak.rps, peak.ci95_rps, peak.users))
        if cpu_ms := schema.service_cpu_ms(each.cpu_ms_per_request):
            figures.append(("cpu_ms_per_request", "ms", cpu_ms, each.ci95_cpu_ms, each.cpu_users or 0))
        for figure, unit, value, ci95, users in figures:
            level = each.level(users)
            reasons = [*each.faults, *(level.reasons if level else ())]
            compared = summary.comparison(figure, name)
            versus = (
                compared
                and _stands(summary, compared)
                and {
                    "versus": compared.baseline,
                    "ratio": compared.ratio,
                    "ratio_ci95": compared.ci95,
                    "shown": compared.difference_shown,
                }
            )
            yield finding(QUESTION, name, figure, unit, value, reasons, ci95, **(versus or {}))


def _r(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(f"{value:.6g}")


def _rs(values: list[float] | None) -> list[float | None] | None:
    return None if values is None else [_r(value) for value in values]
