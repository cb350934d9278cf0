"""The tables of doc/measurement.md are those that were computed last, with the methods as they are now."""

from typing import Any

import pytest

from benchmark.compare.calibration import FIRST, calibrate
from doc.calibration import BLOCK, FIRST_SEARCHES, PAGE, capacity, recorded, tables
from doc.generate import filled

RECORD = recorded()


def test_the_page_has_the_tables_that_were_computed_last() -> None:
    assert filled(PAGE.name, PAGE.read_text(), {BLOCK: tables(RECORD)}) == PAGE.read_text()
    assert RECORD["runs"] >= 1_000


@pytest.mark.parametrize("row", RECORD["coverage"], ids=lambda row: row["name"])
def test_an_interval_holds_the_truth_in_93_to_97_of_100_runs(row: dict[str, Any]) -> None:
    assert 0.93 <= row["held"] <= 0.97


def test_capacity_holds_the_truth_in_93_to_97_of_100_searches_of_all_servers_together() -> None:
    """Of one of them in fewer, which the page says."""
    held = {row["law"]: row["held"] for row in RECORD["capacity"]}
    assert 0.93 <= sum(held.values()) / len(held) <= 0.97
    assert [law for law in held if held[law] < 0.93] == ["M/M/4"]
    assert held["M/M/4"] > 0.85


@pytest.mark.parametrize("row", RECORD["holm"], ids=lambda row: row["name"])
def test_nine_comparisons_together_show_what_is_not_there_in_5_of_100_runs(row: dict[str, Any]) -> None:
    chance = 3 * (0.05 * 0.95 / RECORD["runs"]) ** 0.5
    assert row["false_alarms"] <= 0.05 + chance


@pytest.mark.parametrize("row", RECORD["gate"], ids=lambda row: row["name"])
def test_a_gate_that_looks_after_every_pair_rarely_calls_what_is_allowed_worse(row: dict[str, Any]) -> None:
    if row["change"] <= 0.02:
        assert row["worse"] <= 0.05
    else:
        assert row["not_worse"] == 0
        assert row["worse"] > 0.9


def test_the_methods_are_still_those_of_the_tables() -> None:
    again: dict[str, Any] = calibrate(FIRST)
    for table in ("coverage", "holm", "gate"):
        assert [_known(row) for row in again[table]] == [_known(row) for row in RECORD[table]]
    assert [_known(row) for row in capacity(FIRST_SEARCHES)] == [_known(row) for row in RECORD["capacity"]]


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in row if name == "name" or name.endswith("_in_first")}
