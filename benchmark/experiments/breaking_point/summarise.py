"""Observations of the experiment -> its summary."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmark.analysis.findings import Finding, finding
from benchmark.analysis.reasons import Reason, because, failure, plain
from benchmark.analysis.summary import against, summary_head
from benchmark.analysis.validity import MAX_GENERATOR_CPU, disturbance_reasons, early_reasons, most_late
from benchmark.contenders.discovery import Contender
from benchmark.experiments.breaking_point.observations import (
    Breaks,
    Broke,
    Held,
    LocustRun,
    Observation,
    Tried,
    of_kind,
    read_observations,
)
from benchmark.load.shapes import LOAD_TEST, MAX_PERFORMANCE, PACING_S, RESPONSE_TIME, SHAPE, STRESS_TEST, TRY
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import SURROUNDING_ROLES, cpu_ns_between
from benchmark.record.run import Run, TrialRecord

QUESTION = "Where does each architecture break?"
OPEN_LOOP, CLOSED_AT_RATE = "open-loop", "closed-at-rate"


@dataclass(frozen=True)
class TryEntry:
    """A rate that was tried, and whether it was sustained."""

    rps: float
    sustained: bool


@dataclass(frozen=True)
class BreakingPointEntry:
    """Where a contender broke, and what it held; None for what was not tried.

    Without any tries, as when it was interrupted before, the point is where the load test broke. Each part has
    reasons of its own: the point, what was held, and where the load test broke rest on different Locust runs.
    """

    rps: float
    ci95: tuple[float, float]
    users: int
    broke: bool
    reason: str
    held: bool | None
    held_users: int | None
    p50_ms: float | None  # while it was held
    ramp_rps: float | None  # where the load test broke in passing
    ramp_ci95: tuple[float, float] | None
    tries: tuple[TryEntry, ...]
    cpu_ms: float | None = None  # of all its processes per correct answer, in the tries; older records have none
    reasons: tuple[Reason, ...] = ()  # why the point is INVALID
    held_reasons: tuple[Reason, ...] = ()  # why what was held is
    ramp_reasons: tuple[Reason, ...] = ()  # why where the load test broke is


@dataclass(frozen=True)
class OpenLoopEntry:
    """The same rate in both loops."""

    rate_rps: float
    p50_ms: float | None
    p99_ms: float | None
    p99_closed_ms: float | None
    late: int
    dropped: int
    reasons: tuple[Reason, ...] = ()  # why it is INVALID


def summarise(run: Run, contenders: Sequence[Contender]) -> dict[str, Any]:
    """Return the summary of a run from its observations."""
    seen, cells = read_observations(run), {cell.contender: cell for cell in run.cells()}
    entries = {
        c.label: _entry(run, c, [each for each in seen if each.contender == c.label], cells.get(c.label))
        for c in contenders
    }
    manifest = run.manifest
    measured = f"{len(cells)} of {len(entries)} contenders were measured completely"
    document: dict[str, Any] = plain(
        {
            **summary_head(manifest, against(entries), not run.interrupted, measured),
            "findings": [found for label, entry in entries.items() for found in _found(label, entry)],
            "scale": manifest["plan"]["scale"],
            "baseline": contenders[0].label,
            "contenders": entries,
        }
    )
    return document


def _entry(run: Run, contender: Contender, seen: Sequence[Observation], cell: TrialRecord | None) -> dict[str, Any]:
    runs = list(of_kind(seen, LocustRun))
    faults = [failure(cell.code, cell.reason)] if cell and cell.status == "failed" else []
    reasons = faults + [reason for found in runs for reason in run_reasons(found)]
    point, opened = breaking_point_entry(seen), open_loop_entry(runs)
    point = replace(point, cpu_ms=_cpu_ms(run, runs)) if point else None
    return {
        "title": contender.title,
        "valid": not reasons,
        "reasons": reasons,
        # Why all of it is INVALID; the other reasons stand with the parts that rest on what they are about.
        "faults": faults,
        "examples": [_judged(found.to_json(), run_reasons(found)) for found in runs],
        "breaking_point": _judged(plain(point), point.reasons) if point else None,
        "open_loop": _judged(plain(opened), opened.reasons) if opened else None,
    }


def _cpu_ms(run: Run, runs: Sequence[LocustRun]) -> float | None:
    """Return the CPU time of a contender's processes per correct answer: the median of its tries."""
    costs = [_cpu_ms_of(run, found) for found in runs if found.example == TRY and found.n and found.until_s]
    known = [cost for cost in costs if cost is not None]
    return round(float(np.median(known)), 4) if known else None


