"""What is asked of a service and when, which processes are killed, and what becomes of a computation that fails."""

import contextlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest

from benchmark.errors import LoadError, NotAvailable, RecordError
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.strategies import measure as module
from benchmark.experiments.strategies import plan as plan_module
from benchmark.experiments.strategies.law import Computation, Kill
from benchmark.experiments.strategies.measure import STATISTICS, _run, _statistics, _Watcher
from benchmark.experiments.strategies.plan import Job, StrategiesPlan, assign
from benchmark.measure.session import Session
from benchmark.record.run import Run, TrialRecord
from benchmark.stack.watchdog import Guard
from tests.unit.benchmark.experiments.recorders import record_strategies
from tests.unit.benchmark.experiments.strategies.synthetic import POOLS, make_strategy
from tests.unit.benchmark.fakes import make_session
from tests.unit.benchmark.synthetic import make_contender

POOL = Job(POOLS, "two")
HELPERS = "import subprocess, sys, time; [subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']) "
HELPERS += "for _ in range(2)]; print('ready', flush=True); time.sleep(600)"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path, "strategies", {})


def trial_of(run: Run, pids: tuple[int, ...] = (), base_url: str = "") -> Any:
    """Return a trial whose contender consists of these processes."""
    processes = tuple(SimpleNamespace(pid=pid, role="scoring") for pid in pids)
    stack = SimpleNamespace(processes=processes, base_url=base_url)
    return cast(Any, SimpleNamespace(cell=TrialRecord(0, "two", 1), stack=stack, session=SimpleNamespace(run=run)))


def says(monkeypatch: pytest.MonkeyPatch, *said: dict[str, Any]) -> None:
    """Let a service say one thing after the other when it is asked, the last again and again."""
    left = list(said)
    monkeypatch.setattr(module, "_statistics", lambda _: left.pop(0) if len(left) > 1 else left[0])


def watcher_of(*loads: str, **kills: Kill) -> _Watcher:
    return _Watcher(POOL, list(loads), make_strategy(kills=kills))


def test_a_service_is_asked_at_both_ends_of_each_window_and_the_answers_are_kept_by_load(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, {"calls": 1}, {"calls": 2}, {"calls": 3}, {"calls": 4})
    watch, trial = watcher_of("four at once", "busy"), trial_of(run)
    for event in ("ready", "measuring", "tick", "window", "waiting", "measuring", "window"):
        watch(trial, event)
    rows = run.lines(STATISTICS)
    assert [(row["load"], row["when"], row["said"]["calls"]) for row in rows] == [
        ("four at once", "before", 1),
        ("four at once", "after", 2),
        ("busy", "before", 3),
        ("busy", "after", 4),
    ]
    assert {(row["strategy"], row["subject"], row["block"]) for row in rows} == {(POOLS, "two", 0)}


