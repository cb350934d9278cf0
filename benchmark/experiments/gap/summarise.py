"""The record of an `explain` run -> its summary."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.level_figures import CPU_USERS, LOW_USERS
from benchmark.analysis.reasons import Reason, because, plain
from benchmark.analysis.stats import DIFFERENCES, RATIOS, Scale, block_interval
from benchmark.analysis.validity import run_reasons
from benchmark.analysis.variant_figures import Measured, entry, measure_all, ratio_entry
from benchmark.contenders.answer_law import law_of
from benchmark.experiments.gap.anatomy import stage_anatomy
from benchmark.experiments.gap.attribution import Responses, attribute, attribute_parts, shared_blocks
from benchmark.experiments.gap.contenders import COMPARED, level_of, summarise_contenders
from benchmark.experiments.gap.scheduling_delay import waiting
from benchmark.experiments.prediction.summarise import bounds, crossover, lead_s, over_users, peaks, what_ifs
from benchmark.record.allowance import recorded_cores
from benchmark.record.manifest import recorded_contenders
from benchmark.record.run import SCHEMA, Run, TrialRecord

QUESTION = "Where does the difference come from?"
PREDICTABLE = "Can the rate under load be predicted from light load?"


def summarise(run: Run, predicted: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the summary of a run in the form of summary.json, and that of its contenders as `bench` would have it.

    `predicted` is what prediction.json holds.
    """
    manifest = run.manifest
    explain = manifest["explain"]
    variants = measure_all(run, recorded_contenders(manifest), explain["variants"])
    by_label = {variant.label: variant for variant in variants}
    mains = _main_variants(explain, by_label)
    complete, reasons = _judge(run, variants)
    anatomy, doubts = stage_anatomy(
        run, _anatomy_cells(run, mains), {n: law_of(v[0].contender).asked for n, v in mains.items()}
    )
    limits = bounds(mains, recorded_cores(manifest["environment"]) or 1)
    lead = lead_s(run.cells(), variants, predicted)
    reasons += [*doubts, *_too_late(lead)]
    contenders = summarise_contenders(run, mains, _shared_blocks(explain, by_label))
    summary = {
        "schema": SCHEMA,
        "command": manifest["command"],
        "started_utc": manifest["started_utc"],
        "finished_utc": manifest.get("finished_utc"),
        "complete": complete,
        "valid": not reasons,
        "reasons": reasons,
        "baseline": explain["from"],
        "quick": explain["quick"],
        "blocks": len(manifest["order"]["cell"]),
        "notes": [*_notes(explain, by_label), *_not_calibrated(predicted)],
        "factors": explain["factors"],
        "confounded": explain["confounded"],
        "cells": [_cell_entry(cell, by_label[cell["label"]]) for cell in explain["cells"]],
        "comparisons": contenders["comparisons"],
        "attribution": _attribution(explain, by_label, list(explain["factors"]), explain["to"], contenders),
        "attribution_customary": _customary(explain, by_label, contenders),
        "latency_parts": _latency_parts(manifest, by_label),
        "anatomy": anatomy,
        "waiting": waiting(run, variants, explain["waiting"]),
        "clock_cost": _clock_cost(variants, mains),
        "prediction": over_users(mains, predicted, limits),
        "peaks": peaks(mains, predicted, limits),
        "what_if": what_ifs(explain, variants, mains, predicted),
        "crossover": crossover(variants, predicted),
        "predicted_before": predicted.get("written_utc"),
        "prediction_lead_s": lead,
        "calibrations": _calibrations(predicted),
        "environment": manifest["environment"],
    }
    return plain({**summary, "findings": [*contenders["findings"], *_findings(summary)]}), contenders


