"""`up` and `down` on contenders of tests: idempotent; nothing is left behind or forgotten, whatever ends them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark.contenders.discovery import ROOT, Contender, Process
from benchmark.errors import ServicesError, StackError
from benchmark.stack import background as services
from benchmark.stack.background import down, up
from benchmark.stack.processes import HOST, free_port
from benchmark.stack.services_state import Service, State
from benchmark.stack.watchdog import Guard, stop_groups
from tests.integration.processes import IDLE, Watching, members, pair, started, until

pytestmark = pytest.mark.integration

OK, FAILED, INTERRUPTED = 0, 1, 130
NOTHING = ["nothing to stop"]
LISTEN = f"import os, socket, sys\nserver = socket.create_server(('{HOST}', int(sys.argv[1])))\n"
SILENT = LISTEN + IDLE  # it takes connections and never answers, so that `up` waits
WITH_WORKER = LISTEN + "if os.fork():\n    os.wait()\n" + IDLE  # whose worker outlives it
# The command, on one contender and in a folder of its own.
PROGRAM = """
import sys
from pathlib import Path
from benchmark.stack import background as services
from benchmark import cli
from benchmark.contenders.discovery import Contender

contender = Contender.model_validate_json(sys.argv[3])
services.RUN, services.discover = Path(sys.argv[2]), lambda: {contender.name: contender}
cli.app(sys.argv[1:2])
"""


def two() -> Contender:
    """Return a contender of two processes that are ready at once."""
    return pair(harness_floor=False)


def with_program(program: str, **changes: Any) -> Contender:
    """Return a contender of a process that is ready at once and another one."""
    command = (sys.executable, "-c", program)
    known = {"role": "model", "command": command, "args": ("{port}",), "port": free_port(), **changes}
    return pair(harness_floor=False, process=(two().process[1], Process.model_validate(known)))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where `up` keeps its state; whatever is up at the end is stopped."""
    run = tmp_path / "run"
    seen: set[int] = set()
    yield run
    if (run / "services.json").is_file():
        seen = {service["pid"] for service in json.loads((run / "services.json").read_text())}
    stop_groups(seen)


def pids(folder: Path) -> list[int]:
    path = folder / "services.json"
    return [service["pid"] for service in json.loads(path.read_text())] if path.exists() else []


def bring_up(folder: Path, contender: Contender) -> list[str]:
    return list(up(folder, {contender.name: contender}))


def lines(contender: Contender) -> list[str]:
    return [f"pair   {p.role:<8} http://{HOST}:{p.port}" for p in contender.process]


def test_what_is_up_stays_and_is_said_with_its_url(folder: Path) -> None:
    contender = two()
    first = bring_up(folder, contender)
    before = pids(folder)
    again = bring_up(folder, contender)
    assert [line.partition("  log ")[0] for line in first] == lines(contender)
    assert again == [f"{line}  already up" for line in lines(contender)]
    assert pids(folder) == before
    assert len(members(set(before))) == 2
    assert list(down(folder)) == ["stopped 2 services"]
    assert members(set(before)) == []
    assert list(down(folder)) == NOTHING


def test_down_before_any_up_leaves_no_folder(folder: Path) -> None:
    assert list(down(folder)) == NOTHING
    assert not folder.exists()


def test_what_has_died_is_started_again_and_nothing_else(folder: Path) -> None:
    contender = two()
    bring_up(folder, contender)
    model, scoring = pids(folder)
    os.kill(model, signal.SIGKILL)
    until(lambda: len(members({model, scoring})) == 1, "it has died")
    again = bring_up(folder, contender)
    assert [line.endswith("already up") for line in again] == [False, True]
    assert pids(folder)[0] == scoring
    assert model not in pids(folder)
    assert len(members(set(pids(folder)))) == 2


