"""Predicted and measured side by side. Either may be missing; what was not measured is None, never guessed."""

from collections.abc import Mapping, Sequence
from statistics import geometric_mean, median
from typing import Any

from benchmark.analysis.reasons import Reason
from benchmark.analysis.stats import ratio_interval
from benchmark.analysis.variant_figures import ByBlock, Measured, as_entry
from benchmark.experiments.prediction.bounds import Bound, bound_of
from benchmark.record.run import TrialRecord

_MANY_USERS = 10**6  # for whom the number of users binds no more
Mains = Mapping[str, Sequence[Measured]]  # by contender, the best source first


def bounds(mains: Mains, cores: float) -> dict[str, Bound]:
    """Return by contender the simple bound on its rate, from its light levels."""
    lights = {name: next((v for v in own if v.facts["phase"] == "light"), None) for name, own in mains.items()}
    found = {name: bound_of(light, cores) for name, light in lights.items() if light}
    return {name: bound for name, bound in found.items() if bound}


def over_users(
    mains: Mains, predicted: Mapping[str, Any], bounds: Mapping[str, Bound]
) -> dict[str, list[dict[str, Any]]]:
    """Return by contender the predicted levels, each with what was measured there; and why that is INVALID."""
    return {
        name: [
            {
                "users": row["users"],
                "calibrated": row["calibrated"],
                "rps_predicted": row["rps"],
                "rps_bound": bounds[name].rate_rps(row["users"]) if name in bounds else None,
                "rps_measured": _rps(mains.get(name, ()), row["users"]),
                "p50_predicted_ms": row["p50_ms"],
                "p50_measured_ms": _p50_ms(mains.get(name, ()), row["users"]),
                "reasons": _reasons(mains.get(name, ()), row["users"]),
            }
            for row in rows
        ]
        for name, rows in predicted.get("contenders", {}).items()
    }


def peaks(mains: Mains, predicted: Mapping[str, Any], bounds: Mapping[str, Bound]) -> dict[str, dict[str, Any]]:
    """Return by contender the predicted and the measured peak rate; error = predicted / measured - 1.

    `rps_bound` and `bound_error` are the same of the simple bound for many users.

    The two need not lie at the same number of users. `error_ci95` pairs each block's calibration with its
    measurement. `cpu_off` says by role how much more CPU a request cost at the measured peak than was predicted for
    so many users: where programs that have nothing in common are off by the same factor, it is the machine's speed
    that has changed.
    """
    found = {}
    for name, peak in predicted.get("peaks", {}).items():
        variant = next(iter(mains.get(name, ())), None)
        users = variant.peak_users if variant else None
        measured = variant.rate(users) if variant and users else None
        expected = _by_block(predicted, name, peak["users"])
        bound = bounds[name].rate_rps(_MANY_USERS) if name in bounds else None
        found[name] = {
            "users_predicted": peak["users"],
            "users_measured": users,
            "rps_predicted": peak["rps"],
            "rps_measured": measured,
            "rps_bound": bound,
            "bound_error": bound / measured - 1 if bound and measured else None,
            "error": peak["rps"] / measured - 1 if measured else None,
            "error_ci95": _error_interval(expected, variant.rps(users)) if variant and users else None,
            "cpu_off": _cpu_off(_by_block(predicted, name, users), variant.cpu_by_role(users))
            if variant and users
            else {},
            "bracketed": not variant.no_peak if variant and users else None,
            "reasons": variant.reasons_at(users) if variant and users else [],
        }
    return found


def _by_block(predicted: Mapping[str, Any], name: str, users: int) -> dict[int, Mapping[str, Any]]:
    """Return what each calibration has predicted of a contender at a level."""
    return {
        part["block"]: row
        for part in predicted.get("parts", ())
        for row in part.get("contenders", {}).get(name, ())
        if row["users"] == users
    }


def _error_interval(expected: Mapping[int, Mapping[str, Any]], rps: ByBlock) -> list[float] | None:
    shared = sorted(set(expected) & set(rps))
    if not shared:
        return None
    interval = ratio_interval([expected[block]["rps"] for block in shared], [rps[block] for block in shared]).as_list()
    return interval and [bound - 1 for bound in interval]


def _cpu_off(expected: Mapping[int, Mapping[str, Any]], measured: Mapping[str, ByBlock]) -> dict[str, float]:
    """Return measured / predicted - 1 by role, the geometric mean over blocks."""
    found = {}
    for role, by_block in measured.items():
        told = {block: row["cpu_ms"][role] for block, row in expected.items() if row.get("cpu_ms", {}).get(role)}
        shared = sorted(set(told) & set(by_block))
        if shared:
            found[role] = geometric_mean([by_block[block] / told[block] for block in shared]) - 1
    return found


