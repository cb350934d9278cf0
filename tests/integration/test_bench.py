"""`python -m benchmark bench` as its user runs it: what it leaves behind, whatever happens to it."""

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmark.contenders import ROOT, Contender
from benchmark.guard import Guard
from benchmark.load.plan import SAMPLE_COLUMNS
from benchmark.record import Run
from contract.timing import parse_server_timing
from tests.conftest import CONTENDERS
from tests.unit.benchmark.form import assert_summary_form

pytestmark = pytest.mark.integration

VALID, FAILED, INVALID, INTERRUPTED = 0, 1, 3, 130
BOUNDS_S = (0.040, 0.050)
REAL, NULL = "async-aiohttp", "null"
FIGURES = {"low_load_mean_ms", "peak_rps", "cpu_ms_per_request"}
# At one user for so long that whatever is done to a run is done while it measures.
LONG = ["--full", "--levels", "1"]
_MARK = "BENCH_UNDER_TEST"


class Harness:
    """A `bench` that runs; all that it starts bears a mark in the environment."""

    def __init__(self, folder: Path, guard: Guard, *arguments: str, results: Path | None = None) -> None:
        folder.mkdir(exist_ok=True)
        self.results = results or folder / "results"
        self._mark, self._output, self._guard = uuid.uuid4().hex, folder / "output", guard
        argv = [sys.executable, "-m", "benchmark", "bench", "--free-ports", "--results", str(self.results), *arguments]
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**os.environ, _MARK: self._mark, "COLUMNS": "200"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        guard.watch(self._process.pid)

    @property
    def output(self) -> str:
        return self._output.read_text()

    @property
    def run(self) -> Run:
        (path,) = (path for path in self.results.iterdir() if not path.is_symlink())
        return Run.open(path)

    @property
    def order(self) -> list[str]:
        """The labels in the order of the first block."""
        order: list[str] = self.run.manifest["order"][0]
        return order

    def alive(self) -> list[psutil.Process]:
        """Return all that this bench has started and that still runs, itself included."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(_MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def await_samples(self, label: str) -> None:
        """Wait until the first requests of a contender are on disk."""
        until(lambda: self._rows(label) > 3 or self._process.poll() is not None, f"samples of {label}")
        assert self._process.poll() is None, self.output

    def await_running(self) -> None:
        """Wait until measuring has begun."""
        until(lambda: "raw data in" in self.output or self._process.poll() is not None, "the beginning")
        self.await_samples(self.order[0])

    def process_of(self, contender: Contender, role: str) -> psutil.Process:
        wanted = next(process for process in contender.process if process.role == role)
        words = {str(wanted.module), *(argument for argument in wanted.args if "{" not in argument)}
        children = psutil.Process(self._process.pid).children()
        return next(child for child in children if words <= set(child.cmdline()))

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Wait for the end and return the exit status."""
        try:
            return self._process.wait(90)
        finally:
            self.stop()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(20)
            self._process.kill()
            self._process.wait()
        self._guard.release(self._process.pid)

    def stop_all(self) -> None:
        """Stop this bench and whatever it may have left behind."""
        self.stop()
        for process in self.alive():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _rows(self, label: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            return len((self.run.path / "samples" / f"0-{label}.csv").read_text().splitlines())
        return 0


def until(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "benchmark", *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, strict=True))


def but_for_the_time(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key != "finished_utc"}


# Two runs at a time: one starts its processes while the other lets its users wait.


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def ordinary(folder: Path, guard: Guard) -> Iterator[tuple[Harness, Harness]]:
    pair = (
        Harness(folder / "tiny", guard, "--contenders", f"{NULL},{REAL}", "--blocks", "1", "--levels", "1,2"),
        Harness(folder / "twice", guard, "--contenders", "async,async", "--blocks", "1", "--levels", "1"),
    )
    yield pair
    for harness in pair:
        harness.stop_all()


@pytest.fixture(scope="module")
def tiny(ordinary: tuple[Harness, Harness]) -> Harness:
    """Two contenders, one block, two levels, undisturbed."""
    harness = ordinary[0]
    status = harness.end()
    assert status in {VALID, INVALID}, harness.output
    assert (status == VALID) == harness.run.summary["valid"]
    return harness