def test_a_worker_that_is_left_of_a_service_that_died_does_not_keep_it_from_starting(folder: Path) -> None:
    contender = with_program(WITH_WORKER, ready="tcp")
    bring_up(folder, contender)
    _, leader = pids(folder)
    until(lambda: len(members({leader})) == 2, "it has a worker")
    os.kill(leader, signal.SIGKILL)
    until(lambda: len(members({leader})) == 1, "its worker is left")
    assert [line.endswith("already up") for line in bring_up(folder, contender)] == [True, False]
    assert members({leader}) == []


def test_down_stops_a_worker_that_is_left_of_a_service_that_died(folder: Path) -> None:
    bring_up(folder, with_program(WITH_WORKER, ready="tcp"))
    _, leader = pids(folder)
    until(lambda: len(members({leader})) == 2, "it has a worker")
    os.kill(leader, signal.SIGKILL)
    until(lambda: len(members({leader})) == 1, "its worker is left")
    assert list(down(folder)) == ["stopped 1 services"]
    assert members({leader}) == []


def test_a_service_that_cannot_start_takes_those_started_with_it_and_not_those_of_before(
    folder: Path, watching: Watching
) -> None:
    contender = two()
    model, scoring = contender.process
    bring_up(folder, contender.model_copy(update={"process": (scoring,)}))
    (kept,) = pids(folder)
    broken = Process.model_validate({"role": "redis", "command": ["/bin/false"], "port": free_port()})
    with pytest.raises(StackError, match="redis of pair died at start"):
        bring_up(folder, contender.model_copy(update={"process": (model, scoring, broken)}))
    assert pids(folder) == [kept]
    assert len(members({kept})) == 1


def test_one_that_is_up_and_does_not_answer_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contender = two()
    bring_up(folder, contender)
    os.kill(pids(folder)[0], signal.SIGSTOP)
    monkeypatch.setattr(services, "READY_TIMEOUT_S", 0.1)
    with pytest.raises(
        ServicesError, match=r"model of pair is running but does not answer on port \d+: run `make down`"
    ):
        bring_up(folder, contender)
    assert len(pids(folder)) == 2
    os.kill(pids(folder)[0], signal.SIGCONT)


def test_who_stops_listening_to_up_stops_what_it_has_started(folder: Path) -> None:
    contender = two()
    said = up(folder, {"pair": contender})
    next(said)
    seen = set(pids(folder))
    assert len(seen) == 2
    said.close()
    assert (members(seen), pids(folder)) == ([], [])


# The command, and what ends it


