"""A tiny timeit run against real servers: what it leaves, and that one contender's end is not the others'."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from benchmark.contenders.discovery import choose
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.timeit.client import PersistentClient
from benchmark.experiments.timeit.command import command
from benchmark.experiments.timeit.experiment import EXPERIMENT
from benchmark.experiments.timeit.plan import TimeitPlan, assign
from benchmark.measure.progress import Progress
from benchmark.record.run import Run
from tests.conftest import CONTENDERS
from tests.unit.said import said

pytestmark = pytest.mark.integration

app = typer.Typer()
app.command()(command)
FAST = ["--set", "model_min_ms=4", "--set", "model_max_ms=5"]


@pytest.fixture(autouse=True)
def not_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests use the machine meanwhile."""
    for bound in ("MAX_FOREIGN", "MAX_FOREIGN_IN_BLOCK", "MAX_STEAL", "MAX_STEAL_IN_BLOCK"):
        monkeypatch.setattr(f"benchmark.analysis.validity.{bound}", 1.0)


def test_a_tiny_run_leaves_a_record_a_summary_and_a_page(tmp_path: Path) -> None:
    arguments = ["--max-calls", "2", "--repeat", "3", "--contenders", "sync,async-aiohttp", "--results", str(tmp_path)]
    result = CliRunner().invoke(app, [*arguments, *FAST])
    assert result.exit_code in (0, 3), result.output  # 3: the machine was busy
    (path,) = (each for each in tmp_path.iterdir() if not each.is_symlink())
    summary = json.loads((path / "summary.json").read_text())
    assert (summary["command"], summary["complete"], summary["baseline"]) == ("timeit", True, "sync")
    for name, floor_ms in (("sync", 9.0), ("async-aiohttp", 4.67)):
        entry = summary["contenders"][name]
        assert entry["valid"], said(entry["reasons"])
        assert entry["floor_ms"] == pytest.approx(floor_ms, abs=0.01)
        assert entry["timeit"]["calls"] == 9
    assert len((path / "repeats.csv").read_text().splitlines()) == 1 + 3 * 2 * 2
    assert (path / "timeit.csv").read_text().splitlines()[0] == "n,sync,async-aiohttp"
    watched = Run.open(path).lines("machine.jsonl")
    assert sorted((row["repeat"], row["contender"]) for row in watched) == [
        (repeat, name) for repeat in range(3) for name in ("async-aiohttp", "sync")
    ]
    assert all(0 <= row["foreign_share"] <= 1 and 0 <= row["steal_share"] <= 1 for row in watched)
    assert "How do n calls add up" in (path / "report.html").read_text()
    assert (path / "headline.svg").exists()


def test_a_service_that_dies_ends_its_contender_and_not_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    call = PersistentClient.call

    def call_and_kill(client: PersistentClient) -> None:
        nonlocal asked
        asked += 1
        if asked == 12:
            _kill_listener(client._connection._connection.port)
        call(client)

    monkeypatch.setattr(PersistentClient, "call", call_and_kill)
    chosen = choose(["null", "null"], CONTENDERS)
    plan = TimeitPlan(calls=(1, 2, 3), repeats=3)
    run = carry_out(EXPERIMENT, assign(chosen, plan, {}), tmp_path, Progress(Console(quiet=True)))
    summary = run.summary
    valid = {name: entry["valid"] for name, entry in summary["contenders"].items()}
    assert sorted(valid.values()) == [False, True]
    assert (summary["valid"], summary["complete"]) == (False, True)
    (lost,) = (name for name, is_valid in valid.items() if not is_valid)
    assert "died during the run with exit status -9; its log ends:" in said(summary["contenders"][lost]["reasons"])[0]
    (left,) = set(valid) - {lost}
    assert summary["contenders"][left]["timeit"]["repeats"] == 3


def test_ctrl_c_reports_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    call = PersistentClient.call

    def call_and_interrupt(client: PersistentClient) -> None:
        nonlocal asked
        asked += 1
        if asked == 40:
            raise KeyboardInterrupt
        call(client)

    monkeypatch.setattr(PersistentClient, "call", call_and_interrupt)
    plan = TimeitPlan(calls=(1, 5, 9), repeats=9)
    assignment = assign(choose(["null"], CONTENDERS), plan, {})
    run = carry_out(EXPERIMENT, assignment, tmp_path, Progress(Console(quiet=True)))
    assert not run.summary["complete"]
    assert any("interrupted: 2 of 9 repeats" in reason for reason in said(run.summary["reasons"]))
    assert run.summary["contenders"]["null"]["timeit"]["ms_per_call"] is not None
    assert run.summary["contenders"]["null"]["timeit"]["repeats"] == 2
    assert (run.path / "report.html").exists()


@pytest.mark.parametrize(
    "arguments", [["--contenders", "nobody"], ["--min-calls", "-1"], ["--max-calls", "2", "--min-calls", "2"]]
)
def test_wrong_usage_ends_with_status_2(tmp_path: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--results", str(tmp_path)])
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def _kill_listener(port: int) -> None:
    """Kill the process that listens on a port of loopback."""
    for connection in psutil.net_connections("tcp"):
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
        if listens and connection.pid:
            os.kill(connection.pid, signal.SIGKILL)
