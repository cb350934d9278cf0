"""Findings of the experiment -> its summary."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmark.contenders import Contender
from benchmark.experiment3_locust.examples import LOAD_TEST, MAX_PERFORMANCE, PACING_S, STRESS_TEST
from benchmark.record import Cell, Run
from benchmark.validity import MAX_GENERATOR_CPU

OPEN_LOOP, CLOSED_AT_RATE = "open-loop", "closed-at-rate"
_MAX_LATE = 0.01  # share of arrivals sent late before an open loop is INVALID


def summarise(run: Run, contenders: Sequence[Contender], scale: float, complete: bool) -> dict[str, Any]:
    """Return the summary of a run from its findings."""
    path = run.path / "findings.jsonl"
    findings = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    cells = {cell.contender: cell for cell in run.cells()}
    entries = {
        c.label: _entry(c, [f for f in findings if f["contender"] == c.label], cells.get(c.label)) for c in contenders
    }
    reasons = [f"{label}: {reason}" for label, entry in entries.items() for reason in entry["reasons"]]
    if not complete:
        reasons.insert(0, "interrupted: what follows rests on what had been measured by then")
    manifest = run.manifest
    return {
        "schema": manifest["schema"],
        "command": "locust",
        "started_utc": manifest["started_utc"],
        "finished_utc": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scale": scale,
        "complete": complete,
        "valid": not reasons,
        "reasons": reasons,
        "baseline": contenders[0].label,
        "contenders": entries,
        "environment": manifest["environment"],
    }


def _entry(contender: Contender, findings: list[dict[str, Any]], cell: Cell | None) -> dict[str, Any]:
    reasons = [cell.reason] if cell and cell.status == "failed" else []
    reasons += [reason for finding in findings for reason in _finding_reasons(finding)]
    return {
        "title": contender.title,
        "valid": not reasons,
        "reasons": reasons,
        "examples": [finding for finding in findings if "stem" in finding],
        "breaking_point": _breaking_entry(findings),
        "open_loop": _open_entry(findings),
    }


def _finding_reasons(finding: Mapping[str, Any]) -> list[str]:
    reasons = []
    name = finding["example"]
    if finding.get("generator_cpu", 0) > MAX_GENERATOR_CPU:
        reasons.append(f"{name}: the load generator used {finding['generator_cpu']:.0%} of a core; add workers")
    if name == OPEN_LOOP and finding["late"] + finding["dropped"] > _MAX_LATE * finding["n"]:
        reasons.append(f"{name}: {finding['late']} arrivals late, {finding['dropped']} dropped; add workers")
    if finding.get("errors") and name not in {STRESS_TEST.name, LOAD_TEST.name}:
        reasons.append(f"{name}: {finding['errors']} requests failed, for instance: {finding['first_error']}")
    return reasons


def _breaking_entry(findings: list[dict[str, Any]]) -> dict[str, Any] | None:
    point = next((f for f in findings if f["example"] == "breaking-point"), None)
    if point is None:
        return None
    tries = [f for f in findings if f["example"] == "held"]
    holding = [f for f in findings if f["example"] == MAX_PERFORMANCE.name]
    return {
        "rps": point["rps"],
        "ci95": [point["low_rps"], point["high_rps"]],
        "users": int(point["rps"] * PACING_S),
        "broke": point["broke"],
        "reason": point["reason"],
        "held": tries[0]["held"] if tries else None,
        "held_users": next((f["users"] for f in tries if f["held"]), None),
        "p50_ms": holding[0]["p50_ms"] if holding else None,
    }


def _open_entry(findings: list[dict[str, Any]]) -> dict[str, Any] | None:
    by_name = {f["example"]: f for f in findings}
    if OPEN_LOOP not in by_name or CLOSED_AT_RATE not in by_name:
        return None
    opened, closed = by_name[OPEN_LOOP], by_name[CLOSED_AT_RATE]
    return {
        "rate_rps": opened["rate_rps"],
        "p50_ms": opened["p50_ms"],
        "p99_ms": opened["p99_ms"],
        "p99_closed_ms": closed["p99_ms"],
        "late": opened["late"],
        "dropped": opened["dropped"],
    }
