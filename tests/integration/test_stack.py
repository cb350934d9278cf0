"""Processes of a contender: what starts is watched, sampled and stopped, whatever happens."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from benchmark import stack as stack_module
from benchmark.contenders import ROOT, Contender, Process
from benchmark.errors import StackError
from benchmark.guard import Guard, stop_groups
from benchmark.sampling import ResourceSample, Sampler
from benchmark.stack import HOST, free_port, running_stack, start_process, stop_processes
from tests.conftest import CONTENDERS, REAL

pytestmark = pytest.mark.integration

NULL = CONTENDERS["null"].process[0]
ONE_PER_FOLDER = list({CONTENDERS[name].folder: name for name in REAL}.values())
BUSY = "while True: pass"
IDLE = "import time\nwhile True: time.sleep(0.1)"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('ready', flush=True)\n" + IDLE


class Watching(Guard):
    """A guard that remembers what it was told to watch."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: set[int] = set()

    def watch(self, group: int) -> None:
        self.groups.add(group)
        super().watch(group)


@pytest.fixture
def watching() -> Iterator[Watching]:
    watching = Watching()
    yield watching
    watching.close()
    assert members(watching.groups) == []


def members(groups: set[int]) -> list[psutil.Process]:
    """Return the processes of groups that still run; one that has ended and waits to be collected does not."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, f"{what}: not within {seconds:g} s"
        time.sleep(0.02)


def pair(**changes: object) -> Contender:
    """Return a contender of two processes that start fast, on ports that are free now."""
    processes = (
        NULL.model_copy(update={"role": "model", "port": free_port()}),
        NULL.model_copy(update={"role": "scoring", "port": free_port()}),
    )
    return CONTENDERS["null"].model_copy(update={"name": "pair", "process": processes, **changes})


def running(argv: list[str], **changes: object) -> Contender:
    """Return a contender that is one process with this command line."""
    process = Process.model_validate({"role": "scoring", "command": argv, "port": free_port(), **changes})
    return pair(process=(process,))


@contextlib.contextmanager
def started(argv: list[str], log: Path, guard: Guard) -> Iterator[subprocess.Popen[bytes]]:
    process = start_process(argv, log, guard, os.environ)
    try:
        yield process
    finally:
        stop_processes([process], guard, grace_s=0.1)


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


def test_a_service_gets_the_settings_of_its_contender_and_none_of_the_shell(
    tmp_path: Path, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVING_THREADS", "abc")
    monkeypatch.setenv("OTHER_VARIABLE", "kept")
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
    assert model["OTHER_VARIABLE"] == "kept"


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
    assert f"{role} of pair died in mid-run" in message
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
from benchmark.contenders import discover
from benchmark.guard import Guard, stop_groups
from benchmark.stack import running_stack
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


# Sampling


@pytest.fixture
def samples() -> list[ResourceSample]:
    return []


def growing(samples: list[ResourceSample]) -> bool:
    """Whether there are some samples by now, with 100 ms of CPU time in between."""
    return len(samples) > 5 and samples[-1].cpu_ns > samples[0].cpu_ns + 10**8


def test_a_busy_process_uses_more_and_more_cpu_as_the_system_counts_it(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    with started([sys.executable, "-c", BUSY], tmp_path / "log", watching) as process:
        before_ns = cpu_ns(process.pid)
        with Sampler({"busy": process.pid}, samples.append):
            until(lambda: growing(samples), "CPU time grows")
        after_ns = cpu_ns(process.pid)
        count = len(samples)
        time.sleep(0.3)
        assert len(samples) == count, "a sampler that has ended samples no more"
    assert {sample.role for sample in samples} == {"busy"}
    assert all(sample.t_ns < later.t_ns for sample, later in pairwise(samples))
    assert all(sample.cpu_ns <= later.cpu_ns for sample, later in pairwise(samples))
    tick_ns = 2 * 10**9 // os.sysconf("SC_CLK_TCK")
    assert before_ns - tick_ns <= samples[0].cpu_ns
    assert samples[-1].cpu_ns <= after_ns + tick_ns
    assert 10**6 < samples[-1].rss_bytes < 10**9


def test_cpu_of_a_child_counts_for_its_parent(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    program = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])"
    with started([sys.executable, "-c", program], tmp_path / "log", watching) as process:
        until(psutil.Process(process.pid).children, "the child runs")
        with Sampler({"parent": process.pid}, samples.append):
            until(lambda: growing(samples), "CPU time grows")
    assert {sample.role for sample in samples} == {"parent"}


def cpu_ns(pid: int) -> int:
    times = psutil.Process(pid).cpu_times()
    return int((times.user + times.system) * 1e9)


def test_an_idle_process_uses_no_cpu_to_speak_of(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    with (
        started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process,
        Sampler({"idle": process.pid}, samples.append),
    ):
        until(lambda: len(samples) > 12, "it is sampled")
    late = samples[-8:]
    assert late[-1].cpu_ns - late[0].cpu_ns < (late[-1].t_ns - late[0].t_ns) / 10


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_sampling_goes_on_for_others_when_a_process_dies(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    command = [sys.executable, "-c", IDLE]
    with (
        started(command, tmp_path / "one", watching) as mortal,
        started(command, tmp_path / "two", watching) as other,
        Sampler({"mortal": mortal.pid, "other": other.pid}, samples.append),
    ):
        until(lambda: {sample.role for sample in samples} == {"mortal", "other"}, "both are sampled")
        mortal.kill()
        mortal.wait()
        ended_ns = time.monotonic_ns()
        until(lambda: sum(sample.t_ns > ended_ns for sample in samples) > 12, "the other one is sampled on")
    # The one that may have been under way when the process was collected is half a sample later at most.
    assert {sample.role for sample in samples if sample.t_ns > ended_ns + 50_000_000} == {"other"}


def test_a_process_that_has_ended_and_was_not_collected_yet_is_not_sampled(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    with started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process:
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, "it has ended")
        with Sampler({"mortal": process.pid}, samples.append):
            time.sleep(0.3)
    assert samples == []


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sampler_ends_cleanly_when_all_processes_are_dead(
    tmp_path: Path, watching: Watching, samples: list[ResourceSample]
) -> None:
    with (
        started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process,
        Sampler({"mortal": process.pid}, samples.append),
    ):
        until(lambda: samples, "it is sampled")
        process.kill()
        process.wait()
    count = len(samples)
    time.sleep(0.3)
    assert len(samples) == count


def test_a_real_stack_is_sampled_by_role(tmp_path: Path, watching: Watching, samples: list[ResourceSample]) -> None:
    with running_stack(CONTENDERS[REAL[0]], tmp_path, watching, free_ports=True) as stack:
        pids = {each.role: each.pid for each in stack.processes}
        with Sampler(pids, samples.append):
            until(lambda: {sample.role for sample in samples} == set(pids), "every role is sampled")
    assert all(sample.cpu_ns > 0 for sample in samples)
