"""Processes of a contender: what starts is watched and stopped, whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.errors import StackError
from benchmark.stack import processes as stack_module
from benchmark.stack.processes import HOST, free_port, running_stack
from benchmark.stack.watchdog import Guard, stop_groups
from tests.conftest import CONTENDERS, REAL
from tests.integration.processes import IDLE, NULL, Watching, members, pair, running, started, until

pytestmark = pytest.mark.integration

ONE_PER_FOLDER = list({CONTENDERS[name].folder: name for name in REAL}.values())
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n" + IDLE


# Starting


def test_a_stack_is_ready_on_the_ports_of_its_contender(tmp_path: Path, watching: Watching) -> None:
    contender = pair()
    with running_stack(contender, tmp_path, watching) as stack:
        stack.check_alive()
        assert [each.role for each in stack.processes] == ["model", "scoring"]
        assert [each.port for each in stack.processes] == [process.port for process in contender.process]
        assert stack.base_url == f"http://{HOST}:{contender.process[1].port}"
        assert {each.pid for each in stack.processes} == watching.groups


def test_free_ports_let_a_contender_run_twice_at_once(tmp_path: Path, watching: Watching) -> None:
    contender = pair()
    with (
        running_stack(contender, tmp_path, watching) as one,
        running_stack(contender, tmp_path, watching, free_ports=True) as other,
    ):
        ports = [each.port for stack in (one, other) for each in stack.processes]
        assert len(set(ports)) == 4


@pytest.mark.parametrize("role", ["model", "scoring"])
def test_a_port_in_use_is_one_sentence_and_leaves_nothing_running(
    tmp_path: Path, watching: Watching, role: str
) -> None:
    contender = pair()
    port = next(process.port for process in contender.process if process.role == role)
    with socket.socket() as other:
        other.bind((HOST, port))
        other.listen()
        with pytest.raises(StackError) as raised, running_stack(contender, tmp_path, watching):
            pass
    message = str(raised.value)
    for word in (f"port {port}", role, "pair", "in use", "--free-ports"):
        assert word in message
    assert "\n" not in message
    assert members(watching.groups) == []


@pytest.mark.parametrize("name", ONE_PER_FOLDER)
def test_a_service_that_dies_at_start_is_named_with_the_end_of_its_log(
    tmp_path: Path, watching: Watching, name: str
) -> None:
    with (
        pytest.raises(StackError) as raised,
        running_stack(CONTENDERS[name], tmp_path, watching, {"SERVING_THREADS": "abc"}, free_ports=True),
    ):
        pass
    message = str(raised.value)
    assert f"of {name} died at start" in message
    assert "SERVING_THREADS is 'abc'" in message
    assert members(watching.groups) == []


def test_a_program_that_there_is_not_is_a_stack_error(tmp_path: Path, watching: Watching) -> None:
    with (
        pytest.raises(StackError, match="no-such-program"),
        running_stack(running(["no-such-program"]), tmp_path, watching),
    ):
        pass


def test_a_service_that_never_gets_ready_is_named_with_the_end_of_its_log(
    tmp_path: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_module, "READY_TIMEOUT_S", 1.0)
    argv = [sys.executable, "-c", "print('still loading', flush=True)\n" + IDLE]
    with pytest.raises(StackError) as raised, running_stack(running(argv, ready="tcp"), tmp_path, watching):
        pass
    assert "scoring of pair was not ready after 1 s" in str(raised.value)
    assert "still loading" in str(raised.value)
    assert members(watching.groups) == []


def test_a_service_that_answers_otherwise_than_200_is_not_ready(
    tmp_path: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_module, "READY_TIMEOUT_S", 1.0)
    contender = pair(process=(NULL.model_copy(update={"port": free_port(), "ready": "/nowhere"}),))
    with pytest.raises(StackError, match="was not ready"), running_stack(contender, tmp_path, watching):
        pass


@pytest.mark.parametrize("text", ["{nobody}", "{", "{0}"])
def test_a_placeholder_that_there_is_not_is_answered_with_those_that_there_are(
    tmp_path: Path, watching: Watching, text: str
) -> None:
    contender = pair(process=(NULL.model_copy(update={"port": free_port(), "args": (text,)}),))
    with pytest.raises(StackError) as raised, running_stack(contender, tmp_path, watching):
        pass
    assert repr(text) in str(raised.value)
    assert "port, scoring" in str(raised.value)


# Each of these would change what is measured.
FROM_THE_SHELL = (
    *(
        "OTHER_VARIABLE",
        "LOCUST_HOST",
        "LOCUST_RUN_TIME",
        "GUNICORN_CMD_ARGS",
        "WEB_CONCURRENCY",
        "FORWARDED_ALLOW_IPS",
    ),
    *("FLASK_DEBUG", "LD_PRELOAD_OF_OURS", "MALLOC_ARENA_MAX", "AIOHTTP_NO_EXTENSIONS", "PYTHONASYNCIODEBUG"),
    *("PYTHONDEVMODE", "PYTHONMALLOC", "PYTHONOPTIMIZE", "HTTP_PROXY", "ALL_PROXY", "GEVENT_LOOP", "UVLOOP_DEBUG"),
)


def test_a_service_gets_the_settings_of_its_contender_and_none_of_the_shell(
    tmp_path: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVING_THREADS", "abc")
    for name in FROM_THE_SHELL:
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    contender = pair()
    scoring = contender.process[1].model_copy(
        update={"env": {"SERVING_PORT": "{port}", "SERVING_MODEL_URLS": "http://{model}/", "SERVING_WORKERS": "1"}}
    )
    contender = contender.model_copy(update={"process": (contender.process[0], scoring)})
    given = {"SERVING_WORKERS": "2", "SERVING_BACKLOG": "7"}
    with running_stack(contender, tmp_path, watching, given) as stack:
        model, scoring_env = (psutil.Process(each.pid).environ() for each in stack.processes)
    settings = {name: value for name, value in scoring_env.items() if name.startswith("SERVING_")}
    assert settings == {
        "SERVING_BACKLOG": "7",
        "SERVING_WORKERS": "1",  # the contender's own word counts more
        "SERVING_PORT": str(scoring.port),
        "SERVING_MODEL_URLS": f"http://{HOST}:{contender.process[0].port}/",
    }
    assert {name for name in model if name.startswith("SERVING_")} == set(given)
    assert not set(FROM_THE_SHELL) & set(model)
    assert model["LC_ALL"] == "C.UTF-8"
    assert model["PATH"] == os.environ["PATH"]


# Running


@pytest.mark.parametrize("role", ["model", "scoring"])
def test_a_service_that_was_killed_is_named_with_the_end_of_its_log(
    tmp_path: Path, watching: Watching, role: str
) -> None:
    with running_stack(pair(), tmp_path, watching) as stack:
        stack.check_alive()
        victim = next(each for each in stack.processes if each.role == role)
        with victim.log.open("a") as log:
            log.write("last words\n")
        os.kill(victim.pid, signal.SIGKILL)
        victim.popen.wait()
        with pytest.raises(StackError) as raised:
            stack.check_alive()
    message = str(raised.value)
    assert f"{role} of pair died during the run" in message
    assert "-9" in message
    assert message.endswith("last words")


# Stopping


@pytest.mark.parametrize("name", [*ONE_PER_FOLDER, "null"])
def test_nothing_of_a_stack_is_left_when_it_has_ended(tmp_path: Path, watching: Watching, name: str) -> None:
    contender = CONTENDERS[name]
    with running_stack(contender, tmp_path, watching, free_ports=True) as stack:
        alive = members(watching.groups)
        assert len(alive) >= len(contender.process)
        ports = [each.port for each in stack.processes]
    assert members(watching.groups) == []
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, port), timeout=5)


def test_an_error_while_a_stack_runs_stops_it(tmp_path: Path, watching: Watching) -> None:
    with pytest.raises(ZeroDivisionError), running_stack(pair(), tmp_path, watching):
        raise ZeroDivisionError
    assert len(watching.groups) == 2
    assert members(watching.groups) == []


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path, watching: Watching) -> None:
    log = tmp_path / "log"
    with started([sys.executable, "-c", STUBBORN], log, watching) as process:
        until(lambda: "ready" in log.read_text(), "the process runs")
    assert process.returncode == -signal.SIGKILL


def test_children_that_outlive_their_parent_are_stopped_with_it(tmp_path: Path, watching: Watching) -> None:
    log = tmp_path / "log"
    parent = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {STUBBORN!r}])"
    with started([sys.executable, "-c", parent], log, watching) as process:
        until(lambda: "ready" in log.read_text(), "the child runs")
        process.wait()
        assert len(members({process.pid})) == 1
    assert members({process.pid}) == []


def test_stopping_what_has_ended_is_no_error(tmp_path: Path, watching: Watching) -> None:
    with started([sys.executable, "-c", ""], tmp_path / "log", watching) as process:
        process.wait()
    assert process.returncode == 0


# When the harness itself is gone

HARNESS = """
import sys, time
from pathlib import Path
from benchmark.contenders.discovery import discover
from benchmark.stack.watchdog import Guard, stop_groups
from benchmark.stack.processes import running_stack
with running_stack(discover()[sys.argv[1]], Path(sys.argv[2]), Guard(), free_ports=True) as stack:
    print(*(each.pid for each in stack.processes), flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("name", ONE_PER_FOLDER)
def test_nothing_is_left_when_the_harness_is_killed(tmp_path: Path, guard: Guard, name: str) -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, name, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    guard.watch(harness.pid)
    groups: set[int] = set()
    try:
        assert harness.stdout is not None
        groups = {int(pid) for pid in harness.stdout.readline().split()}
        assert len(groups) == len(CONTENDERS[name].process)
        assert len(members(groups)) >= len(groups)
        os.kill(harness.pid, signal.SIGKILL)
        until(lambda: not members(groups), "everything has been stopped", 10)
    finally:
        harness.kill()
        harness.communicate()
        guard.release(harness.pid)
        stop_groups(groups)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_nothing_is_left_when_harness_and_guard_are_killed_together(tmp_path: Path, watching: Watching) -> None:
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, "null", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    watching.watch(harness.pid)
    groups: set[int] = set()
    try:
        assert harness.stdout is not None
        groups = {int(pid) for pid in harness.stdout.readline().split()}
        (guard,) = [
            each for each in psutil.Process(harness.pid).children() if "watchdog.py" in " ".join(each.cmdline())
        ]
        guard.suspend()  # it cannot act on the end of the harness
        harness.kill()
        guard.kill()
        until(lambda: not members(groups), "everything has been stopped", 10)
    finally:
        harness.kill()
        harness.communicate()
        watching.release(harness.pid)
        stop_groups(groups)


def test_a_guard_stops_what_it_watches_and_not_what_was_released(tmp_path: Path, watching: Watching) -> None:
    command = [sys.executable, "-c", IDLE]
    with (
        started(command, tmp_path / "released", watching) as released,
        started(command, tmp_path / "watched", watching) as watched,
    ):
        guard = Guard()
        for process in (released, watched):
            guard.watch(process.pid)
        guard.release(released.pid)
        collector = threading.Thread(target=watched.wait)  # as init collects it when its parent is gone
        collector.start()
        guard.close()
        collector.join()
        assert watched.returncode == -signal.SIGTERM
        assert released.poll() is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has ended and is not collected yet")
def test_a_group_that_has_ended_and_is_not_collected_yet_is_not_waited_for(
    tmp_path: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    real = os.killpg

    def send(group: int, number: int) -> None:
        sent.append(number)
        real(group, number)

    with started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process:
        monkeypatch.setattr(os, "killpg", send)
        stop_groups({process.pid}, grace_s=20)
        assert signal.SIGKILL not in sent  # it is sent when the time is over
        monkeypatch.undo()
        assert process.wait(10) == -signal.SIGTERM
