"""From findings to summary.json."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.experiments.breaking_point.observations import Breaks, Broke, LocustRun, Observation, Tried
from benchmark.experiments.breaking_point.summarise import OPEN_LOOP, summarise
from benchmark.load.shapes import TRY
from benchmark.load.slo import BreakingPoint
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.resources import BUSY
from benchmark.record.run import Run, TrialRecord
from tests.unit.benchmark.experiments.breaking_point.synthetic import (
    CONTENDERS,
    START_NS,
    broken_at,
    findings_of,
    locust_run,
    recorded,
)
from tests.unit.said import said


def entry_of(tmp_path: Path, findings: list[Observation]) -> dict[str, Any]:
    entry: dict[str, Any] = recorded(tmp_path, findings).summary["contenders"]["one"]
    return entry


def test_the_summary_says_where_it_broke_and_what_was_held(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, findings_of("one"))
    assert entry["breaking_point"] == {
        "rps": 100.0,
        "ci95": [95.0, 104.0],
        "users": 100,
        "broke": True,
        "reason": "p95",
        "held": False,
        "held_users": 90,
        "p50_ms": 49.0,
        "ramp_rps": 110.0,
        "ramp_ci95": [90.0, 120.0],
        "tries": [{"rps": 110.0, "sustained": False}, {"rps": 91.0, "sustained": True}],
        "cpu_ms": None,
        "valid": True,
        "reasons": [],
        "held_reasons": [],
        "ramp_reasons": [],
    }
    assert entry["open_loop"] == {
        "rate_rps": 80,
        "p50_ms": 49.0,
        "p99_ms": 75.0,
        "p99_closed_ms": 61.0,
        "late": 2,
        "dropped": 1,
        "valid": True,
        "reasons": [],
    }
    assert [example["stem"] for example in entry["examples"]][-3:] == [
        "one-held-1",
        "one-closed-at-rate",
        "one-open-loop",
    ]
    assert entry["valid"]


def test_without_tries_the_point_is_where_the_load_test_broke(tmp_path: Path) -> None:
    untried: list[Observation] = [found for found in findings_of("one") if not isinstance(found, Tried | Breaks)]
    point = entry_of(tmp_path, untried)["breaking_point"]
    assert (point["rps"], point["ci95"], point["tries"]) == (110.0, [90.0, 120.0], [])


def test_a_load_test_that_did_not_break_is_no_guess(tmp_path: Path) -> None:
    unbroken = Broke("one", BreakingPoint(300.0, 300.0, 300.0, broke=False, reason="not reached"))
    found = [unbroken if isinstance(each, Broke) else each for each in findings_of("one")]
    point = entry_of(tmp_path, found)["breaking_point"]
    assert (point["rps"], point["broke"], point["ramp_rps"]) == (100.0, True, None)


def test_what_was_not_measured_is_null(tmp_path: Path) -> None:
    entry = entry_of(tmp_path, [])
    assert (entry["breaking_point"], entry["open_loop"], entry["examples"]) == (None, None, [])


@pytest.mark.parametrize(
    ("finding", "reason"),
    [
        (
            locust_run(generator_cpu=0.95),
            "response-time: the load generator was saturated (95 % of a core): use more generator processes",
        ),
        (
            locust_run(example=OPEN_LOOP, late=9, dropped=2),
            "open-loop: 9 arrivals late, 2 dropped: use more generator processes",
        ),
        (locust_run(errors=3, first_error="status 503"), "response-time: 3 requests failed, for instance: status 503"),
        (
            locust_run(example=TRY, foreign_share=0.34),
            "try: other programs used 34 % of the machine (limit 15 %): stop them and measure again",
        ),
        (
            locust_run(steal_share=0.22),
            "response-time: the hypervisor gave 22 % of the machine to other virtual machines (limit 10 %): "
            "measure again",
        ),
        (
            locust_run(example="try", fastest_excess_ms=-45.6),
            "try: an answer came 45.6 ms before its models can have finished",
        ),
    ],
)
def test_a_figure_that_is_not_to_be_believed_makes_the_run_invalid(
    tmp_path: Path, finding: Observation, reason: str
) -> None:
    summary = recorded(tmp_path, [finding]).summary
    assert not summary["valid"]
    assert f"one, {reason}" in said(summary["reasons"])


@pytest.mark.parametrize(
    ("n", "late", "valid"), [(500, 9, True), (500, 10, False), (20_000, 228, True), (20_000, 229, False)]
)
def test_one_late_arrival_in_a_hundred_is_allowed_and_what_chance_adds(
    tmp_path: Path, n: int, late: int, valid: bool
) -> None:
    assert recorded(tmp_path, [locust_run(example=OPEN_LOOP, n=n, late=late)]).summary["valid"] is valid


@pytest.mark.parametrize("excess_ms", [None, -0.9, 3.0])
def test_an_answer_that_took_its_time_or_whose_time_is_not_known_is_believed(
    tmp_path: Path, excess_ms: float | None
) -> None:
    assert recorded(tmp_path, [locust_run(fastest_excess_ms=excess_ms)]).summary["valid"]


@pytest.mark.parametrize("example", ["stress-test", "load-test", "try"])
def test_what_is_to_break_a_contender_may_fail_requests(tmp_path: Path, example: str) -> None:
    assert recorded(tmp_path, [locust_run(example=example, errors=3)]).summary["valid"]


def spoilt(findings: list[Observation], example: str) -> list[Observation]:
    """Return the findings with answers in an example that came too early to be the contender's."""
    found = [*findings, locust_run(example="try"), locust_run(example="stress-test")]
    return [
        replace(each, fastest_excess_ms=-40.0) if isinstance(each, LocustRun) and each.example == example else each
        for each in found
    ]


