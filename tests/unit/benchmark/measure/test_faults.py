"""Faults: what happens to real processes, what is recorded of it, and that nothing of it is left."""

import contextlib
import http.client
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender, Process, discover
from benchmark.errors import StackError
from benchmark.measure import fault_proxy, faults
from benchmark.measure.faults import Fault, Inflictor, behind_proxy
from benchmark.measure.session import Session
from benchmark.measure.trial import Trial
from benchmark.record.run import TrialRecord
from benchmark.stack.processes import running_stack
from benchmark.stack.watchdog import Guard
from tests.unit.benchmark.fakes import make_progress
from tests.unit.benchmark.synthetic import make_contender, make_run

# Listens, answers everything with 200 and its pid, and has a child that does nothing; "deaf" ignores SIGTERM,
# "orphans" leaves its child behind, "replaces" starts a new one in place of its child.
SERVER = """
import http.server, os, signal, subprocess, sys, threading, time
port, *how = sys.argv[1:]
def child():
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
started = [child()]
def end(*_):
    if "orphans" not in how:
        started[-1].kill()
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in how else end)
def replace():
    while True:
        started[-1].wait()
        started.append(child())
if "replaces" in how:
    threading.Thread(target=replace, daemon=True).start()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""


@pytest.fixture
def guard() -> Iterator[Guard]:
    with contextlib.closing(Guard()) as opened:
        yield opened


def contender(folder: Path, *how: str) -> Contender:
    script = folder / "server.py"
    script.write_text(SERVER)
    process = Process(role="scoring", command=("python3", str(script)), args=("{port}", *how), port=1, ready="/")
    return make_contender("one").model_copy(update={"process": (process,)})


@contextlib.contextmanager
def trial_of(folder: Path, guard: Guard, *how: str) -> Iterator[tuple[Trial, Inflictor]]:
    """A trial of a contender with one process, and what inflicts faults on it."""
    one = contender(folder, *how)
    run = make_run(folder, [one])
    session = Session(run, guard, make_progress())
    cell = TrialRecord(0, "one", 1)
    with Inflictor(session) as inflictor, running_stack(one, session.logs(cell), guard, free_ports=True) as stack:
        yield Trial(session, one, stack, cell, law_of(one)), inflictor


def pid_of(trial: Trial) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", trial.stack.port("scoring"), timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/")
        return int(connection.getresponse().read())


def children(trial: Trial) -> list[psutil.Process]:
    return psutil.Process(trial.stack.processes[0].pid).children()


def test_what_is_killed_is_gone_with_its_children_and_another_one_answers_on_its_port(
    tmp_path: Path, guard: Guard
) -> None:
    with trial_of(tmp_path, guard) as (trial, inflictor):
        before, port, (child,) = pid_of(trial), trial.stack.port("scoring"), children(trial)
        done = inflictor.inflict(trial, Fault("kill", "scoring", 0.3))
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
        assert pid_of(trial) != before
        assert trial.stack.port("scoring") == port
        trial.stack.check_alive()
        assert done.end_ns - done.start_ns >= 0.3e9
        again = trial.stack.processes[0].pid
    assert not psutil.pid_exists(again)
    assert inflictor.orphans == 0


def test_who_replaces_its_workers_leaves_none_behind_when_it_is_killed(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal_one = faults._signal

    def slowly(process: psutil.Process, number: signal.Signals) -> None:
        signal_one(process, number)
        time.sleep(0.1)  # enough to start another child

    monkeypatch.setattr(faults, "_signal", slowly)
    with trial_of(tmp_path, guard, "replaces") as (trial, _):
        root = trial.stack.processes[0]
        faults.kill_tree(root.pid)
        root.popen.wait()
        assert list(faults._living({root.pid})) == []
        faults.kill_tree(root.pid)  # gone already: nothing happens


def test_what_stands_still_goes_on_afterwards_also_when_the_harness_is_interrupted(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[str] = []

    def look(_: float) -> None:
        root = psutil.Process(trial.stack.processes[0].pid)
        for _ in range(200):  # a signal takes effect when the process has its turn
            if root.status() == psutil.STATUS_STOPPED:
                break
            time.sleep(0.05)
        states.append(root.status())
        raise KeyboardInterrupt

    with trial_of(tmp_path, guard) as (trial, inflictor):
        before = pid_of(trial)
        monkeypatch.setattr(faults, "_sleep_until", look)
        with pytest.raises(KeyboardInterrupt):
            inflictor.inflict(trial, Fault("stop", "scoring", 1.0))
        assert states == [psutil.STATUS_STOPPED]
        assert pid_of(trial) == before


def test_what_is_told_to_end_ends_and_another_one_comes(tmp_path: Path, guard: Guard) -> None:
    with trial_of(tmp_path, guard) as (trial, inflictor):
        before = pid_of(trial)
        done = inflictor.inflict(trial, Fault("end", "scoring"))
        assert pid_of(trial) != before
    assert (done.orphans, inflictor.orphans) == (0, 0)


def test_processes_that_a_role_leaves_behind_are_counted_and_stopped(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_LEFT_AFTER_S", 0.2)
    with trial_of(tmp_path, guard, "orphans") as (trial, inflictor):
        (child,) = children(trial)
        done = inflictor.inflict(trial, Fault("end", "scoring"))
        child.wait(10)
    assert done.orphans == 1


def test_who_does_not_end_at_sigterm_is_an_error_with_its_name(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_ENDS_WITHIN_S", 0.2)
    with trial_of(tmp_path, guard, "deaf") as (trial, inflictor):
        with pytest.raises(StackError, match="scoring of one still runs"):
            inflictor.inflict(trial, Fault("end", "scoring"))
        trial.stack.processes[0].popen.kill()


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, guard: Guard) -> None:
    with trial_of(tmp_path, guard, "replaces") as (trial, inflictor):
        (before,) = children(trial)
        inflictor.inflict(trial, Fault("kill-worker", "scoring"))
        (after,) = children(trial)
        assert after.pid != before.pid


def test_a_worker_that_nobody_replaces_is_an_error(
    tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "_PATIENCE_S", 0.2)
    with trial_of(tmp_path, guard) as (trial, inflictor), pytest.raises(StackError, match="has not replaced"):
        inflictor.inflict(trial, Fault("kill-worker", "scoring"))


@pytest.mark.parametrize("role", ["redis", "model"])
@pytest.mark.parametrize("name", ["sync", "async-aiohttp"])
def test_a_proxy_stands_between_the_handler_and_what_it_asks_and_nothing_else_changes(name: str, role: str) -> None:
    one = discover()[name]
    changed = behind_proxy(one, role)
    processes = {process.role: process for process in changed.process}
    assert list(processes) == ["redis", "model", f"{role}-proxy", "scoring"]
    assert processes[f"{role}-proxy"].args == ("{port}", f"{{{role}}}")
    variable = {"redis": "SERVING_REDIS_URL", "model": "SERVING_MODEL_URLS"}[role]
    before, after = (
        next(process.env for process in each.process if process.role == "scoring") for each in (one, changed)
    )
    assert after == {**before, variable: before[variable].replace(f"{{{role}}}", f"{{{role}-proxy}}")}
    assert law_of(changed) == law_of(one)


def test_a_proxy_before_nobody_is_an_error() -> None:
    with pytest.raises(StackError, match="no process of the role 'redis'"):
        behind_proxy(make_contender("one"), "redis")


def test_a_proxy_is_told_what_to_do_and_to_stop_doing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr(fault_proxy, "command", lambda *words: told.append(words))
    stack: Any = type("Stack", (), {"processes": (), "port": lambda _, role: {"redis-proxy": 9}[role]})()
    trial = cast(Trial, type("Trial", (), {"stack": stack})())
    Inflictor(cast(Session, None)).inflict(trial, Fault("proxy", "redis", 0.0, "delay", 200))
    assert told == [(9, "delay", 200), (9, "pass")]


def test_a_proxy_that_does_not_answer_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> None:
        raise TimeoutError("timed out")

    monkeypatch.setattr(fault_proxy, "command", silent)
    stack: Any = type("Stack", (), {"processes": (), "port": lambda *_: 9})()
    trial = cast(Trial, type("Trial", (), {"stack": stack})())
    with pytest.raises(StackError, match="the proxy before redis does not answer"):
        Inflictor(cast(Session, None)).inflict(trial, Fault("proxy", "redis", 0.0, "reset"))
