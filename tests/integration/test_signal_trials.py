"""The trials of signals: no command is left out, and what a command leaves behind is found."""

import signal
import sys
from pathlib import Path

import pytest
import typer.main

from benchmark.cli import app
from tests.signals import trial
from tests.signals.commands import COMMANDS, Command
from tests.signals.trial import Place, signalled, undisturbed

pytestmark = pytest.mark.integration

# Python programs that do what no command may do when they get a signal.
ORPHAN = "import subprocess, sys, time; subprocess.Popen(['sleep', '60'], start_new_session=True); time.sleep(60)"
TRACEBACK = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: 1 / 0); time.sleep(60)"
LITTER = "import tempfile, time; tempfile.mkdtemp(); time.sleep(60)"
OTHER_STATUS = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); time.sleep(60)"
HARMLESS = "import time; time.sleep(60)"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(trial, "_LEFT_S", 0.5)
    return Place(tmp_path / "trial")


def test_every_command_has_a_row() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    assert set(group.commands) - {command.name.split()[0] for command in COMMANDS} == set()


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        (ORPHAN, "left: "),
        (TRACEBACK, "a traceback in "),
        (LITTER, "a temporary file is left: "),
        (OTHER_STATUS, "exit status 7, expected one of "),
    ],
)
def test_what_a_command_must_not_leave_is_found(place: Place, program: str, fault: str) -> None:
    # The signal comes when the program has surely done what it does first.
    faults = signalled(Command("bad", (sys.executable, "-c", program)), place, signal.SIGTERM, 1.5)
    assert any(each.startswith(fault) for each in faults), faults
    assert place.alive() == []


def test_a_command_that_leaves_nothing_is_as_promised(place: Place) -> None:
    assert signalled(Command("good", (sys.executable, "-c", HARMLESS)), place, signal.SIGTERM, 0.5) == []


def test_a_command_that_fails_without_a_signal_is_found(place: Place) -> None:
    command = Command("failing", (sys.executable, "-c", "import sys; sys.exit(5)"))
    assert undisturbed(command, place)[1] == ["exit status 5, expected one of (0,)"]
