"""The answers say what the summary shows, and not a word more."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.experiments.breaking_point.answers import answers
from benchmark.experiments.breaking_point.observations import LocustRun, Observation
from benchmark.experiments.breaking_point.schema import parse
from benchmark.experiments.breaking_point.summarise import OPEN_LOOP
from benchmark.load.shapes import SHAPE
from tests.unit.benchmark.experiments.breaking_point.synthetic import broken_at, findings_of, locust_run, recorded
from tests.unit.benchmark.experiments.recorders import KINDS, Kind, record_locust
from tests.unit.plain import faults


def said(summary: dict[str, Any]) -> list[str]:
    """Return the answers of a run, each of which is short and plain."""
    found = [answer.text for answer in answers(parse(summary))]
    assert [fault for text in found for fault in faults(text)] == []
    return found


def of(folder: Path, *findings: list[Observation], **how: Any) -> list[str]:
    return said(recorded(folder, [each for some in findings for each in some], **how).summary)


def open_p99(found: list[Observation], p99_ms: float) -> list[Observation]:
    """Return the findings with another p99 of the open loop; that of the closed loop is 61 ms."""
    return [
        replace(each, p99_ms=p99_ms) if isinstance(each, LocustRun) and each.example == OPEN_LOOP else each
        for each in found
    ]


def spoilt(found: list[Observation], *examples: str) -> list[Observation]:
    """Return the findings with a saturated generator in some examples."""
    return [
        replace(each, generator_cpu=0.99) if isinstance(each, LocustRun) and each.example in examples else each
        for each in found
    ]


def test_who_breaks_first_and_who_last_is_said_with_both_rates(tmp_path: Path) -> None:
    breaks, _ = of(tmp_path, broken_at("one", 1300.0), broken_at("two", 380.0))
    assert breaks == "one carries most and breaks at 1,300 requests/s; two breaks first, at 380."


def test_all_that_break_as_late_as_the_last_are_named(tmp_path: Path) -> None:
    names = ["one", "two", "three"]
    found = [broken_at(name, rps) for name, rps in zip(names, (380.0, 1280.0, 1300.0), strict=True)]
    breaks, _ = of(tmp_path, *found, contenders=names)
    assert breaks == "two and three carry most and break at about 1,300 requests/s; one breaks first, at 380."


def with_cpu(folder: Path, one_ms: float, two_ms: float) -> dict[str, Any]:
    summary = recorded(folder, [*broken_at("one", 1300.0), *broken_at("two", 380.0)]).summary
    for name, cpu_ms in (("one", one_ms), ("two", two_ms)):
        summary["contenders"][name]["breaking_point"]["cpu_ms"] = cpu_ms
    return summary


def test_the_cpu_of_a_request_is_named_where_it_makes_most_of_the_difference(tmp_path: Path) -> None:
    assert said(with_cpu(tmp_path, 0.9, 3.6))[1].startswith("That is mostly CPU: a request costs one 0.9")


@pytest.mark.parametrize("two_ms", [1.0, 0.5])
def test_where_the_cpu_is_about_the_same_or_less_it_is_no_reason(tmp_path: Path, two_ms: float) -> None:
    assert not [text for text in said(with_cpu(tmp_path, 0.9, two_ms)) if "CPU" in text]


def test_intervals_that_overlap_show_no_difference(tmp_path: Path) -> None:
    breaks, _ = of(tmp_path, broken_at("one", 400.0), broken_at("two", 380.0))
    assert breaks == "two breaks at 380 requests/s and one at 400: no difference is shown."


@pytest.mark.parametrize(
    ("reason", "why"), [("goodput", "requests come faster than answers"), ("p95", "answers come too late")]
)
def test_of_one_contender_it_is_said_what_was_lost_first(tmp_path: Path, reason: str, why: str) -> None:
    breaks, _ = of(tmp_path, broken_at("one", 400.0, reason=reason))
    assert breaks == f"one breaks at 400 requests/s: beyond that, {why}."


def test_who_did_not_break_is_not_ranked(tmp_path: Path) -> None:
    breaks, unbroken, _ = of(tmp_path, broken_at("one", 400.0), broken_at("two", 300.0, broke=False))
    assert breaks.startswith("one breaks at 400 requests/s: ")
    assert unbroken == "two did not break at up to 300 requests/s."


def test_several_who_did_not_break_are_named_together(tmp_path: Path) -> None:
    unbroken, _ = of(tmp_path, broken_at("one", 400.0, broke=False), broken_at("two", 300.0, broke=False))
    assert unbroken == "one and two did not break at the rates tried."


def test_what_users_who_wait_hide_is_shown_by_the_contender_that_shows_most(tmp_path: Path) -> None:
    *_, hidden = of(tmp_path, open_p99(findings_of("one"), 75.0), open_p99(findings_of("two"), 122.0))
    assert hidden == (
        "Users who wait for answers hide delays: at 80.0 requests/s, "
        "the p99 of two is 61.0 ms with them, 122 ms with random arrivals."
    )


@pytest.mark.parametrize("p99_ms", [30.0, 65.0])
def test_nothing_is_called_hidden_where_the_open_loop_shows_no_more(tmp_path: Path, p99_ms: float) -> None:
    *_, hidden = of(tmp_path, open_p99(findings_of("one"), p99_ms))
    assert hidden.startswith("A closed loop hides nothing here: ")


def test_an_invalid_part_supports_no_answer(tmp_path: Path) -> None:
    found = findings_of("one")
    (hidden,) = of(tmp_path / "a", spoilt(found, "response-time"))
    assert hidden.startswith("Users who wait")
    (breaks,) = of(tmp_path / "b", spoilt(found, OPEN_LOOP))
    assert breaks.startswith("one breaks at ")
    assert of(tmp_path / "c", spoilt(found, "response-time", OPEN_LOOP)) == [
        "No contender has a VALID figure, so nothing is claimed."
    ]


def test_a_run_that_is_invalid_as_a_whole_supports_no_claim(tmp_path: Path) -> None:
    summary = recorded(tmp_path, findings_of("one")).summary
    summary.update(valid=False, reasons=["the machine was 50% busy before the start"])
    assert said(summary) == [
        "No contender has a VALID figure, so nothing is claimed.",
        "The run as a whole is INVALID and supports no claim.",
    ]


def test_where_nothing_was_measured_nothing_is_claimed(tmp_path: Path) -> None:
    assert of(tmp_path) == ["Nothing was measured, so nothing is claimed."]


def test_without_a_search_it_is_said_what_would_find_the_breaking_point(tmp_path: Path) -> None:
    assert of(tmp_path, [locust_run()]) == ["No breaking point was looked for; the example load-test does that."]


def test_what_became_of_a_rate_over_time_is_said_and_errors_under_it_are_a_result(tmp_path: Path) -> None:
    assert of(tmp_path / "a", [locust_run("one", SHAPE, n=980, errors=20, first_error="status 503", p99_ms=61.2)]) == [
        "Under the rate over time, one answered 980 of 1,000 requests rightly, with a p99 of 61.2 ms."
    ]
    (struck,) = of(tmp_path / "b", [locust_run("one", SHAPE, n=980, late=200)])
    assert struck == "No contender has a VALID figure, so nothing is claimed."


def test_an_interrupted_and_a_shortened_run_say_so(tmp_path: Path) -> None:
    interrupted, shortened = of(tmp_path, findings_of("one"), complete=False, scale=0.02)[-2:]
    assert interrupted.startswith("The run was interrupted")
    assert shortened == "All times were shortened to 2 % of the plan, so the rates are rough."


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_carried_out_has_plain_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    found = said(record_locust(tmp_path, monkeypatch, kind).summary)
    assert any(text.startswith("The run was interrupted") for text in found) is (kind == "interrupted")