def _cpu_ms_of(run: Run, found: LocustRun) -> float | None:
    """Return the CPU time per correct answer within the time that is counted; None where it was not observed."""
    part = found.stem.removeprefix(f"{found.contender}-")
    resources = run.cell_resources(TrialRecord(0, found.contender, 0, part=part))
    own = resources[~resources["role"].isin([*SURROUNDING_ROLES, GENERATOR_ROLE])]
    end_ns = found.start_ns + int((found.until_s or 0) * 1e9)
    start_ns = end_ns - int(found.n / found.rps * 1e9)
    used_ns = [cpu_ns_between(group, start_ns, end_ns) for _, group in own.groupby("role")]
    return sum(used_ns) / found.n / 1e6 if used_ns else None


def _found(label: str, entry: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the latency of a single user, the breaking point, and what an open loop shows below it."""
    faults = entry["faults"]
    alone = next((each for each in entry["examples"] if each["example"] == RESPONSE_TIME.name), None)
    if alone and alone["p95_ms"] is not None:
        yield finding(QUESTION, label, "low_load_p95_ms", "ms", alone["p95_ms"], [*faults, *alone["reasons"]])
    if point := entry["breaking_point"]:
        figure = "breaking_point_rps" if point["broke"] else "highest_rps"
        yield finding(QUESTION, label, figure, "rps", point["rps"], [*faults, *point["reasons"]], point["ci95"])
    if (opened := entry["open_loop"]) and opened["p99_ms"] is not None:
        yield finding(QUESTION, label, "open_loop_p99_ms", "ms", opened["p99_ms"], [*faults, *opened["reasons"]])


def _judged(part: Mapping[str, Any], reasons: Sequence[Reason]) -> dict[str, Any]:
    return {**part, "valid": not reasons, "reasons": list(reasons)}


def run_reasons(found: LocustRun) -> list[Reason]:
    """Return why the figures of a Locust run are not to be believed."""
    name = found.example
    reasons = disturbance_reasons([found])
    if found.generator_cpu > MAX_GENERATOR_CPU:
        reasons.append(because("generator_saturated", share=found.generator_cpu))
    if name in {OPEN_LOOP, SHAPE} and found.late + found.dropped > most_late(found.n):
        reasons.append(because("late_arrivals", late=found.late, dropped=found.dropped))
    if found.errors and name not in {STRESS_TEST.name, LOAD_TEST.name, TRY, SHAPE}:
        reasons.append(because("errors", errors=found.errors, example=found.first_error))
    if found.fastest_excess_ms is not None:
        reasons += early_reasons(found.fastest_excess_ms)
    return [reason.at(part=name) for reason in reasons]


def _reasons_of(runs: Sequence[LocustRun], *examples: str) -> tuple[Reason, ...]:
    """Return why what rests on the runs of these examples is INVALID."""
    return tuple(reason for found in runs if found.example in examples for reason in run_reasons(found))


def breaking_point_entry(seen: Sequence[Observation]) -> BreakingPointEntry | None:
    """Return where a contender broke, or None if that was not looked for."""
    ramp = next((found.point for found in of_kind(seen, Broke)), None)
    by_tries = next((found.point for found in of_kind(seen, Breaks)), None)
    point = by_tries or ramp
    if point is None:
        return None
    ramp_broke = ramp if ramp and ramp.broke else None
    held, runs = list(of_kind(seen, Held)), list(of_kind(seen, LocustRun))
    holding = [found for found in runs if found.example == MAX_PERFORMANCE.name]
    return BreakingPointEntry(
        rps=point.rps,
        ci95=(point.low_rps, point.high_rps),
        users=int(point.rps * PACING_S),
        broke=point.broke,
        reason=point.reason,
        held=held[0].held if held else None,
        held_users=next((each.users for each in held if each.held), None),
        p50_ms=holding[0].p50_ms if holding else None,
        ramp_rps=ramp_broke.rps if ramp_broke else None,
        ramp_ci95=(ramp_broke.low_rps, ramp_broke.high_rps) if ramp_broke else None,
        tries=tuple(TryEntry(each.rps, each.sustained) for each in of_kind(seen, Tried)),
        # What is too slow is so by the p95 of a single user.
        reasons=_reasons_of(runs, RESPONSE_TIME.name, TRY if by_tries else LOAD_TEST.name),
        held_reasons=_reasons_of(runs, RESPONSE_TIME.name, MAX_PERFORMANCE.name),
        ramp_reasons=_reasons_of(runs, RESPONSE_TIME.name, LOAD_TEST.name),
    )


def open_loop_entry(runs: Sequence[LocustRun]) -> OpenLoopEntry | None:
    """Return both loops at the same rate beside each other, or None unless there are both."""
    by_name = {found.example: found for found in runs}
    opened, closed = by_name.get(OPEN_LOOP), by_name.get(CLOSED_AT_RATE)
    if opened is None or closed is None or opened.rate_rps is None:
        return None
    return OpenLoopEntry(
        rate_rps=opened.rate_rps,
        p50_ms=opened.p50_ms,
        p99_ms=opened.p99_ms,
        p99_closed_ms=closed.p99_ms,
        late=opened.late,
        dropped=opened.dropped,
        reasons=_reasons_of([opened, closed], OPEN_LOOP, CLOSED_AT_RATE),
    )
