"""`python -m benchmark bench`, undisturbed: what it leaves behind."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.measure.machine_load import SURROUNDINGS
from benchmark.record.columns import SAMPLE_COLUMNS
from benchmark.record.resources import STEAL
from benchmark.record.run import SCHEMA, Run
from benchmark.stack.watchdog import Guard
from contract.timing import parse_server_timing
from tests.conftest import CONTENDERS
from tests.integration.harness import INVALID, NULL, REAL, VALID, Harness, command, rows_of
from tests.unit.benchmark.form import assert_summary_form

pytestmark = pytest.mark.integration

BOUNDS_S = (0.040, 0.050)
FIGURES = {"low_load_mean_ms", "peak_rps", "cpu_ms_per_request"}


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
    assert (manifest["schema"], manifest["command"], manifest["seed"]) == (SCHEMA, "bench", 1)
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
    assert {row["role"] for row in rows} == {p.role for p in CONTENDERS[label].process} | {"load"} | set(SURROUNDINGS)
    # A machine that is nobody's guest is stolen nothing from.
    assert all(int(row["cpu_ns"]) > 0 or row["role"] == STEAL for row in rows)
    assert all(int(row["t_ns"]) > 0 and int(row["cpu_ns"]) >= 0 and int(row["rss_bytes"]) >= 0 for row in rows)


@pytest.mark.parametrize("label", [NULL, REAL])
def test_every_level_says_what_others_had_of_the_machine(tiny: Harness, label: str) -> None:
    for level in tiny.run.summary["contenders"][label]["levels"]:
        assert 0 <= level["foreign_share"] <= 1
        assert 0 <= level["steal_share"] <= 1


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
    assert Run.open(copy).summary == tiny.run.summary
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
