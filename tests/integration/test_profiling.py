"""`profile` from end to end: two contenders, few requests."""

import csv
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console

from benchmark.contenders.discovery import Contender, choose
from benchmark.errors import LoadError, StackError
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.profiling import measure as profiling
from benchmark.experiments.profiling.experiment import EXPERIMENT
from benchmark.experiments.profiling.libraries import KINDS
from benchmark.experiments.profiling.plan import ProfilePlan, assign
from benchmark.experiments.profiling.recorders import FUNCTION_COLUMNS
from benchmark.experiments.profiling.summarise import PLAIN, SAMPLED
from benchmark.measure.levels import Levels, hold
from benchmark.measure.progress import Progress
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record.run import Run, TrialRecord
from tests.conftest import CONTENDERS
from tests.unit.said import said

pytestmark = pytest.mark.integration

NAMES = ("sync", "async")
PLAN = ProfilePlan(requests=3, users=8, seconds=1.5, warmup_s=0.5, free_ports=True, warmup_calls=2)
STEMS = ("client", "scoring", "model")


def profile(results: Path, names: Sequence[str], plan: ProfilePlan) -> Run:
    assignment = assign(choose(names, CONTENDERS), plan, {})
    return carry_out(EXPERIMENT, assignment, results, Progress(Console(quiet=True)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return profile(tmp_path_factory.mktemp("results"), NAMES, PLAN)


@pytest.fixture(scope="module")
def entries(run: Run) -> dict[str, dict[str, Any]]:
    contenders: dict[str, dict[str, Any]] = run.summary["contenders"]
    return contenders


@pytest.mark.parametrize("name", NAMES)
def test_every_side_has_a_profile_of_every_profiler(run: Run, name: str) -> None:
    found = {path.name for path in (run.path / "profiles" / name).iterdir()}
    for stem in STEMS:
        assert {f"{stem}-pyinstrument{suffix}" for suffix in (".html", ".txt", ".speedscope.json")} <= found
        assert {
            f"{stem}-yappi-{clock}.{suffix}" for clock in ("cpu", "wall") for suffix in ("csv", "callgrind")
        } <= found
    assert f"scoring-cpu-sampler-{PLAN.users}-users.folded" in found
    assert not any(name.endswith((".stacks", ".session.json")) or name == "go" for name in found)


@pytest.mark.parametrize("name", NAMES)
def test_pyinstrument_sees_inside_the_handler(run: Run, name: str) -> None:
    text = (run.path / "profiles" / name / "scoring-pyinstrument.txt").read_text()
    assert f"sum of {PLAN.requests} requests" in text
    assert "model_client.py" in text
    document = json.loads((run.path / "profiles" / name / "scoring-pyinstrument.speedscope.json").read_text())
    assert document["$schema"].startswith("https://www.speedscope.app")


@pytest.mark.parametrize("name", NAMES)
def test_yappi_counts_each_call_of_the_handler_once(run: Run, name: str) -> None:
    with (run.path / "profiles" / name / "scoring-yappi-wall.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == FUNCTION_COLUMNS
    handler = next(row for row in rows if row["function"].endswith("predict"))
    assert handler["library"] == "own code"
    assert int(handler["calls"]) >= PLAN.requests
    assert "events: Ticks" in (run.path / "profiles" / name / "scoring-yappi-wall.callgrind").read_text()


def test_cpu_by_library_and_the_rest_sum_to_what_the_system_counted(entries: dict[str, dict[str, Any]]) -> None:
    for entry in entries.values():
        shares = entry["cpu_by_library"]
        assert set(entry["cpu_by_kind"]) <= set(KINDS)
        assert sum(shares.values()) + entry["cpu_not_attributed"] == pytest.approx(entry["cpu_ms_counted"], rel=1e-3)
    assert "requests" in entries["sync"]["cpu_by_library"]
    assert max(entries["async"]["cpu_by_library"].items(), key=lambda item: item[1])[0] == "httpx"


def test_the_wall_clock_of_a_request_is_mostly_waiting_for_the_models(entries: dict[str, dict[str, Any]]) -> None:
    for entry in entries.values():
        split = entry["wall_split_ms"]
        assert split["waiting for the models"] > entry["floor_ms"] * 0.9
        assert split["waiting for the models"] > sum(split.values()) / 2


def test_each_profiler_says_what_it_cost(entries: dict[str, dict[str, Any]]) -> None:
    for entry in entries.values():
        sides = {(cost["profiler"], cost["side"]) for cost in entry["profiler_cost"]}
        expected = {(p, side) for p in ("pyinstrument", "yappi-cpu", "yappi-wall") for side in ("client", "server")}
        assert sides == expected | {("cpu-sampler", "scoring")}


def test_all_calls_say_what_others_had_of_the_machine(run: Run) -> None:
    rows = run.lines("calls.jsonl")
    assert len(rows) == len(NAMES) * 7
    assert all(0 <= row["foreign_share"] <= 1 and 0 <= row["steal_share"] <= 1 for row in rows)


def test_a_report_is_written_and_the_run_is_the_latest(run: Run) -> None:
    page = (run.path / "report.html").read_text()
    assert "Where does the time of a request go?" in page
    assert "<svg" in page
    assert (run.path.parent / "latest").resolve() == run.path.resolve()


def test_a_sampler_that_breaks_its_process_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, broken = [], []

    def break_once(session: Session, contender: Contender, load: Levels, block: int) -> TrialRecord:
        blocks.append(block)
        if block == SAMPLED:
            with session.trial(contender, block):
                raise StackError("scoring died in mid-run with exit status -11")
        # The real sampler breaks processes too, which is why there are attempts: a worker that has a successor fails
        # a request, any other ends the cell.
        try:
            cell = hold(session, contender, load, block)
        except (StackError, LoadError):
            broken.append(block)
            raise
        if block > SAMPLED and not session.run.cell_samples(cell)["ok"].all():
            broken.append(block)
        return cell

    monkeypatch.setattr(profiling, "hold", break_once)
    monkeypatch.setattr(profiling, "_call_without", lambda *_: None)
    # A sampler that counts CPU in ticks of 4 ms needs more than a few requests to see any.
    plan = ProfilePlan(users=8, seconds=1.5, warmup_s=0.2, profilers=(), free_ports=True)
    run = profile(tmp_path, NAMES[:1], plan)
    entry = run.summary["contenders"][NAMES[0]]
    assert blocks == [PLAIN, SAMPLED, *broken, SAMPLED + 1 + len(broken)]
    assert entry["sampling_attempts"] == 2 + len(broken)
    assert entry["cpu_by_library"]
    assert not [reason for reason in said(entry["reasons"]) if "died" in reason]


def test_a_service_that_dies_ends_its_contender_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = profiling._call

    def call_a_dead_one(trial: Trial, plan: ProfilePlan, side: str, profiler: str | None) -> None:
        if trial.cell.contender == NAMES[0]:
            model = next(running for running in trial.stack.processes if running.role == "model")
            for process in (*psutil.Process(model.pid).children(), psutil.Process(model.pid)):
                os.kill(process.pid, signal.SIGKILL)
            model.popen.wait()
        call(trial, plan, side, profiler)

    monkeypatch.setattr(profiling, "_call", call_a_dead_one)
    plan = ProfilePlan(requests=1, sides=("client",), profilers=("pyinstrument",), free_ports=True, warmup_calls=1)
    run = profile(tmp_path, NAMES, plan)
    dead, other = (run.summary["contenders"][name] for name in NAMES)
    assert not dead["valid"]
    assert "model of sync died during the run" in said(dead["reasons"])[0]
    assert "its log ends" in said(dead["reasons"])[0]
    assert not [reason for reason in said(other["reasons"]) if "died" in reason]
    assert "client-pyinstrument.html" in other["profiles"]


def test_an_interruption_keeps_and_reports_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(profiling, "_call_without", interrupt)
    plan = ProfilePlan(requests=1, users=2, seconds=0.5, warmup_s=0.2, free_ports=True, warmup_calls=1)
    run = profile(tmp_path, NAMES, plan)
    assert not run.summary["complete"]
    assert "interrupted: 1 of 2 contenders were measured" in said(run.summary["reasons"])
    assert run.summary["contenders"][NAMES[0]]["cpu_by_library"]
    assert said(run.summary["contenders"][NAMES[1]]["reasons"]) == ["not measured"]
    assert (run.path / "report.html").exists()
    assert not (tmp_path / "latest").exists()