@pytest.fixture
def family() -> Iterator[subprocess.Popen[str]]:
    """A process with two helper processes."""
    process = subprocess.Popen(
        [sys.executable, "-c", HELPERS], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def living(pids: list[int]) -> list[int]:
    """Return those that are processes still, and no mere entries of the process table."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


def eventually(state: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 30
    while not state():
        assert time.monotonic() < until_s
        time.sleep(0.01)


def test_helpers_are_killed_one_after_the_other_and_counted(
    run: Run, monkeypatch: pytest.MonkeyPatch, family: subprocess.Popen[str]
) -> None:
    helpers = [child.pid for child in psutil.Process(family.pid).children()]
    says(monkeypatch, {"pids": helpers})
    watch, trial = watcher_of("busy", busy=Kill(2, every_s=0.0)), trial_of(run, (family.pid,))
    watch(trial, "measuring")
    watch(trial, "tick")
    eventually(lambda: len(living(helpers)) == 1)
    watch(trial, "tick")
    eventually(lambda: not living(helpers))
    watch(trial, "window")
    assert family.poll() is None
    assert run.lines(STATISTICS)[-1]["killed"] == 2


def test_nothing_is_killed_that_is_no_helper_of_the_contender_whatever_the_service_names(
    run: Run, monkeypatch: pytest.MonkeyPatch, family: subprocess.Popen[str]
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        says(monkeypatch, {"pids": [stranger.pid, os.getpid(), family.pid, 1, "x", None]})
        watch, trial = watcher_of("busy", busy=Kill(3, every_s=0.0)), trial_of(run, (family.pid,))
        for event in ("measuring", "tick", "tick", "window"):
            watch(trial, event)
        assert (stranger.poll(), family.poll()) == (None, None)
        assert run.lines(STATISTICS)[-1]["killed"] == 0
        stranger.kill()


@pytest.mark.parametrize(("load", "every_s"), [("busy", 3600.0), ("idle", 0.0)])
def test_nothing_is_killed_before_its_time_or_under_another_load(
    run: Run, monkeypatch: pytest.MonkeyPatch, family: subprocess.Popen[str], load: str, every_s: float
) -> None:
    helpers = [child.pid for child in psutil.Process(family.pid).children()]
    says(monkeypatch, {"pids": helpers})
    watch, trial = watcher_of(load, busy=Kill(2, every_s)), trial_of(run, (family.pid,))
    for event in ("tick", "measuring", "tick", "window", "tick"):
        watch(trial, event)
    assert living(helpers) == helpers


def test_the_memory_of_helpers_counts_and_that_of_redis_does_not(run: Run, family: subprocess.Popen[str]) -> None:
    trial = trial_of(run, (family.pid,))
    whole_mb = module._pss_mb(trial)
    assert whole_mb is not None
    assert whole_mb > 0
    trial.stack.processes[0].role = "redis"
    assert module._pss_mb(trial) == 0


class Says(http.server.BaseHTTPRequestHandler):
    said = b""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == module.STATISTICS_PATH else 404)
        self.end_headers()
        self.wfile.write(self.said)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"calls": 3, "pids": [1]}', {"calls": 3, "pids": [1]}),
        (b'{"calls": NaN}', {}),
        (b"[1, 2]", {}),
        (b"<html>", {}),
        (b"\xff", {}),
    ],
)
def test_statistics_are_an_object_of_finite_numbers_or_nothing(run: Run, body: bytes, found: dict[str, Any]) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), type("Handler", (Says,), {"said": body})) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert _statistics(trial_of(run, base_url=f"http://127.0.0.1:{server.server_port}")) == found
        assert _statistics(trial_of(run, base_url=f"http://127.0.0.1:{server.server_port}/elsewhere")) == {}
        server.shutdown()


def test_who_does_not_answer_says_nothing(run: Run) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), Says) as server:
        port = server.server_port
    assert _statistics(trial_of(run, base_url=f"http://127.0.0.1:{port}")) == {}


@pytest.fixture
def session(run: Run, guard: Guard) -> Session:
    session = make_session(run)
    session.guard = guard
    return session


def compute(session: Session, folder: Path, patch: pytest.MonkeyPatch, code: str, timeout_s: float = 60) -> Any:
    """Run a module of this code as a computation."""
    (folder / "computed.py").write_text(code)
    patch.setattr(module, "own_environment", lambda: {**os.environ, "PYTHONPATH": str(folder)})
    return _run(session, TrialRecord(0, "sum", 1, part=POOLS), Computation("computed", ("3",), timeout_s))


def test_a_computation_says_what_it_prints(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = 'import json, sys; print(json.dumps({"total": 4 * int(sys.argv[1])}))'
    assert compute(session, tmp_path, monkeypatch, code) == {"total": 12}


FAILING = {
    "raises": ("raise SystemExit('it is too much')", "computed failed; its log ends:\n.*it is too much"),
    "is no object": ("print([1])", r"printed no JSON object: \[1\] is not an object"),
    "is no number": ("print('{\"total\": Infinity}')", "printed no JSON object: Infinity is no number"),
    "says more than that": ("print('hello'); print('{}')", "printed no JSON object"),
    "says nothing": ("pass", "printed no JSON object"),
}


@pytest.mark.parametrize(("code", "message"), FAILING.values(), ids=FAILING)
def test_a_computation_that_fails_is_one_error_with_what_it_said(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    with pytest.raises(LoadError, match=f"(?s){message}"):
        compute(session, tmp_path, monkeypatch, code)


def test_a_computation_that_hangs_is_ended(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    with pytest.raises(LoadError, match="computed took longer than 2 s"):
        compute(session, tmp_path, monkeypatch, code, timeout_s=2)
    assert not living([int((tmp_path / "pid").read_text())])


def test_what_a_computation_leaves_in_temporary_folders_is_removed_however_it_ends(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "made"
    leave = (
        f"import tempfile\nmade = tempfile.mkdtemp()\nopen(made + '/kept', 'w')\nopen({str(made)!r}, 'w').write(made)\n"
    )
    for end in ("print('{}')", "raise SystemExit(1)", "import time; time.sleep(600)"):
        with contextlib.suppress(LoadError):
            compute(session, tmp_path, monkeypatch, leave + end, timeout_s=2)
        assert not Path(made.read_text()).exists()
        made.unlink()


def assignment(monkeypatch: pytest.MonkeyPatch) -> Assignment[StrategiesPlan]:
    monkeypatch.setattr(plan_module, "discover", lambda: {name: make_contender(name) for name in ("one", "two")})
    return assign(StrategiesPlan({POOLS: make_strategy()}, blocks=2, scale=1.0))


def test_who_fails_is_recorded_and_the_others_go_on(
    session: Session, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hold(session: Session, contender: Any, load: Any, block: int, part: str, watch: Any) -> None:
        cell = TrialRecord(block, contender.label, 1, part=part)
        if contender.label == "two":
            cell.status, cell.code, cell.reason = "failed", NotAvailable.code, "no network"
        session.cells.append(cell)
        session.run.append_cell(cell)
        if contender.label == "two":
            raise NotAvailable("no network")

    def fail(*_: Any) -> dict[str, Any]:
        raise LoadError("it is too much")

    monkeypatch.setattr(module, "hold", hold)
    monkeypatch.setattr(module, "_run", fail)
    module.measure(session, assignment(monkeypatch))
    ends = {(trial.block, trial.contender, trial.status, trial.code) for trial in run.trials()}
    assert ends == {
        (block, *end)
        for block in (0, 1)
        for end in (("one", "measured", ""), ("two", "failed", "not_available"), ("sum", "failed", "load"))
    }


def test_a_record_that_cannot_be_written_ends_the_run(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise RecordError("no space left")

    monkeypatch.setattr(module, "hold", full)
    monkeypatch.setattr(module, "_run", lambda *_: {})
    with pytest.raises(RecordError, match="no space left"):
        module.measure(session, assignment(monkeypatch))


def test_ctrl_c_reports_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record_strategies(tmp_path, monkeypatch, "interrupted")
    assert {trial.status for trial in run.trials()} == {"measured", "interrupted"}
    assert (run.path / "report.html").exists()
    assert not run.summary["complete"]


def test_the_statistics_of_a_run_that_was_carried_out_are_part_of_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record_strategies(tmp_path, monkeypatch, "whole")
    rows = run.lines(STATISTICS)
    strategy = make_strategy()
    asked = [(row["subject"], row["load"], row["when"]) for row in rows if row["block"] == 0]
    expected = {(name, load, when) for name in ("one", "two") for load in strategy.loads_of(name)
                for when in ("before", "after")}  # fmt: skip
    assert set(asked) == expected | {("sum", "", "after")}
    assert len(asked) == len(set(asked))
    assert json.loads((run.path / "manifest.json").read_text())["laws"][POOLS]["laws"]


def test_a_load_that_is_watched_is_read_at_every_tick_of_its_window(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, {"backlog": 3})
    watch, trial = _Watcher(POOL, ["busy", "idle"], make_strategy(watched=("busy",))), trial_of(run)
    for event in ("tick", "measuring", "tick", "tick", "window", "tick", "measuring", "tick", "window"):
        watch(trial, event)
    rows = run.lines(STATISTICS)
    assert [row["when"] for row in rows] == ["before", "during", "during", "after", "before", "after"]
    assert [row["said"]["backlog"] for row in rows if row["when"] == "during"] == [3, 3]
    assert rows[1]["t_ns"] < rows[2]["t_ns"]


@pytest.mark.parametrize(
    ("role", "depth", "left"), [("scoring", 0, 0), ("scoring", 1, 0), ("scoring", 2, 2), ("x", 0, 2)]
)
def test_by_role_those_below_it_are_killed_and_nobody_else(
    run: Run, monkeypatch: pytest.MonkeyPatch, family: subprocess.Popen[str], role: str, depth: int, left: int
) -> None:
    helpers = [child.pid for child in psutil.Process(family.pid).children()]
    says(monkeypatch, {})
    watch, trial = watcher_of("busy", busy=Kill(2, 0.0, role, depth)), trial_of(run, (family.pid,))
    for event in ("measuring", "tick", "tick"):
        watch(trial, event)
    eventually(lambda: len(living(helpers)) == left)
    assert family.poll() is None
