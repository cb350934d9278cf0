"""run/services.json, from which `down` knows what to stop: what it may say, and whose process a number is."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.errors import ServicesError
from benchmark.stack.background import down, up
from benchmark.stack.services_state import Service
from tests.integration.processes import IDLE, Watching, members, started, until
from tests.integration.services import (
    FAILED,
    NOTHING,
    WITH_WORKER,
    Command,
    bring_up,
    pids,
    two,
    with_program,
)

pytestmark = pytest.mark.integration


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