class Command:
    """`python -m benchmark up` or `down` on a contender of a test."""

    def __init__(self, verb: str, folder: Path, contender: Contender, watching: Watching) -> None:
        argv = [sys.executable, "-c", PROGRAM, verb, str(folder), contender.model_dump_json()]
        self.popen = subprocess.Popen(
            argv,
            cwd=ROOT,
            env={**os.environ, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        watching.watch(self.popen.pid)

    def end(self) -> tuple[int, str]:
        """Return the exit status and what was said."""
        said, _ = self.popen.communicate(timeout=60)
        assert "Traceback" not in said, said
        return self.popen.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_up_that_is_interrupted_half_way_leaves_nothing(
    folder: Path, watching: Watching, number: signal.Signals
) -> None:
    contender = with_program(SILENT)
    command = Command("up", folder, contender, watching)
    until(lambda: len(pids(folder)) == 2, "both are written down as they start")
    seen = set(pids(folder))
    command.popen.send_signal(number)
    status, said = command.end()
    assert status == INTERRUPTED, said
    assert "Interrupted" in said
    assert members(seen) == []
    assert Command("down", folder, contender, watching).end() == (OK, "nothing to stop\n")


def test_an_up_that_is_killed_leaves_nothing_either(folder: Path, watching: Watching) -> None:
    contender = with_program(SILENT)
    command = Command("up", folder, contender, watching)
    until(lambda: len(pids(folder)) == 2, "both are written down as they start")
    seen = set(pids(folder))
    command.popen.kill()
    command.popen.communicate()
    until(lambda: members(seen) == [], "the guard has stopped them")
    assert Command("down", folder, contender, watching).end() == (OK, "nothing to stop\n")


def test_a_program_begins_only_when_it_is_written_down(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "begun"
    contender = with_program(f"open({str(marker)!r}, 'w').close()\n{LISTEN}{IDLE}", ready="tcp")
    monkeypatch.setattr(services, "discover", lambda: {})
    real = State.write

    def slow(state: State, listed: Sequence[Service]) -> None:
        time.sleep(0.3)  # time enough for a program that does not wait
        if len(listed) == 2:
            assert not marker.exists()
        real(state, listed)

    monkeypatch.setattr(State, "write", slow)
    bring_up(folder, contender)
    assert marker.exists()


def test_up_without_its_guard_starts_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed() -> Guard:
        guard = Guard()
        guard._process.kill()
        guard._process.wait()
        return guard

    monkeypatch.setattr(services, "Guard", killed)
    with pytest.raises(StackError, match="the process that would stop it has ended"):
        bring_up(folder, two())
    assert pids(folder) == []


def test_an_up_that_is_interrupted_at_its_very_end_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()

    class Late(Guard):
        def release(self, group: int) -> None:
            if not seen:
                os.kill(os.getpid(), signal.SIGINT)
            seen.add(group)
            super().release(group)

    monkeypatch.setattr(services, "Guard", Late)
    with pytest.raises(KeyboardInterrupt):
        bring_up(folder, two())
    assert len(seen) == 2
    assert (members(seen), pids(folder)) == ([], [])


def test_an_interrupted_up_keeps_what_was_up_before(folder: Path, watching: Watching) -> None:
    contender = with_program(SILENT)
    bring_up(folder, contender.model_copy(update={"process": contender.process[:1]}))
    (kept,) = pids(folder)
    command = Command("up", folder, contender, watching)
    until(lambda: len(pids(folder)) == 2, "the other one is written down as it starts")
    command.popen.send_signal(signal.SIGINT)
    assert command.end()[0] == INTERRUPTED
    assert pids(folder) == [kept]
    assert len(members({kept})) == 1


def test_two_at_once_start_everything_once(folder: Path, watching: Watching) -> None:
    contender = two()
    both = [Command("up", folder, contender, watching) for _ in range(2)]
    ended = [command.end() for command in both]
    assert [status for status, _ in ended] == [OK, OK]
    assert sorted(said.count("already up") for _, said in ended) == [0, 2]
    assert len(pids(folder)) == 2
    status, said = Command("down", folder, contender, watching).end()
    assert (status, said) == (OK, "stopped 2 services\n")


# What the state may say


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b'{"pid": 5}',
        b'[{"pid": 0, "role": "model", "born": 1.0}]',
        b'[{"pid": -1, "role": "model", "born": 1.0}]',
        b'[{"pid": true, "role": "model", "born": 1.0}]',
        b'[{"pid": 12, "role": "model"}]',
        b"\xff\xfe",
    ],
)
def test_a_state_that_cannot_be_read_is_one_sentence(folder: Path, content: bytes) -> None:
    contender = two()
    folder.mkdir()
    (folder / "services.json").write_bytes(content)
    for verb in (up(folder, {"pair": contender}), down(folder)):
        with pytest.raises(ServicesError, match=r"services\.json cannot be read .* on the ports .*8001"):
            list(verb)
    assert (folder / "services.json").read_bytes() == content
    (folder / "services.json").unlink()


@pytest.mark.parametrize("verb", ["up", "down"])
def test_the_command_ends_with_the_sentence(folder: Path, watching: Watching, verb: str) -> None:
    folder.mkdir()
    (folder / "services.json").mkdir()
    status, said = Command(verb, folder, two(), watching).end()
    assert status == FAILED
    assert said.startswith("error: ")
    assert "services.json cannot be read" in said


def test_a_folder_that_cannot_be_made_is_one_sentence(folder: Path) -> None:
    folder.write_text("")
    with pytest.raises(ServicesError, match="cannot write to"):
        bring_up(folder, two())


def service(pid: int, **changes: Any) -> Service:
    """Return what `up` writes down of a process."""
    known = Service(pid, "model", psutil.Process(pid).create_time(), psutil.boot_time())
    return replace(known, **changes)


def test_a_process_that_has_got_the_number_of_a_service_is_not_stopped(
    folder: Path, tmp_path: Path, watching: Watching
) -> None:
    with started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process:
        born = psutil.Process(process.pid).create_time()
        folder.mkdir()
        (folder / "services.json").write_text(json.dumps([{"pid": process.pid, "role": "model", "born": born - 1}]))
        assert list(down(folder)) == NOTHING
        assert process.poll() is None


def test_what_an_older_up_has_written_down_is_stopped(folder: Path, tmp_path: Path, watching: Watching) -> None:
    with started([sys.executable, "-c", IDLE], tmp_path / "log", watching) as process:
        born = psutil.Process(process.pid).create_time()
        folder.mkdir()
        (folder / "services.json").write_text(json.dumps([{"pid": process.pid, "role": "model", "born": born}]))
        assert list(down(folder)) == ["stopped 1 services"]
        process.wait(10)


@pytest.mark.skipif(sys.platform != "linux", reason="the clock of psutil is that of its Linux module")
def test_a_clock_that_was_set_meanwhile_makes_nobody_another(monkeypatch: pytest.MonkeyPatch) -> None:
    known = service(os.getpid())
    boot = psutil.boot_time()
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: boot + 3600)
    assert psutil.Process(os.getpid()).create_time() == pytest.approx(known.born + 3600)
    assert known.is_alive


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the starts of processes in ticks")
def test_a_step_of_the_clock_makes_down_forget_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring_up(folder, with_program(WITH_WORKER, ready="tcp"))
    seen = set(pids(folder))
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda process: real(process) + 3600)
    os.kill(max(seen), signal.SIGKILL)  # its worker is left, and known by the group alone
    real_boot = psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: real_boot - 30)
    assert list(down(folder)) != NOTHING
    assert members(seen) == []


