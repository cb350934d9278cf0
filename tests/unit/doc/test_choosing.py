"""doc/choosing.md says of the recorded run what its summary says, and no more."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.experiments.strategies.schema import StrategiesSummary
from doc.choosing import PAGE, blocks, blocks_of, recorded_strategies, take_over
from doc.generate import filled

LAW = {
    "says": "ten requests take three rounds",
    "subject": "hub-ours",
    "load": "ten",
    "figure": "makespan_ms",
    "unit": "ms",
    "value": 756.0,
    "expected": 750.0,
    "at_least": 746.0,
    "at_most": 790.0,
    "held": True,
}
GAIN = {"says": "times as fast", "better": "hub-ours", "worse": "hub-none", "times": 3.31, "low": 3.2, "high": 3.4}


def summary(*laws: dict[str, Any], gain: dict[str, Any] | None = GAIN) -> StrategiesSummary:
    texts = {"title": "A hub", "trouble": "It blocks.", "claim": "", "source": "", "use_when": "it blocks."}
    return StrategiesSummary.model_validate(
        {
            "schema": 2,
            "started_utc": "2026-01-02T00:00:00Z",
            "environment": {"machine": {"cores": 2, "cpu_model": "a CPU"}},
            "blocks": 3,
            "strategies": {"hub": {**texts, "laws": laws, "gain": gain}},
        }
    )


def test_a_strategy_is_a_row_with_its_gain_and_its_laws() -> None:
    table = blocks_of(summary(LAW, {**LAW, "value": 800.0, "held": False}))["table"]
    assert "| [A hub](../strategies/hub/README.md) | It blocks. | 3.3 times as fast | it blocks. | 1 of 2 |" in table
    assert "on 2 cores of a CPU, 2026-01-02, in 3 blocks." in table


def test_a_law_that_was_missed_is_named_with_both_figures() -> None:
    missed = blocks_of(summary(LAW, {**LAW, "value": 800.0, "held": False}))["missed"]
    assert missed.startswith("1 of 2 laws held")
    assert "| ten requests take three rounds | `hub-ours` | 750 ms | 800 ms |" in missed


def test_a_law_that_cannot_be_told_is_neither_held_nor_missed() -> None:
    found = blocks_of(summary(LAW, {**LAW, "value": None, "held": None}))
    assert "| 1 of 1 |" in found["table"]
    assert "1 more could not be told" in found["missed"]
    assert "| missed |" not in found["missed"]


def test_an_invalid_gain_is_no_gain() -> None:
    assert "INVALID in this run" in blocks_of(summary(LAW, gain={**GAIN, "valid": False}))["table"]
    assert "none is claimed" in blocks_of(summary(LAW, gain=None))["table"]


def test_the_page_is_that_of_the_recorded_runs() -> None:
    assert recorded_strategies()
    assert filled(PAGE.name, PAGE.read_text(), blocks()) == PAGE.read_text()


def test_a_run_of_both_groups_is_not_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {"hub": "now", "job_rq": "later"}
    monkeypatch.setattr("doc.choosing.load_strategy", lambda name: summary_of_group(groups[name]))
    (tmp_path / "summary.json").write_text("{}")
    monkeypatch.setattr("doc.choosing.RECORDS", {group: tmp_path / f"{group}.json" for group in ("now", "later")})
    with pytest.raises(SystemExit, match="a run of both groups"):
        take_over(groups, tmp_path / "summary.json")
    take_over(["job_rq"], tmp_path / "summary.json")
    assert not (tmp_path / "now.json").exists()
    assert (tmp_path / "later.json").exists()


def summary_of_group(group: str) -> Any:
    return SimpleNamespace(group=group)