def _findings(summary: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield each factor's share of each gap, and how far each predicted peak rate was off."""
    reasons = [reason for reason in summary["reasons"] if not reason.contender]
    for response, found in summary["attribution"].items():
        for factor, share in (found or {}).get("shares", {}).items():
            figure, unit = f"{response}_share_of_{factor}", "times" if response == "peak_rps" else "ms"
            yield finding(QUESTION, found["to"], figure, unit, share["value"], reasons, share["ci95"])
    for name, peak in summary["peaks"].items():
        if peak["error"] is not None:
            against = [*reasons, *peak["reasons"]]
            yield finding(PREDICTABLE, name, "predicted_peak_error", "", peak["error"], against, peak["error_ci95"])


def _calibrations(predicted: Mapping[str, Any]) -> int:
    """Return how often each contender was calibrated (the one that was most often)."""
    counts = Counter(name for part in predicted.get("parts", ()) for name in part.get("contenders", ()))
    return max(counts.values(), default=0)


def _too_late(lead: Mapping[str, Any] | None) -> list[Reason]:
    if lead is None or lead["least"] > 0:
        return []
    return [because("late_prediction", late_s=-lead["least"])]


def _not_calibrated(predicted: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} was not calibrated in block {part['block'] + 1}: {why}"
        for part in predicted.get("parts", ())
        for name, why in part.get("not_calibrated", {}).items()
    ]


def _judge(run: Run, variants: Sequence[Measured]) -> tuple[bool, list[Reason]]:
    """Return whether everything was measured that was planned, and why the run is INVALID."""
    manifest, cells = run.manifest, run.cells()
    planned = sum(len(labels) for blocks in manifest["order"].values() for labels in blocks)
    complete = len(cells) == planned and not any(cell.status == "interrupted" for cell in cells)
    reasons = run_reasons(manifest["busy_before_start"])
    if not complete:
        measured = sum(cell.status == "measured" for cell in cells)
        reasons.append(because("interrupted", measured=f"{measured} of {planned} cells were measured"))
    return complete, reasons + [reason.at(**_whose(variant)) for variant in variants for reason in variant.reasons]


def _whose(variant: Measured) -> dict[str, str]:
    """Return the label of a cell, or the contender before that of another phase."""
    is_cell = variant.label.startswith("cell-")
    return {"contender": variant.label} if is_cell else {"contender": variant.facts["of"], "part": variant.label}


def _main_variants(explain: Mapping[str, Any], by_label: Mapping[str, Measured]) -> dict[str, list[Measured]]:
    """Return by contender the variants that are it, unchanged: first those under load, then those at light load."""
    found: dict[str, list[Measured]] = {}
    for phase in ("cell", "light"):
        for label, facts in explain["variants"].items():
            if facts["phase"] == phase and facts["of"] and facts["stage_clock"]:
                found.setdefault(facts["of"], []).append(by_label[label])
    return found


def _anatomy_cells(run: Run, mains: Mapping[str, Sequence[Measured]]) -> dict[str, list[TrialRecord]]:
    measured = [cell for cell in run.cells() if cell.status == "measured"]
    found = {name: [c for c in measured if c.contender == variants[0].label] for name, variants in mains.items()}
    return {name: cells for name, cells in found.items() if cells}


def _cell_entry(cell: Mapping[str, Any], variant: Measured) -> dict[str, Any]:
    peak, cpu = ratio_entry(list(variant.peak_rps.values())), entry(list(variant.cpu_ms(CPU_USERS).values()))
    return {
        **cell,
        "latency_ms": entry(list(variant.latency_ms(LOW_USERS).values())),
        "peak_rps": peak and {**peak, "users": variant.peak_users, "bracketed": not variant.no_peak},
        "cpu_ms": cpu and {**cpu, "users": CPU_USERS},
        "valid": not variant.reasons,
        "reasons": variant.reasons,
    }


def _attribution(
    explain: Mapping[str, Any],
    by_label: Mapping[str, Measured],
    factors: Sequence[str],
    goal: str,
    contenders: Mapping[str, Any],
) -> dict[str, Any]:
    """Attribute the gaps of all responses to `factors`; all others are held at `from`.

    A gap between two contenders is decided as `contenders` compares them.
    """
    compared = _is_gap_of(explain, factors, goal)
    found = {
        name: attribute(factors, by, scale, explain["half"], level_of(contenders, name, goal) if compared else None)
        for name, (by, scale) in _responses(explain, by_label, factors).items()
    }
    return {name: {"from": explain["from"], "to": goal, **each} for name, each in found.items() if each}


def _responses(
    explain: Mapping[str, Any], by_label: Mapping[str, Measured], factors: Sequence[str]
) -> dict[str, tuple[Responses, Scale]]:
    """Return the values of the cells in which no factor but these is at `to`, by response."""
    cells = {raised: v for raised, v in _by_raised(explain, by_label).items() if raised <= set(factors)}
    return {
        "latency_ms": ({raised: v.latency_ms(LOW_USERS) for raised, v in cells.items()}, DIFFERENCES),
        "cpu_ms": ({raised: v.cpu_ms(CPU_USERS) for raised, v in cells.items()}, DIFFERENCES),
        "peak_rps": ({raised: v.peak_rps for raised, v in cells.items()}, RATIOS),
    }


