"""What is written into a run directory is what is read from it, and what cannot be is one sentence."""

import builtins
import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.errors import RecordError
from benchmark.record.columns import ONE_OF_EACH, SAMPLE_COLUMNS, ResourceSample
from benchmark.record.run import OLDEST_SCHEMA, SCHEMA, Run, TrialRecord, Window
from tests.unit.benchmark.synthetic import SECOND_NS, START_NS, Held, make_contender, make_run, record, samples_of

A = make_contender("a")
CELL = TrialRecord(0, "a", seed=7)
WINDOW = Window(4, START_NS, START_NS + 2 * SECOND_NS)

WRITING: dict[str, Callable[[Run], None]] = {
    "a cell": lambda run: run.append_cell(CELL),
    "a document": lambda run: run.write_json("summary.json", {"schema": SCHEMA}),
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path / "results", [A])


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let no file be opened for writing any more."""
    opened = io.open

    def refuse(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if set(mode) & set("wax+"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        return opened(file, mode, *rest, **more)

    def fill() -> None:
        for module in (io, builtins):
            monkeypatch.setattr(module, "open", refuse)

    return fill


def one_sentence(error: pytest.ExceptionInfo[RecordError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    assert "Errno" not in message
    return message


def write_samples(run: Run, cell: TrialRecord, frame: pd.DataFrame) -> Path:
    path = run.file("samples", cell, ".csv")
    frame.to_csv(path, index=False, columns=list(SAMPLE_COLUMNS))
    return path


def test_samples_of_an_older_record_are_one_answer_by_one_request_each(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "bench", {})
    path = run.file("samples", CELL, ".csv")
    old = [name for name in SAMPLE_COLUMNS if name not in ONE_OF_EACH]
    samples_of([1, 2], 3).to_csv(path, index=False, columns=old)
    frame = run.cell_samples(CELL)
    assert set(SAMPLE_COLUMNS) <= set(frame.columns)
    assert frame[list(ONE_OF_EACH)].to_numpy().tolist() == [[1, 1]] * 2


def test_a_new_run_has_a_manifest_and_a_folder_for_each_kind_of_raw_data(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "not" / "there" / "yet", "bench", {"seed": 3})
    assert run.path.name.endswith("-bench")
    assert run.manifest == {"schema": SCHEMA, "command": "bench", "seed": 3}
    assert {entry.name for entry in run.path.iterdir()} == {
        "manifest.json", "samples", "resources", "locust", "logs"
    }  # fmt: skip


def test_runs_sort_by_name_in_the_order_of_time(run: Run) -> None:
    stamp = run.path.name.removesuffix("-bench")
    assert pd.to_datetime(stamp, format="%Y%m%dT%H%M%SZ", utc=True) <= pd.Timestamp.now(tz="UTC")


def test_cells_are_read_as_they_were_written_and_in_that_order(run: Run) -> None:
    written = [
        TrialRecord(0, "a", 1, windows=[WINDOW, Window(8, 5, 6)]),
        TrialRecord(0, "b#2", 1, status="failed", reason='it said: "[no]"\nand died'),
        TrialRecord(1, "a", 2, status="interrupted", reason="ünterbrochen"),
    ]
    for cell in written:
        run.append_cell(cell)
    assert Run.open(run.path).cells() == written


def test_trials_of_a_contender_in_a_block_are_told_apart_and_are_no_cells(run: Run) -> None:
    parts = [
        TrialRecord(0, "a", 1, part="try-1"),
        TrialRecord(0, "a", 1, status="failed", reason="no answer", code="load", part="x"),
    ]
    whole = TrialRecord(0, "a", 1)
    for cell in (*parts, whole):
        run.append_cell(cell)
    assert Run.open(run.path).trials() == [*parts, whole]
    assert Run.open(run.path).cells() == [whole]


def test_cells_of_the_oldest_schema_are_read(run: Run) -> None:
    run.write_json("manifest.json", {**run.manifest, "schema": OLDEST_SCHEMA})
    old = {"block": 0, "contender": "a", "seed": 1, "status": "failed", "reason": "parity: status 500", "windows": []}
    run.append_line("cells.jsonl", old)
    assert Run.open(run.path).cells() == [TrialRecord(0, "a", 1, status="failed", reason="parity: status 500")]


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_run_notes_its_end_and_without_it_was_interrupted(run: Run, interrupted: bool) -> None:
    assert Run.open(run.path).interrupted
    run.note_end(interrupted)
    assert Run.open(run.path).interrupted is interrupted
    assert run.manifest["finished_utc"]


def test_a_run_without_cells_has_none_and_no_samples(run: Run) -> None:
    assert run.cells() == []
    assert run.samples().empty
    assert {"contender", "block", "users", "measured", "latency_ms", "status", "ok"} <= set(run.samples().columns)


def test_files_of_different_cells_never_share_a_name(run: Run) -> None:
    cells = [TrialRecord(block, label, 0) for block in range(3) for label in ("a", "a#2", "a-b")]
    cells += [TrialRecord(0, "a", 0, part=part) for part in ("calls", "try-1")]
    assert len({run.file("samples", cell, ".csv") for cell in cells}) == len(cells)


def test_samples_are_read_as_they_were_written(run: Run) -> None:
    written = samples_of([START_NS, START_NS + 1], [45_123_456, 90_000_001], users=4, server_timing="a;dur=1, b;dur=2")
    cell = TrialRecord(0, "a", 1, windows=[WINDOW])
    write_samples(run, cell, written)
    frame = run.cell_samples(cell)
    for column in ("users", "scheduled_ns", "start_ns", "latency_ns", "status", "bytes", "detail_s", "server_timing"):
        assert list(frame[column]) == list(written[column])
    assert list(frame["ok"]) == [True, True]
    assert list(frame["latency_ms"]) == [45.123456, 90.000001]
    assert list(frame["end_ns"]) == [START_NS + 45_123_456, START_NS + 1 + 90_000_001]


def test_a_request_belongs_to_the_window_in_which_it_was_answered(run: Run) -> None:
    cell = TrialRecord(0, "a", 1, windows=[WINDOW, Window(8, WINDOW.end_ns, WINDOW.end_ns + SECOND_NS)])
    ends = [START_NS - 1, START_NS, WINDOW.end_ns - 1, WINDOW.end_ns, WINDOW.end_ns + SECOND_NS]
    write_samples(run, cell, samples_of([end - 1_000 for end in ends], 1_000, users=1))
    frame = run.cell_samples(cell)
    assert list(frame["measured"]) == [False, True, True, True, False]
    assert list(frame["users"]) == [1, 4, 4, 8, 1]


def test_failures_are_read_as_not_ok_with_their_error(run: Run) -> None:
    failed = samples_of([START_NS], 1_000, status=0, ok=0, detail_s=None, error='Refused: "[Errno 111]", really')
    cell = TrialRecord(0, "a", 1, windows=[WINDOW])
    write_samples(run, cell, failed)
    row = run.cell_samples(cell).iloc[0]
    assert (bool(row["ok"]), row["status"], row["error"]) == (False, 0, 'Refused: "[Errno 111]", really')
    assert pd.isna(row["detail_s"])


def test_samples_of_all_cells_say_whose_they_are(run: Run) -> None:
    record(run, 0, "a", Held(1, 50))
    record(run, 1, "b", Held(4, 50))
    record(run, 1, "c", status="failed")
    frame = run.samples()
    assert set(zip(frame["contender"], frame["block"], strict=True)) == {("a", 0), ("b", 1)}
    assert len(frame) == len(run.cell_samples(run.cells()[0])) + len(run.cell_samples(run.cells()[1]))


def test_a_row_that_was_cut_off_is_not_a_checked_answer(run: Run) -> None:
    cell = TrialRecord(0, "a", 1, windows=[WINDOW])
    path = write_samples(run, cell, samples_of([START_NS + 1, START_NS + 2], 50_000_000, users=4))
    with path.open("a") as file:
        file.write(f"4,{START_NS + 3},{START_NS + 3},51")  # of a latency of 51,234,567 ns
    frame = run.cell_samples(cell)
    assert frame["ok"].sum() == 2
    assert frame[frame["ok"]]["latency_ms"].min() == 50


@pytest.mark.parametrize("left", [0, 20])
def test_files_without_a_whole_head_hold_nothing(run: Run, left: int) -> None:
    for folder in ("samples", "resources"):
        run.file(folder, CELL, ".csv").write_text("t_ns,role,cpu_ns,scheduled_ns"[:left])
    assert run.cell_samples(CELL).empty
    assert run.cell_resources(CELL).empty
    run.append_cell(CELL)
    assert run.samples().empty


@pytest.mark.parametrize("cut", [1, 4, 20])
def test_a_resource_sample_that_was_cut_off_is_none(run: Run, cut: int) -> None:
    with run.resource_writer(CELL) as writer:
        for at in (1, 2):
            writer.append(ResourceSample(at * 10**9, "scoring", at * 10**8, 10**7))
    path = run.file("resources", CELL, ".csv")
    path.write_text(path.read_text()[:-cut])
    (row,) = run.cell_resources(CELL).to_dict("records")
    assert (row["role"], row["cpu_ns"]) == ("scoring", 10**8)


def test_a_cell_that_was_cut_off_does_not_cost_those_before_it(run: Run) -> None:
    run.append_cell(CELL)
    with (run.path / "cells.jsonl").open("a") as file:
        file.write('{"block": 1, "conten')
    assert run.cells() == [CELL]


def test_resources_are_read_as_they_were_written(run: Run) -> None:
    written = [ResourceSample(START_NS, "load", 1, 2), ResourceSample(START_NS + 1, "scoring", 3_000_000_000, 4)]
    with run.resource_writer(CELL) as writer:
        for sample in written:
            writer.append(sample)
    assert writer.failure is None
    assert [ResourceSample(*row) for row in run.cell_resources(CELL).itertuples(index=False)] == written


def test_a_cell_without_resources_has_none(run: Run) -> None:
    assert run.cell_resources(CELL).empty


def test_documents_are_read_as_they_were_written(run: Run) -> None:
    document = {"schema": 1, "nested": {"missing": None, "text": "ü×", "list": [1, 2.5]}}
    run.write_json("summary.json", document)
    assert run.summary == document


def test_a_document_that_is_no_json_is_refused_and_leaves_the_one_before(run: Run) -> None:
    run.write_json("summary.json", {"schema": 1})
    with pytest.raises(ValueError, match="JSON"):
        run.write_json("summary.json", {"rps": float("nan")})
    assert run.summary == {"schema": 1}


def test_a_run_is_opened_through_a_link(run: Run) -> None:
    run.point_latest_here()
    assert Run.open(run.path.parent / "latest").path == run.path.resolve()


def test_latest_points_to_the_run_that_was_last_told_to(tmp_path: Path) -> None:
    for command in ("one", "two", "three"):
        run = Run.create(tmp_path, command, {})
        run.point_latest_here()
        assert (tmp_path / "latest").resolve() == run.path.resolve()
    assert not (tmp_path / "latest").readlink().is_absolute()
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("schema", [0, SCHEMA + 1, "1", None])
def test_an_unknown_schema_is_refused_by_name(run: Run, schema: object) -> None:
    run.write_json("manifest.json", {**run.manifest, "schema": schema})
    with pytest.raises(RecordError) as raised:
        Run.open(run.path)
    message = one_sentence(raised)
    assert str(schema) in message
    assert str(SCHEMA) in message
    assert str(run.path) in message


@pytest.mark.parametrize("manifest", [None, "", "{", "[]", "\x00"])
def test_a_directory_without_a_manifest_is_no_run(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(RecordError) as raised:
        Run.open(tmp_path)
    assert str(tmp_path) in str(raised.value)
    assert "manifest.json" in str(raised.value)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_directory_is_no_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match=name):
        Run.open(tmp_path / name)


def test_a_file_in_place_of_the_results_is_one_sentence(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.write_text("")
    with pytest.raises(RecordError) as raised:
        Run.create(results, "bench", {})
    assert str(results) in one_sentence(raised)


@pytest.mark.parametrize("what", WRITING)
def test_a_full_disk_is_one_sentence_that_names_the_run(run: Run, what: str, full_disk: Callable[[], None]) -> None:
    full_disk()
    with pytest.raises(RecordError) as raised:
        WRITING[what](run)
    assert str(run.path) in one_sentence(raised)
    assert "No space left on device" in one_sentence(raised)


def test_a_full_disk_at_the_start_is_one_sentence(tmp_path: Path, full_disk: Callable[[], None]) -> None:
    full_disk()
    with pytest.raises(RecordError) as raised:
        Run.create(tmp_path, "bench", {})
    assert "No space left on device" in one_sentence(raised)


def test_a_full_disk_before_the_first_resource_sample_is_one_sentence(run: Run, full_disk: Callable[[], None]) -> None:
    full_disk()
    with pytest.raises(RecordError) as raised, run.resource_writer(CELL):
        pass
    assert "No space left on device" in one_sentence(raised)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_fills_up_while_sampling_is_remembered_and_not_raised_in_the_thread(run: Run) -> None:
    run.file("resources", CELL, ".csv").symlink_to("/dev/full")
    with run.resource_writer(CELL) as writer:
        for number in range(1_000):
            writer.append(ResourceSample(number, "load", number, number))
    assert isinstance(writer.failure, OSError)
    assert writer.failure.errno == errno.ENOSPC


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_fills_up_while_a_cell_is_written_is_one_sentence(run: Run) -> None:
    (run.path / "cells.jsonl").symlink_to("/dev/full")
    with pytest.raises(RecordError) as raised:
        run.append_cell(CELL)
    assert "No space left on device" in one_sentence(raised)


def test_a_full_disk_leaves_the_document_that_was_there(run: Run, full_disk: Callable[[], None]) -> None:
    run.write_json("summary.json", {"schema": 1})
    full_disk()
    with pytest.raises(RecordError):
        run.write_json("summary.json", {"schema": 1, "new": True})
    assert json.loads((run.path / "summary.json").read_text()) == {"schema": 1}


def test_a_directory_in_place_of_latest_is_one_sentence(run: Run) -> None:
    (run.path.parent / "latest" / "of someone").mkdir(parents=True)
    with pytest.raises(RecordError) as raised:
        run.point_latest_here()
    assert "latest" in one_sentence(raised)


def test_two_runs_that_begin_within_the_same_second_do_not_collide(tmp_path: Path) -> None:
    runs = [Run.create(tmp_path, "bench", {"seed": seed}) for seed in range(3)]
    assert len({run.path for run in runs}) == len(runs)
    assert [run.manifest["seed"] for run in runs] == [0, 1, 2]