def test_a_process_that_started_at_another_tick_is_another() -> None:
    known = Service.of(os.getpid(), "model", 1)
    assert known.is_alive
    assert known.ticks is not None
    assert not replace(known, ticks=known.ticks + 1).is_alive
    assert not replace(known, boot_id="another").is_alive


def test_down_for_services_of_another_user_says_so_and_forgets_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_up(folder, with_program(WITH_WORKER, ready="tcp"))
    seen = pids(folder)
    until(lambda: len(members(set(seen))) == 3, "the worker runs")
    os.kill(seen[1], signal.SIGKILL)  # only its worker is left
    until(lambda: psutil.Process(seen[1]).status() == psutil.STATUS_ZOMBIE, "it has ended")

    def refuse(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as other_user:
        other_user.setattr("benchmark.stack.watchdog.os.killpg", refuse)
        with pytest.raises(ServicesError, match=rf"{seen[0]}.*{seen[1]}.* cannot be stopped and still run"):
            list(down(folder))
    assert pids(folder) == seen
    assert list(down(folder)) == ["stopped 1 services"]
    assert members(set(seen)) == []


def test_a_group_whose_leader_has_ended_is_ours_only_until_the_system_is_started_anew() -> None:
    ended = subprocess.Popen(["/bin/true"])
    known = service(ended.pid)
    ended.wait()
    assert not known.is_alive
    assert known.has_a_group
    assert not replace(known, boot=psutil.boot_time() - 100).has_a_group
    assert not replace(known, boot=None).has_a_group


@pytest.mark.parametrize("pid", [2**22 + 1, 2**31, 2**70])
def test_a_number_that_no_process_can_have_is_nobody(pid: int) -> None:
    known = Service(pid, "model", 1.0)
    assert (known.is_alive, known.has_a_group) == (False, False)


def test_make_clean_stops_what_is_up_before_it_forgets_it() -> None:
    said = subprocess.run(["make", "-n", "clean"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.index("-m benchmark down") < said.index("rm -rf")