@pytest.fixture(scope="module")
def twice(ordinary: tuple[Harness, Harness]) -> Harness:
    """One contender against itself, undisturbed."""
    harness = ordinary[1]
    assert harness.end() in {VALID, INVALID}, harness.output
    return harness


# An undisturbed run


def test_a_run_leaves_a_summary_in_the_form_that_the_design_gives(tiny: Harness) -> None:
    summary = tiny.run.summary
    assert_summary_form(summary, missing=True)
    assert (summary["command"], summary["complete"], summary["blocks"]) == ("bench", True, 1)
    assert list(summary["contenders"]) == [NULL, REAL]
    for entry in summary["contenders"].values():
        assert [level["users"] for level in entry["levels"]] == [1, 2]
        assert {level["errors"] for level in entry["levels"]} == {0}
    real = summary["contenders"][REAL]
    assert real["low_load"]["over_floor"] > 1
    assert set(real["cpu_ms_per_request"]) == {"scoring", "model", "redis", "load"}
    assert set(real["rss_mb"]) >= {"scoring", "model"}


def test_a_run_leaves_a_manifest_of_machine_versions_settings_and_seed(tiny: Harness) -> None:
    manifest = tiny.run.manifest
    assert (manifest["schema"], manifest["command"], manifest["seed"]) == (1, "bench", 1)
    environment = manifest["environment"]
    assert environment["machine"]["cores"] == os.cpu_count()
    assert {"locust", "flask", "fastapi"} <= {name.lower() for name in environment["packages"]}
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "commit" in environment["git"]
    assert manifest["settings"]["defaults"]["model_min_ms"] == 40.0
    assert set(manifest["contenders"]) == {NULL, REAL}


def test_the_cells_of_a_run_say_when_each_level_was_measured(tiny: Harness) -> None:
    cells = tiny.run.cells()
    assert [cell.contender for cell in cells] == tiny.order
    for cell in cells:
        assert (cell.block, cell.status, cell.reason) == (0, "measured", "")
        one, two = cell.windows
        assert (one.users, two.users) == (1, 2)
        assert one.start_ns < one.end_ns < two.start_ns < two.end_ns


@pytest.mark.parametrize("label", [NULL, REAL])
def test_every_request_is_a_well_formed_row(tiny: Harness, label: str) -> None:
    run = tiny.run
    rows = rows_of(run.path / "samples" / f"0-{label}.csv")
    for row in rows:
        assert tuple(row) == SAMPLE_COLUMNS
        assert None not in row.values()
        assert row["users"] in {"1", "2"}
        assert 0 < int(row["scheduled_ns"]) <= int(row["start_ns"])
        assert int(row["latency_ns"]) > 0
        assert (row["status"], row["ok"], row["error"]) == ("200", "1", "")
        assert int(row["bytes"]) > 0
        assert BOUNDS_S[0] <= float(row["detail_s"]) <= BOUNDS_S[1]
        stages = parse_server_timing(row["server_timing"])
        assert (not stages) == (label == NULL)
        assert label == NULL or {"queue", "parse", "features", "models", "model", "drawn", "respond"} <= set(stages)
    counted = sum(level["n"] for level in run.summary["contenders"][label]["levels"])
    frame = run.samples()
    assert frame[(frame["contender"] == label) & frame["measured"]].shape[0] == counted
    assert counted < len(rows), "what was asked while warming up is recorded, too, and not counted"


@pytest.mark.parametrize("label", [NULL, REAL])
def test_every_resource_sample_is_a_well_formed_row(tiny: Harness, label: str) -> None:
    rows = rows_of(tiny.run.path / "resources" / f"0-{label}.csv")
    assert {row["role"] for row in rows} == {p.role for p in CONTENDERS[label].process} | {"load"}
    assert all(int(row["t_ns"]) > 0 and int(row["cpu_ns"]) > 0 and int(row["rss_bytes"]) >= 0 for row in rows)


