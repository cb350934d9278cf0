"""`--live`: a whole run of `bench` tells the page what it tells the terminal, and never fails because of the page."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmark.experiments import experiment as experiments
from benchmark.experiments.bench import experiment as bench
from benchmark.experiments.live import progress as live
from benchmark.experiments.live.board import Board
from benchmark.experiments.live.progress import LiveProgress, progress_on
from benchmark.experiments.live.server import Channel
from benchmark.measure.progress import Progress
from benchmark.record import provenance
from benchmark.record.run import Run
from tests.unit.benchmark.experiments import recorders


class Told(Channel):
    """Keeps all that was published."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, Any]]] = []

    def publish(self, kind: str, document: dict[str, Any]) -> None:
        self.all.append((kind, json.loads(json.dumps(document))))
        super().publish(kind, document)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [document for each, document in self.all if each == kind]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    channel = Told()
    monkeypatch.setattr(live, "Channel", lambda: channel)
    return channel


@pytest.fixture(autouse=True)
def _without_pictures_and_a_look_at_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn_nowhere = replace(bench.EXPERIMENT, write_page=lambda run: run.path, headline=lambda _: None)
    monkeypatch.setattr(bench, "EXPERIMENT", drawn_nowhere)
    monkeypatch.setattr(experiments, "card_files", lambda *_: {})
    monkeypatch.setattr(provenance, "environment", lambda: {"machine": {"cores": 2}, "python": "3.11.0"})


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    output = io.StringIO()
    monkeypatch.setattr(recorders, "make_progress", lambda: LiveProgress(Console(file=output, width=200)))
    return output


def record(tmp_path: Path, patch: pytest.MonkeyPatch, kind: recorders.Kind = "whole") -> Run:
    return recorders.record_bench(tmp_path, patch, kind)


def test_a_run_tells_the_page_every_trial_and_how_it_ended(
    told: Told, output: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record(tmp_path, monkeypatch)
    boards = told.of("board")
    assert [len(board["trials"]) for board in boards] == [1, 2, 3, 4]
    assert [each["done"] for each in boards[-1]["contenders"]] == [2, 2]
    assert {(now["contender"], now["trials"]) for now in told.of("now") if now["contender"]} == {("one", 4), ("two", 4)}
    assert told.of("now")[-1]["done"] == 4
    (end,) = told.of("end")
    assert end == {"valid": run.summary["valid"], "complete": True, "report": str(run.path / "report.html")}
    assert told.all[-1][0] == "end"
    assert "live: http://127.0.0.1:" in output.getvalue()


def test_a_run_that_was_interrupted_says_so_on_the_page(
    told: Told, output: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, monkeypatch, "interrupted")
    assert told.of("end")[0]["complete"] is False
    assert "interrupted; reporting what was measured" in [said["sentence"] for said in told.of("said")]


@pytest.mark.parametrize("broken", ["LivePage", "Board.add"])
def test_what_goes_wrong_with_the_page_is_said_once_and_the_run_goes_on(
    told: Told, output: io.StringIO, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no\nport is free")

    monkeypatch.setattr(live if broken == "LivePage" else Board, broken.rpartition(".")[2], fail)
    run = record(tmp_path, monkeypatch)
    assert run.summary["complete"]
    assert output.getvalue().count("the live page shows no more figures: no port is free") == 1


def test_while_a_level_is_held_the_page_is_told_once(told: Told) -> None:
    progress = LiveProgress(Console(file=io.StringIO()))
    for phase in ("1 users", "1 users", "1 users", "4 users", "4 users"):
        progress.phase("one", phase)
    assert [now["phase"] for now in told.of("now")] == ["1 users", "4 users"]


def test_without_the_option_there_is_no_page() -> None:
    console = Console(file=io.StringIO())
    assert type(progress_on(console, live=False)) is Progress
    assert type(progress_on(console, live=True)) is LiveProgress
