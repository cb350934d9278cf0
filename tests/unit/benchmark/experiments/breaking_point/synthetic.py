"""Locust runs as they would have been recorded, with findings that are known."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmark.experiments.breaking_point.observations import (
    Breaks,
    Broke,
    Held,
    LocustRun,
    Observation,
    Tried,
    append_observation,
)
from benchmark.experiments.breaking_point.plan import BreakingPointPlan
from benchmark.experiments.breaking_point.summarise import CLOSED_AT_RATE, OPEN_LOOP, summarise
from benchmark.load.shapes import EXAMPLES, LOAD_TEST, MAX_PERFORMANCE, RESPONSE_TIME
from benchmark.load.slo import BreakingPoint
from benchmark.record.columns import SAMPLE_COLUMNS
from benchmark.record.run import Run
from tests.unit.benchmark.synthetic import make_contender

START_NS = 5 * 10**9
CONTENDERS = tuple(make_contender(name) for name in ("one", "two"))


def locust_run(contender: str = "one", example: str = RESPONSE_TIME.name, **changes: Any) -> LocustRun:
    known: dict[str, Any] = {
        "contender": contender,
        "example": example,
        "stem": f"{contender}-{example}",
        "start_ns": START_NS,
        "generator_cpu": 0.2,
        "late": 0,
        "dropped": 0,
        "n": 600,
        "errors": 0,
        "first_error": "",
        "rps": 10.0,
        "mean_ms": 50.0,
        "p50_ms": 49.0,
        "p95_ms": 55.0,
        "p99_ms": 60.0,
    }
    return LocustRun(**{**known, **changes})


def findings_of(contender: str) -> list[Observation]:
    """Return the findings of a whole experiment: broke at 110 requests/s in passing, at 100 in tries, held 90."""
    return [
        locust_run(contender, users=1, plan=RESPONSE_TIME),
        locust_run(contender, LOAD_TEST.name, users=300, plan=LOAD_TEST),
        Broke(contender, BreakingPoint(110.0, 90.0, 120.0, broke=True, reason="goodput")),
        Tried(contender, rps=110.0, answered=0.96, in_time=0.7, sustained=False),
        Tried(contender, rps=91.0, answered=1.0, in_time=1.0, sustained=True),
        Breaks(contender, BreakingPoint(100.0, 95.0, 104.0, broke=True, reason="p95")),
        locust_run(contender, MAX_PERFORMANCE.name, users=100, plan=MAX_PERFORMANCE),
        Held(contender, users=100, held=False, attempt=0),
        locust_run(contender, MAX_PERFORMANCE.name, stem=f"{contender}-held-1", users=90, plan=MAX_PERFORMANCE),
        Held(contender, users=90, held=True, attempt=1),
        locust_run(contender, CLOSED_AT_RATE, rate_rps=80, p99_ms=61.0),
        locust_run(contender, OPEN_LOOP, rate_rps=80, p99_ms=75.0, late=2, dropped=1),
    ]


def recorded(
    results: Path,
    findings: list[Observation],
    complete: bool = True,
    contenders: Sequence[str] = ("one", "two"),
    scale: float = 1.0,
) -> Run:
    """Return a run with these findings, ten answered requests for each Locust run, and its summary."""
    plan = BreakingPointPlan((*EXAMPLES, OPEN_LOOP), scale=scale)
    made = [make_contender(name) for name in contenders]
    manifest = {
        "interrupted": not complete,
        "seed": 1,
        "plan": asdict(plan),
        "order": [contender.label for contender in made],
        "contenders": {c.label: c.model_dump(mode="json", exclude={"folder"}) for c in made},
        "started_utc": "2026-11-21T05:00:00Z",
        "command_line": "python -m benchmark locust",
        "busy_before_start": 0.02,
        "settings": {"services": {}},
        "environment": {"machine": {"cores": 2}, "python": "3.11.0"},
    }
    run = Run.create(results, "locust", manifest)
    for finding in findings:
        append_observation(run, finding)
        if isinstance(finding, LocustRun):
            write_samples(run.path / "samples" / f"0-{finding.stem}.csv", ok=finding.n > 0)
    run.write_json("summary.json", summarise(run, made))
    return run


def write_samples(path: Path, ok: bool = True, requests: int = 10, every_ms: int = 100) -> None:
    rows = [",".join(SAMPLE_COLUMNS)]
    for i in range(requests):
        at_ns = START_NS + i * every_ms * 10**6
        rows.append(f"1,{at_ns},{at_ns},{(50 + i) * 10**6},{200 if ok else 503},20,{int(ok)},0.045,,")
    path.write_text("\n".join(rows) + "\n")


def broken_at(contender: str, rps: float, broke: bool = True, reason: str = "goodput") -> list[Observation]:
    """Return the findings of a contender whose breaking point is known within a twentieth."""
    point = BreakingPoint(rps, rps * 0.95, rps * 1.05, broke=broke, reason=reason if broke else "")
    return [replace(each, point=point) if isinstance(each, Breaks) else each for each in findings_of(contender)]