@pytest.mark.parametrize("label", [NULL, REAL])
def test_what_locust_says_itself_is_kept(tiny: Harness, label: str) -> None:
    locust = tiny.run.path / "locust"
    assert "<title>Locust" in (locust / f"0-{label}.html").read_text()
    for kind in ("stats", "stats_history", "failures", "exceptions"):
        assert (locust / f"0-{label}_{kind}.csv").exists()
    total = rows_of(locust / f"0-{label}_stats.csv")[-1]
    assert total["Name"] == "Aggregated"
    assert int(total["Failure Count"]) == 0


@pytest.mark.parametrize("label", [NULL, REAL])
def test_what_every_process_said_is_kept(tiny: Harness, label: str) -> None:
    kept = {path.name for path in (tiny.run.path / "logs").rglob("*.log")}
    assert {f"{label}-{process.role}.log" for process in CONTENDERS[label].process} <= kept


def test_a_run_leaves_a_report_and_says_where(tiny: Harness) -> None:
    report = tiny.run.path / "report.html"
    assert CONTENDERS[REAL].title in report.read_text()
    assert str(report) in tiny.output


def test_a_run_says_what_it_measures_when_a_cell_is_done_and_whether_it_is_valid(tiny: Harness) -> None:
    for label in (NULL, REAL):
        assert any(label in line and "done" in line for line in tiny.output.splitlines())
    assert ("INVALID" in tiny.output) == (not tiny.run.summary["valid"])
    assert "VALID" in tiny.output


def test_latest_is_the_run_that_was_completed(tiny: Harness) -> None:
    latest = tiny.results / "latest"
    assert latest.is_symlink()
    assert latest.resolve() == tiny.run.path.resolve()


def test_a_run_that_has_ended_leaves_no_process(tiny: Harness, twice: Harness) -> None:
    assert tiny.alive() == []
    assert twice.alive() == []


def test_reporting_again_reproduces_the_summary(tiny: Harness, tmp_path: Path) -> None:
    copy = tmp_path / "results" / tiny.run.path.name
    shutil.copytree(tiny.run.path, copy)
    for name in ("summary.json", "report.html"):
        (copy / name).unlink()
    answer = command("report", str(copy))
    assert answer.returncode == 0, answer.stdout
    assert but_for_the_time(Run.open(copy).summary) == but_for_the_time(tiny.run.summary)
    assert (copy / "report.html").read_text() == (tiny.run.path / "report.html").read_text()


def test_a_contender_against_itself_has_two_labels_and_one_set_of_comparisons(twice: Harness) -> None:
    summary = twice.run.summary
    assert list(summary["contenders"]) == ["async", "async#2"]
    assert summary["baseline"] == "async"
    assert {found["figure"] for found in summary["comparisons"]} == FIGURES
    assert {(found["baseline"], found["contender"]) for found in summary["comparisons"]} == {("async", "async#2")}
    assert not any(found["difference_shown"] for found in summary["comparisons"])
    for label in ("async", "async#2"):
        assert (twice.run.path / "samples" / f"0-{label}.csv").exists()
    assert "async#2" in (twice.run.path / "report.html").read_text()


# A service dies, the user presses Ctrl-C


@pytest.fixture(scope="module")
def disturbed(folder: Path, guard: Guard, ordinary: tuple[Harness, Harness]) -> Iterator[tuple[Harness, Harness]]:
    """A run whose first contender loses its scoring handler, and a run that goes on."""
    for harness in ordinary:
        harness.end()
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
    assert any("interrupted" in reason for reason in summary["reasons"])
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
    assert any(reason.startswith(f"{victim}: ") and "scoring" in reason for reason in summary["reasons"])
    assert summary["contenders"][victim]["valid"] is False
    assert [level["users"] for level in summary["contenders"][other]["levels"]] == [1, 2, 4]
    assert {(cell.contender, cell.status) for cell in harness.run.cells()} == {(victim, "failed"), (other, "measured")}
    assert victim in harness.output
    assert "Traceback" not in harness.output
    assert harness.alive() == []


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