def _is_gap_of(explain: Mapping[str, Any], factors: Sequence[str], goal: str) -> bool:
    """Whether the gap lies between two contenders: the corners are these, and not only near to them."""
    ends = {
        frozenset(name for name, side in cell["levels"].items() if side == "to"): cell["contender"]
        for cell in explain["cells"]
    }
    return (ends[frozenset()], ends[frozenset(factors)]) == (explain["from"], goal)


def _shared_blocks(explain: Mapping[str, Any], by_label: Mapping[str, Measured]) -> dict[tuple[str, str], list[int]]:
    """Return the blocks that a gap is attributed over, by the comparison of its contenders."""
    goals = {explain["to"]: list(explain["factors"])}
    if explain["customary_to"]:
        goals[explain["customary_to"]["contender"]] = explain["customary_to"]["factors"]
    return {
        (COMPARED[name], goal): blocks
        for goal, factors in goals.items()
        if _is_gap_of(explain, factors, goal)
        for name, (by, _) in _responses(explain, by_label, factors).items()
        if (blocks := shared_blocks(by))
    }


def _by_raised(explain: Mapping[str, Any], by_label: Mapping[str, Measured]) -> dict[frozenset[str], Measured]:
    """Return the cells of the design by the factors that are at `to`."""
    return {
        frozenset(name for name, side in cell["levels"].items() if side == "to"): by_label[cell["label"]]
        for cell in explain["cells"]
    }


def _latency_parts(manifest: Mapping[str, Any], by_label: Mapping[str, Measured]) -> dict[str, Any]:
    explain = manifest["explain"]
    cells = _by_raised(explain, by_label)
    return attribute_parts(
        list(explain["factors"]),
        {raised: v.latency_ms(LOW_USERS) for raised, v in cells.items()},
        {raised: v.slept_ms for raised, v in cells.items()},
        {raised: law_of(v.contender).sleep_floor_ms for raised, v in cells.items()},
        explain["half"],
    )


def _customary(
    explain: Mapping[str, Any], by_label: Mapping[str, Measured], contenders: Mapping[str, Any]
) -> dict[str, Any]:
    goal = explain["customary_to"]
    return _attribution(explain, by_label, goal["factors"], goal["contender"], contenders) if goal else {}


def _clock_cost(variants: Sequence[Measured], mains: Mapping[str, Sequence[Measured]]) -> dict[str, Any] | None:
    """Return what the stage clock adds, paired by block: with it minus without it."""
    found = {}
    for without in variants:
        if without.facts["stage_clock"]:
            continue
        name = without.facts["of"]
        clocked = mains[name][0]
        found[name] = {
            "latency_ms": _difference(clocked.latency_ms(LOW_USERS), without.latency_ms(LOW_USERS)),
            "cpu_ms": _difference(clocked.cpu_ms(CPU_USERS), without.cpu_ms(CPU_USERS)),
        }
    return found or None


def _difference(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[str, Any] | None:
    shared = sorted(set(ours) & set(theirs))
    if not shared:
        return None
    interval = block_interval([ours[block] - theirs[block] for block in shared])
    return {"value": interval.value, "ci95": interval.as_list()}


def _notes(explain: Mapping[str, Any], by_label: Mapping[str, Measured]) -> list[str]:
    """Return what a reader should know before believing a figure."""
    notes = [f"{explain['left_out']}."] if explain.get("left_out") else []
    if explain["half"]:
        notes.append(
            "Half of the cells were measured: each factor's share cannot be told from the interaction of all "
            "others, which is taken for zero."
        )
    if not explain["corners_are_contenders"]:
        notes.append(
            "The factors do not lead all the way from one contender to the other: the corners of the design "
            f"are not {explain['from']} and {explain['to']} as they are."
        )
    blocks = [set(by_label[cell["label"]].latency_ms(LOW_USERS)) for cell in explain["cells"]]
    dropped = len(set.union(*blocks)) - len(set.intersection(*blocks)) if blocks else 0
    if dropped:
        notes.append(f"{dropped} blocks are not attributed, since not all of their cells were measured.")
    return notes