@pytest.mark.parametrize(
    ("example", "parts"),
    [
        ("response-time", {"point", "held", "ramp"}),
        ("load-test", {"ramp"}),
        ("try", {"point"}),
        ("max-performance", {"held"}),
        ("stress-test", set()),
        ("closed-at-rate", {"open loop"}),
        ("open-loop", {"open loop"}),
    ],
)
def test_an_invalid_part_makes_invalid_what_rests_on_it_and_nothing_else(
    tmp_path: Path, example: str, parts: set[str]
) -> None:
    summary = recorded(tmp_path, spoilt(findings_of("one"), example)).summary
    entry = summary["contenders"]["one"]
    point, opened = entry["breaking_point"], entry["open_loop"]
    reasons = {
        "point": said(point["reasons"]),
        "held": point["held_reasons"],
        "ramp": point["ramp_reasons"],
        "open loop": said(opened["reasons"]),
    }
    assert {part for part, found in reasons.items() if found} == parts
    assert (point["valid"], opened["valid"]) == ("point" not in parts, "open loop" not in parts)
    assert {each["example"] for each in entry["examples"] if not each["valid"]} == {example}
    # The run as a whole says so, and which part it is.
    assert (summary["valid"], entry["valid"], entry["faults"]) == (False, False, [])
    assert all(reason.startswith(f"one, {example}: an answer came") for reason in said(summary["reasons"]))
    assert said(summary["reasons"])


def test_without_tries_the_point_rests_on_the_load_test(tmp_path: Path) -> None:
    untried: list[Observation] = [found for found in findings_of("one") if not isinstance(found, Breaks)]
    assert not entry_of(tmp_path, spoilt(untried, "load-test"))["breaking_point"]["valid"]


def test_a_contender_that_failed_says_why(tmp_path: Path) -> None:
    run = Run.open(recorded(tmp_path, []).path)
    run.append_cell(TrialRecord(0, "two", 0, "failed", "model of two died"))
    summary = summarise(run, CONTENDERS)
    assert "two: model of two died" in said(summary["reasons"])
    assert said(summary["contenders"]["two"]["faults"]) == ["model of two died"]
    json.dumps(summary, allow_nan=False)


def test_an_interrupted_run_is_not_complete(tmp_path: Path) -> None:
    summary = recorded(tmp_path, findings_of("one"), complete=False).summary
    assert not summary["complete"]
    assert said(summary["reasons"])[0].startswith("interrupted")


def test_the_cpu_per_answer_is_that_of_the_contenders_processes_in_its_tries(tmp_path: Path) -> None:
    """A hundred answers in the second that is counted, for which scoring used 0.2 s of CPU and the model 0.1 s."""
    tried = locust_run("one", TRY, stem="one-try-1", n=100, rps=100.0, until_s=2.0)
    run = recorded(tmp_path, [*broken_at("one", 380.0), tried, *broken_at("two", 380.0)])
    used_s = {"scoring": 0.2, "model": 0.1, GENERATOR_ROLE: 0.9, BUSY: 1.9}
    rows = [
        f"{START_NS + second * 10**9},{role},{int(cpu_s * 10**9) * max(second - 1, 0)},1"
        for role, cpu_s in used_s.items()
        for second in (0, 1, 2)
    ]
    (run.path / "resources" / "0-one-try-1.csv").write_text("\n".join(["t_ns,role,cpu_ns,rss_bytes", *rows]) + "\n")
    entries = summarise(run, CONTENDERS)["contenders"]
    assert entries["one"]["breaking_point"]["cpu_ms"] == 3.0
    assert entries["two"]["breaking_point"]["cpu_ms"] is None
