"""`python -m benchmark bench` when something ends it early: what it leaves behind, whatever happens to it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmark.stack.watchdog import Guard
from tests.conftest import CONTENDERS
from tests.integration.harness import FAILED, INTERRUPTED, INVALID, NULL, REAL, Harness, command, rows_of, until
from tests.integration.processes import BUSY, started
from tests.unit.benchmark.form import assert_summary_form
from tests.unit.said import said

pytestmark = pytest.mark.integration

# At one user for so long that whatever is done to a run is done while it measures.
LONG = ["--full", "--levels", "1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


# A service dies, the user presses Ctrl-C


@pytest.fixture(scope="module")
def disturbed(folder: Path, guard: Guard) -> Iterator[tuple[Harness, Harness]]:
    """A run whose first contender loses its scoring handler, and a run that goes on."""
    pair = (
        Harness(folder / "bereaved", guard, "--contenders", f"{NULL},{REAL}", "--blocks", "1", "--levels", "1,2,4"),
        Harness(folder / "interrupted", guard, "--contenders", f"{REAL},{REAL}", *LONG),
    )
    try:
        pair[0].await_running()
        pair[0].process_of(CONTENDERS[pair[0].order[0]], "scoring").kill()
        yield pair
    finally:
        for harness in pair:
            harness.stop_all()


def test_a_run_that_is_interrupted_reports_what_it_has_and_leaves_no_process(
    disturbed: tuple[Harness, Harness],
) -> None:
    harness = disturbed[1]
    harness.await_running()
    first = harness.order[0]
    harness.signal(signal.SIGINT)
    assert harness.end() == INTERRUPTED, harness.output
    summary = harness.run.summary
    assert_summary_form(summary, missing=True)
    assert (summary["complete"], summary["valid"]) == (False, False)
    assert any("interrupted" in reason for reason in said(summary["reasons"]))
    assert [(cell.contender, cell.status) for cell in harness.run.cells()] == [(first, "interrupted")]
    assert rows_of(harness.run.path / "samples" / f"0-{first}.csv")
    assert (harness.run.path / "report.html").exists()
    assert "Traceback" not in harness.output
    assert not (harness.results / "latest").exists()
    assert harness.alive() == []


def test_a_contender_whose_service_is_killed_is_named_and_the_others_are_measured(
    disturbed: tuple[Harness, Harness],
) -> None:
    harness = disturbed[0]
    assert harness.end() == INVALID, harness.output
    victim, other = harness.order
    summary = harness.run.summary
    assert_summary_form(summary, missing=True)
    assert (summary["complete"], summary["valid"]) == (True, False)
    assert any(reason.startswith(f"{victim}, block ") and "scoring" in reason for reason in said(summary["reasons"]))
    assert summary["contenders"][victim]["valid"] is False
    assert [level["users"] for level in summary["contenders"][other]["levels"]] == [1, 2, 4]
    assert {(cell.contender, cell.status) for cell in harness.run.cells()} == {(victim, "failed"), (other, "measured")}
    assert victim in harness.output
    assert "Traceback" not in harness.output
    assert harness.alive() == []


# Another program runs beside it


def test_a_program_that_starts_while_it_is_measured_makes_the_run_invalid_and_is_named(
    folder: Path, guard: Guard
) -> None:
    harness = Harness(folder / "beside", guard, "--contenders", REAL, "--blocks", "2", "--levels", "1")
    with ExitStack() as busy:
        try:
            harness.await_running()
            for number in range(max((os.cpu_count() or 1) // 2, 1)):  # half of the machine, or more
                busy.enter_context(started([sys.executable, "-c", BUSY], folder / f"busy-{number}", guard))
            assert harness.end() == INVALID, harness.output
        finally:
            harness.stop_all()
    summary = harness.run.summary
    assert (summary["complete"], summary["valid"]) == (True, False)
    (level,) = summary["contenders"][REAL]["levels"]
    assert level["foreign_share"] > 0.1
    (reason,) = (reason for reason in said(summary["reasons"]) if "other programs used" in reason)
    assert reason.startswith(f"{REAL}: other programs used ")
    assert " at 1 user: " in reason
    assert "stop them and measure again" in harness.output


# The harness itself dies, the disk is full


@pytest.fixture(scope="module")
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system on which there is no room for a run."""
    mounted = folder / "disk"
    mounted.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=300k", "tmpfs", str(mounted)]
    if os.name != "posix" or os.geteuid() != 0 or not mount:
        pytest.skip("only root can mount a file system of its own")
    if subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("this system does not let root mount a file system")
    yield mounted
    subprocess.run(["umount", str(mounted)], check=True)


@pytest.fixture(scope="module")
def doomed(folder: Path, guard: Guard) -> Iterator[Harness]:
    """A run that goes on until it is killed."""
    harness = Harness(folder / "killed", guard, "--contenders", f"{REAL},{REAL}", *LONG)
    yield harness
    harness.stop_all()


@pytest.mark.usefixtures("doomed")  # it starts in the meantime
def test_a_full_disk_is_one_sentence_and_leaves_no_process(small_disk: Path, folder: Path, guard: Guard) -> None:
    contenders = ["--contenders", f"{REAL},{REAL}", "--blocks", "1", "--levels", "1"]
    harness = Harness(folder / "full", guard, *contenders, results=small_disk)
    try:
        assert harness.end() == FAILED, harness.output
        assert harness.alive() == []
    finally:
        harness.stop_all()
    assert f"error: cannot write to {small_disk}" in harness.output
    assert "No space left on device" in harness.output
    assert "Traceback" not in harness.output


def test_a_run_that_is_killed_leaves_no_process_and_a_record_that_can_be_reported(doomed: Harness) -> None:
    doomed.await_running()
    assert len(doomed.alive()) >= 2 + len(CONTENDERS[REAL].process)
    doomed.signal(signal.SIGKILL)
    until(lambda: not doomed.alive(), "everything has been stopped", 15)
    assert rows_of(doomed.run.path / "samples" / f"0-{doomed.order[0]}.csv")
    answer = command("report", str(doomed.run.path))
    assert answer.returncode == 0, answer.stdout
    assert (doomed.run.summary["complete"], doomed.run.summary["valid"]) == (False, False)
    assert (doomed.run.path / "report.html").exists()
