"""Requests as Locust reports them -> rows of a record."""

import contextlib
import csv
from pathlib import Path
from typing import Any

import pytest

from benchmark.load.protocols import JudgedAnswer
from benchmark.load.samples import SampleWriter
from benchmark.record.columns import SAMPLE_COLUMNS
from benchmark.record.run import Run, TrialRecord, Window


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path, "bench", {})


CELL = TrialRecord(0, "a", 1, windows=[Window(2, 0, 10**12)])


@pytest.fixture
def writer(run: Run) -> SampleWriter:
    writer = SampleWriter(run.file("samples", CELL, ".csv"))
    writer.users = 2
    return writer


GOOD = JudgedAnswer("", 0.045678, 200, 20, 'a;dur=1.5, b;desc="x, y"', 5_000_000_000, 5_051_234_567)


def answered(answer: JudgedAnswer = GOOD, **changes: Any) -> dict[str, Any]:
    """Return what a user reports of an answer that it got, but for what is changed."""
    context = {"start_ns": 5_000_000_000, "scheduled_ns": 5_000_000_000, "answer": answer}
    good = {"request_type": "POST", "name": "/", "response_time": 51.234567, "response_length": 20}
    return {**good, "exception": None, "context": context, **changes}


def test_a_request_is_recorded_to_the_nanosecond_and_not_as_locust_rounds_it(run: Run, writer: SampleWriter) -> None:
    writer.on_request(**answered())
    writer.close()
    (row,) = run.cell_samples(CELL).to_dict("records")
    assert row["latency_ns"] == pytest.approx(51_234_567, abs=1)
    assert (row["start_ns"], row["scheduled_ns"], row["users"]) == (5_000_000_000, 5_000_000_000, 2)
    assert (row["status"], row["bytes"], row["ok"], row["detail_s"]) == (200, 20, True, 0.045678)
    assert row["server_timing"] == 'a;dur=1.5, b;desc="x, y"'


def test_a_request_that_was_late_keeps_the_time_for_which_it_was_scheduled(run: Run, writer: SampleWriter) -> None:
    late = {"start_ns": 5_000_000, "scheduled_ns": 3_000_000, "answer": GOOD}
    writer.on_request(**answered(response_time=60.0, context=late))  # counted from the schedule
    writer.close()
    (row,) = run.cell_samples(CELL).to_dict("records")
    assert (row["scheduled_ns"], row["start_ns"]) == (3_000_000, 5_000_000)
    assert row["end_ns"] == 3_000_000 + 60_000_000


def test_a_request_without_an_answer_has_status_0_and_says_why(run: Run, writer: SampleWriter) -> None:
    why = "no answer (status 0): ConnectionRefusedError: [Errno 111]\nConnection refused, says the kernel"
    writer.on_request(**answered(JudgedAnswer(why, None, 0, 0, "", 1, 2), exception=ValueError(why)))
    writer.close()
    (row,) = run.cell_samples(CELL).to_dict("records")
    assert (row["status"], row["ok"], row["bytes"], row["requests"]) == (0, False, 0, 1)
    assert row["error"].startswith("ValueError: no answer (status 0): ConnectionRefusedError: ")


def test_an_arrival_that_was_not_sent_took_no_request(run: Run, writer: SampleWriter) -> None:
    context = {"start_ns": 5_000_000, "scheduled_ns": 3_000_000}
    writer.on_request(**answered(response_time=0.0, context=context, exception=ValueError("2048 in flight already")))
    writer.close()
    (row,) = run.cell_samples(CELL).to_dict("records")
    assert (row["status"], row["ok"], row["requests"], row["items"]) == (0, False, 0, 0)


def test_an_answer_of_many_requests_or_rows_is_one_sample_that_says_so(run: Run, writer: SampleWriter) -> None:
    writer.on_request(**answered(GOOD._replace(requests=4, items=64, value=None)))
    writer.close()
    (row,) = run.cell_samples(CELL).to_dict("records")
    assert (row["requests"], row["items"]) == (4, 64)


def test_only_checked_answers_are_counted(writer: SampleWriter) -> None:
    writer.on_request(**answered())
    writer.on_request(**answered(exception=ValueError("status 500")))
    assert writer.answered == 1
    writer.close()


def test_what_was_flushed_can_be_read_while_more_is_written(run: Run, writer: SampleWriter) -> None:
    for expected in (1, 2):
        writer.on_request(**answered())
        writer.flush()
        assert len(run.cell_samples(CELL)) == expected
    writer.close()


def test_rows_that_could_not_be_written_are_not_followed_by_others(run: Run, writer: SampleWriter) -> None:
    writer.on_request(**answered())
    writer.flush()
    file, full = writer._file, Path("/dev/full").open("w")  # noqa: SIM115 - the writer closes it
    writer._file, writer._csv = full, csv.writer(full)
    writer.on_request(**answered())
    with pytest.raises(OSError, match="No space left"):
        writer.flush()
    writer._file, writer._csv = file, csv.writer(file)  # there is space again
    writer.on_request(**answered())
    for write in (writer.flush, writer.close):
        with pytest.raises(OSError, match="No space left"):
            write()
    assert len(run.cell_samples(CELL)) == 1
    with contextlib.suppress(OSError):
        full.close()


def test_a_file_of_samples_begins_with_the_columns_of_the_format(run: Run, writer: SampleWriter) -> None:
    writer.close()
    header = run.file("samples", CELL, ".csv").read_text().splitlines()[0]
    assert header == ",".join(SAMPLE_COLUMNS)
    assert run.cell_samples(CELL).empty
