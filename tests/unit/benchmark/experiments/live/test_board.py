"""What the live page shows after each trial is what the summary will say, as far as the run has come."""

from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.summary import summarise
from benchmark.errors import RecordError
from benchmark.experiments.live.board import TRIALS_SHOWN, Board
from benchmark.record.run import Run, TrialRecord
from tests.unit.benchmark.synthetic import Held, make_contender, make_run, record

A, B = make_contender("a"), make_contender("b")
LATENCIES_MS = (50.0, 52.0, 51.0)


def held(run: Run, block: int, label: str, latency_ms: float, errors: int = 0) -> TrialRecord:
    levels = (Held(1, latency_ms), Held(4, 60.0 + block, errors=errors), Held(8, 130.0 + block))
    return record(run, block, label, *levels)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path, [A, B], blocks=3)


def entries(board: Board) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in board.document()["contenders"]}


def test_after_the_last_block_it_says_what_the_summary_says(run: Run) -> None:
    board = Board(run)
    for block, latency_ms in enumerate(LATENCIES_MS):
        board.add(held(run, block, "a", latency_ms))
    low, rate = entries(board)["a"]["figures"]
    summary = summarise(run, [A])["contenders"]["a"]
    assert low["value"] == pytest.approx(summary["low_load"]["mean_ms"], rel=1e-5)
    assert rate["value"] == pytest.approx(summary["peak"]["rps"], rel=1e-5)
    assert rate["what"] == f"highest rate so far, at {summary['peak']['users']} users"
    low_end, high_end = summary["low_load"]["ci95_mean_ms"]
    assert low["interval"] == f"{low_end:.1f} to {high_end:.1f} ms"
    assert low["reach_percent"][-1] == pytest.approx(50 * (high_end / low_end - 1), abs=0.01)
    assert entries(board)["a"]["reasons"] == []


def test_an_interval_begins_with_the_second_block_and_has_a_reach_for_each_since(run: Run) -> None:
    board, seen = Board(run), []
    for block, latency_ms in enumerate(LATENCIES_MS):
        board.add(held(run, block, "a", latency_ms))
        low = entries(board)["a"]["figures"][0]
        seen.append((bool(low["interval"]), len(low["reach_percent"])))
    assert seen == [(False, 0), (True, 1), (True, 2)]
    assert low["reach_percent"][1] < low["reach_percent"][0]


def test_it_says_which_blocks_have_ended_of_those_that_are_planned(run: Run) -> None:
    board = Board(run)
    board.add(held(run, 0, "b", 90.0))
    board.add(held(run, 0, "a", 50.0))
    assert [(each["name"], each["done"], each["planned"]) for each in board.document()["contenders"]] == [
        ("a", 1, 3),
        ("b", 1, 3),
    ]
    assert [each["contender"] for each in board.document()["trials"]] == ["a", "b"]
    assert board.document()["trials"][0]["said"] == "1, 4, 8 users"


def test_the_plan_may_have_phases(tmp_path: Path) -> None:
    order = {"light": [["a", "b"]] * 2, "cell": [["a"]] * 3}
    run = make_run(tmp_path, [A, B], order=order)
    board = Board(run)
    for label in ("a", "b"):
        board.add(held(run, 0, label, 50.0))
    assert {name: entry["planned"] for name, entry in entries(board).items()} == {"a": 5, "b": 2}


def test_why_something_became_invalid_stands_beside_it_from_then_on(run: Run) -> None:
    board = Board(run)
    board.add(held(run, 0, "a", 50.0))
    assert entries(board)["a"]["reasons"] == []
    board.add(held(run, 1, "a", 50.0, errors=2))
    board.add(held(run, 2, "a", 50.0))
    (reason,) = entries(board)["a"]["reasons"]
    assert "2 requests failed at 4 users" in reason


def test_a_trial_that_failed_is_counted_and_says_why(run: Run) -> None:
    board = Board(run)
    board.add(record(run, 0, "a", status="failed", reason="port 5001 is taken", code="stack"))
    entry = entries(board)["a"]
    assert (entry["done"], entry["figures"]) == (1, [])
    assert "port 5001 is taken" in entry["reasons"][0]
    assert board.document()["trials"][0] == {
        "block": 1,
        "contender": "a",
        "status": "failed",
        "said": "port 5001 is taken",
    }


def test_a_trial_of_a_part_is_listed_without_figures_and_old_ones_are_dropped(run: Run) -> None:
    board = Board(run)
    for block in range(TRIALS_SHOWN + 1):
        board.add(TrialRecord(block, "a", 1, part="bursts"))
    trials = board.document()["trials"]
    assert board.document()["contenders"] == []
    assert len(trials) == TRIALS_SHOWN
    assert trials[0]["contender"] == "a bursts"
    assert trials[0]["block"] == TRIALS_SHOWN + 1


def test_a_damaged_file_is_an_error_of_the_record(run: Run) -> None:
    trial = held(run, 0, "a", 50.0)
    run.file("samples", trial, ".csv").unlink()
    with pytest.raises(RecordError, match=r"0-a\.csv"):
        Board(run).add(trial)
