"""`up` and `down` on contenders of tests: idempotent; nothing is left behind or forgotten, whatever ends them."""

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark.contenders.discovery import Contender, Process
from benchmark.errors import ServicesError, StackError
from benchmark.stack import background as services
from benchmark.stack.background import down, up
from benchmark.stack.processes import HOST, free_port
from benchmark.stack.services_state import Service, State
from benchmark.stack.watchdog import Guard
from tests.integration.processes import IDLE, Watching, members, until
from tests.integration.services import (
    INTERRUPTED,
    LISTEN,
    NOTHING,
    OK,
    SILENT,
    WITH_WORKER,
    Command,
    bring_up,
    pids,
    two,
    with_program,
)

pytestmark = pytest.mark.integration


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


def test_what_is_up_on_other_ports_is_named_and_known_to_down(folder: Path) -> None:
    first, second = two(), two()  # as two times `up --free-ports`
    bring_up(folder, first)
    assert bring_up(folder, second)[-1] == "also up, from before: " + ", ".join(
        f"{p.role} http://{HOST}:{p.port}" for p in first.process
    )
    seen = set(pids(folder))
    assert len(members(seen)) == 4
    assert list(down(folder)) == ["stopped 4 services"]
    assert members(seen) == []


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
