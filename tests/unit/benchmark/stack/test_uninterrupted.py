"""A signal that comes while a process is started: it is started and watched, or it is gone."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import psutil
import pytest

from benchmark.stack.processes import own_environment, start_process
from benchmark.stack.uninterrupted import temporary_folder, uninterrupted
from benchmark.stack.watchdog import Guard


class Ended(BaseException):
    """What the handler of a signal raises."""


def end(number: int, _: FrameType | None) -> None:
    raise Ended(number)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name, autouse=True)
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal whose handler raises."""
    before = signal.signal(request.param, end)
    yield request.param
    signal.signal(request.param, before)


def test_a_signal_is_handled_when_the_block_has_ended(number: signal.Signals) -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            os.kill(os.getpid(), number)
            done.append("all of the block")
        done.append("what comes after it")

    with pytest.raises(Ended, match=str(int(number))):
        work()
    assert done == ["all of the block"]
    assert signal.getsignal(number) is end


def test_of_two_blocks_the_outer_one_has_to_end(number: signal.Signals) -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            with uninterrupted():
                os.kill(os.getpid(), number)
            done.append("the outer one")

    with pytest.raises(Ended):
        work()
    assert done == ["the outer one"]


def test_a_signal_is_not_lost_with_an_error_of_the_block(number: signal.Signals) -> None:
    def work() -> None:
        with uninterrupted():
            os.kill(os.getpid(), number)
            raise ValueError("of the block")

    with pytest.raises(Ended) as caught:
        work()
    assert isinstance(caught.value.__context__, ValueError)


def test_another_thread_is_left_alone(number: signal.Signals) -> None:
    done: list[Any] = []

    def work() -> None:
        with uninterrupted():
            done.append(signal.getsignal(number))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [end]


def test_a_process_in_whose_start_a_signal_comes_is_gone(
    number: signal.Signals, tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class SignalledPopen(subprocess.Popen[bytes]):
        """Gets a signal when the process is there, and its constructor has not ended."""

        def _execute_child(self, *arguments: Any, **named: Any) -> None:
            super()._execute_child(*arguments, **named)  # type: ignore[misc]
            started.append(self.pid)
            os.kill(os.getpid(), number)

    monkeypatch.setattr("benchmark.stack.processes.subprocess.Popen", SignalledPopen)
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(Ended):
        start_process(argv, tmp_path / "log", guard, own_environment(), talking=True)
    assert [psutil.pid_exists(pid) for pid in started] == [False]


def test_a_temporary_folder_during_whose_creation_a_signal_comes_is_gone(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.mkdir

    def made(*arguments: Any) -> None:
        real(*arguments)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "mkdir", made)
    with pytest.raises(Ended), temporary_folder():
        pytest.fail("the signal is handled before the block begins")
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_folder_is_removed_with_what_is_in_it() -> None:
    with temporary_folder() as folder:
        (folder / "kept").touch()
    assert not folder.exists()
