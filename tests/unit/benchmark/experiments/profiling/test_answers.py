"""The answers say what the summary shows, and not a word more."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.experiments.profiling.answers import answers
from benchmark.experiments.profiling.libraries import FRAMEWORK, HTTP_CLIENT, INTERPRETER
from tests.unit.benchmark.experiments.profiling.synthetic import EMPTY, entry, recorded_summary
from tests.unit.benchmark.experiments.recorders import KINDS, Kind, record_profile
from tests.unit.plain import faults

CHEAP = entry(
    cpu_by_library={"aiohttp": 1.0, "fastapi": 1.5},
    cpu_by_kind={HTTP_CLIENT: 1.0, FRAMEWORK: 1.5},
    cpu_ms_counted=2.5,
    cpu_samples=250,
)


def said(entries: dict[str, dict[str, Any]], **changes: Any) -> list[str]:
    """Return the answers of a run with these entries, each of which is short and plain."""
    return plain(recorded_summary(entries, **changes))


def plain(summary: dict[str, Any]) -> list[str]:
    found = [answer.text for answer in answers(summary)]
    assert [fault for text in found for fault in faults(text)] == []
    return found


def test_the_costliest_is_compared_with_the_cheapest_and_what_makes_the_difference_is_named() -> None:
    cost, where, waiting = said({"a": entry(), "b": CHEAP, "c": entry(cpu_ms_counted=8.0)})
    assert cost == "A request costs a 8.50 ms of CPU, 3.4 times as much as b (2.50 ms)."
    assert where == "Most of the difference is the HTTP client: 6.00 ms in a (httpx), 1.00 ms in b (aiohttp)."
    assert waiting == "Alone, a request spends at least 88 % of its time waiting for the models, which costs no CPU."


def test_the_largest_of_several_parts_of_a_difference_is_called_that() -> None:
    kinds = {HTTP_CLIENT: 3.0, FRAMEWORK: 3.0, INTERPRETER: 2.5}
    libraries = {"httpx": 3.0, "fastapi": 3.0, "event loop": 2.5}
    _, where, _ = said({"a": entry(cpu_by_kind=kinds, cpu_by_library=libraries), "b": CHEAP})
    assert where.startswith(
        "The largest part of the difference is the event loop and threads: 2.50 ms in a (event loop)"
    )
    assert where.endswith(", 0 ms in b.")


def test_where_contenders_differ_is_not_said_if_it_may_be_chance() -> None:
    few = {"cpu_samples": 8}
    cost, waiting = said({"a": entry(**few), "b": {**CHEAP, **few}})
    assert cost.startswith("A request costs a 8.50 ms")
    assert waiting.startswith("Alone, ")


def test_a_difference_within_what_may_be_left_unattributed_is_not_claimed() -> None:
    cost, _ = said({"a": entry(), "b": entry(cpu_ms_counted=8.0)})
    assert cost == "A request costs about the same CPU with each contender, from 8.00 ms (b) up to 8.50 ms (a)."


def test_of_one_contender_the_largest_share_is_named() -> None:
    cost, waiting = said({"a": entry(), "b": EMPTY})
    assert cost == "A request costs a 8.50 ms of CPU; httpx takes the largest share, 71 %."
    assert waiting.startswith("Alone, a request spends 88 % of its time")


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"httpx": 4.0, "fastapi": 3.9}, "httpx and fastapi take the largest shares, about 47 % each."),
        (dict.fromkeys("abcd", 2.0), "no library takes much more than the others."),
    ],
)
def test_shares_that_differ_by_chance_are_named_together(shares: dict[str, float], expected: str) -> None:
    cost, _ = said({"a": entry(cpu_by_library=shares)})
    assert cost == f"A request costs a 8.50 ms of CPU; {expected}"


def test_an_invalid_part_supports_no_answer() -> None:
    parts: dict[str, Any] = {"valid": False, "faults": [], "cpu_reasons": [], "wall_reasons": []}
    assert len(said({"a": entry(**parts)})) == 2
    (waiting,) = said({"a": entry(**{**parts, "cpu_reasons": ["+20% is not attributed"]})})
    assert waiting.startswith("Alone, ")
    (cost,) = said({"a": entry(**{**parts, "wall_reasons": ["1 user: 3 requests failed"]})})
    assert cost.startswith("A request costs a ")
    nobody = ["No contender has a VALID figure, so nothing is claimed."]
    assert said({"a": entry(**{**parts, "faults": ["model of a died"]})}) == nobody


def test_a_run_that_is_invalid_as_a_whole_supports_no_claim() -> None:
    assert said({"a": entry()}, reasons=["the machine was 50% busy before the start"]) == [
        "No contender has a VALID figure, so nothing is claimed.",
        "The run as a whole is INVALID and supports no claim.",
    ]


def test_where_nothing_was_measured_nothing_is_claimed() -> None:
    assert said({"a": EMPTY}) == ["No contender was measured, so nothing is claimed."]


def test_a_shortened_and_an_interrupted_run_say_so() -> None:
    state = said({"a": entry()}, complete=False, scale=0.1)[-2:]
    assert [text.partition(":")[0] for text in state] == ["The run was interrupted", "The run was shortened"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_carried_out_has_plain_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    found = plain(record_profile(tmp_path, monkeypatch, kind).summary)
    assert any(text.startswith("The run was interrupted") for text in found) is (kind == "interrupted")