def what_ifs(
    explain: Mapping[str, Any], variants: Sequence[Measured], mains: Mains, predicted: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return each what-if at each number of users: before, as predicted, and as measured.

    `rps_change` is the measured rate over the one before, paired by block; `error` is predicted / measured - 1 of the
    rate, and its interval pairs them by block, too. `rps_predicted_before` is what the same model says without the
    change: where nothing was measured, what it says with it over that is the effect. `reasons` say why what was
    measured, before or after, is INVALID.
    """
    usual = {(name, row["users"]): row["rps"] for name, rows in predicted.get("contenders", {}).items() for row in rows}
    changed = {v.facts["what_if"]: v for v in variants if "what_if" in v.facts}
    expected = {(row["what_if"], row["users"]): row for row in predicted.get("what_if", [])}
    return [
        {
            "contender": what_if["contender"],
            "title": what_if["title"],
            "setting": what_if["setting"],
            "assume": what_if["assume"],
            "users": users,
            "rps_before": _rps(mains.get(what_if["contender"], ()), users),
            "rps_predicted_before": usual.get((what_if["contender"], users)),
            "rps_predicted": expected.get((number, users), {}).get("rps"),
            "rps_measured": _rps([changed[number]], users) if number in changed else None,
            "rps_change": _ratio(changed.get(number), mains.get(what_if["contender"], ()), users),
            **_error(expected.get((number, users)), changed.get(number), _what_if_by_block(predicted, number, users)),
            "p50_before_ms": _p50_ms(mains.get(what_if["contender"], ()), users),
            "p50_predicted_ms": expected.get((number, users), {}).get("p50_ms"),
            "p50_measured_ms": _p50_ms([changed[number]], users) if number in changed else None,
            "reasons": _reasons(mains.get(what_if["contender"], ()), users)
            + (changed[number].reasons_at(users) if number in changed else []),
        }
        for number, what_if in enumerate(explain["what_ifs"])
        for users in what_if["users"]
    ]


def _what_if_by_block(predicted: Mapping[str, Any], number: int, users: int) -> dict[int, Mapping[str, Any]]:
    """Return what each calibration has predicted of a what-if at a level."""
    return {
        part["block"]: row
        for part in predicted.get("parts", ())
        for row in part.get("what_if", ())
        if (row["what_if"], row["users"]) == (number, users)
    }


def _error(
    row: Mapping[str, Any] | None, measured: Measured | None, by_block: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the error of a predicted row's rate, with its interval; None where either is missing."""
    rps = measured.rate(row["users"]) if row and measured else None
    if row is None or measured is None or not rps:
        return {"error": None, "error_ci95": None}
    return {"error": row["rps"] / rps - 1, "error_ci95": _error_interval(by_block, measured.rps(row["users"]))}


def crossover(variants: Sequence[Measured], predicted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the ratio of the rates, `to` over `from`: measured points, and predicted ones in between."""
    found = _measured_ratios(variants)
    expected = {(row["cpu_ms"], row["users"]): row["ratio"] for row in predicted.get("crossover", [])}
    points = [
        {"cpu_ms": cpu_ms, "users": users, **row, "ratio_predicted": expected.get((cpu_ms, users))}
        for (cpu_ms, users), row in found.items()
    ]
    points += [
        {
            "cpu_ms": cpu_ms,
            "users": users,
            "ratio": ratio,
            "measured": False,
            "ci95": None,
            "reasons": [],
            "ratio_predicted": ratio,
        }
        for (cpu_ms, users), ratio in expected.items()
        if (cpu_ms, users) not in found
    ]
    return sorted(points, key=lambda point: (point["cpu_ms"], point["users"]))


def lead_s(
    cells: Sequence[TrialRecord], variants: Sequence[Measured], predicted: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return how long before a measurement its prediction was written down, in seconds: `least`, `median` and `n`.

    A cell counts from the beginning of its first measured window, on the clock on which the prediction was stamped.
    """
    by_label = {variant.label: variant.facts for variant in variants}
    leads = [
        (cell.windows[0].start_ns - part["written_ns"]) / 1e9
        for part in predicted.get("parts", ())
        for cell in cells
        if cell.windows and "written_ns" in part and _is_held_against(part, cell, by_label[cell.contender])
    ]
    return {"least": min(leads), "median": median(leads), "n": len(leads)} if leads else None


def _is_held_against(part: Mapping[str, Any], cell: TrialRecord, facts: Mapping[str, Any]) -> bool:
    if "crossover" in part:
        return bool(facts["phase"] == "map")
    same = cell.block == part["block"] and facts["of"] in part.get("contenders", ())
    return same and facts["phase"] in {"cell", "whatif"} and bool(facts["stage_clock"])


def _measured_ratios(variants: Sequence[Measured]) -> dict[tuple[int, int], dict[str, Any]]:
    """Return the measured ratios by CPU time and users, paired by block."""
    by_side = {(v.facts["cpu_ms"], v.facts["side"]): v for v in variants if "side" in v.facts}
    found = {}
    for cpu_ms in sorted({cpu_ms for cpu_ms, _ in by_side}):
        ours, theirs = by_side[cpu_ms, "to"], by_side[cpu_ms, "from"]
        for users in sorted(set(ours.by_users) & set(theirs.by_users)):
            if ratio := _ratio(ours, [theirs], users):
                found[cpu_ms, users] = {
                    "ratio": ratio["value"],
                    "measured": True,
                    "ci95": ratio["ci95"],
                    "reasons": [*ours.reasons_at(users), *theirs.reasons_at(users)],
                }
    return found


def _ratio(ours: Measured | None, theirs: Sequence[Measured], users: int) -> dict[str, Any] | None:
    """Return the ratio of the rates at a level, paired by block, over the first of `theirs` that has that level."""
    other = next((variant for variant in theirs if variant.rps(users)), None)
    if ours is None or other is None:
        return None
    our_rps, other_rps = ours.rps(users), other.rps(users)
    shared = sorted(set(our_rps) & set(other_rps))
    return as_entry(ratio_interval([our_rps[b] for b in shared], [other_rps[b] for b in shared])) if shared else None


def _reasons(variants: Sequence[Measured], users: int) -> list[Reason]:
    """Return why the first of the variants that has a level is INVALID there."""
    return next((variant.reasons_at(users) for variant in variants if variant.rps(users)), [])


def _rps(variants: Sequence[Measured], users: int) -> float | None:
    return next((rps for variant in variants if (rps := variant.rate(users)) is not None), None)


def _p50_ms(variants: Sequence[Measured], users: int) -> float | None:
    return next((p50_ms for variant in variants if (p50_ms := variant.p50_ms(users)) is not None), None)
