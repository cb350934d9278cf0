"""What is said while a run goes on, where there is no terminal."""

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from benchmark.measure.progress import Progress
from benchmark.record.run import TrialRecord


@pytest.fixture
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(output: io.StringIO) -> Progress:
    return Progress(Console(file=output, width=60))


def lines(output: io.StringIO) -> list[str]:
    return output.getvalue().splitlines()


def test_a_run_begins_with_how_much_there_is_to_do_and_where_it_goes(progress: Progress, output: io.StringIO) -> None:
    with progress:
        progress.begin(Path("/somewhere/that/is/quite/long/results/20261121T050000Z-bench"), cells=10, cell_s=7.0)
    (line,) = lines(output)
    assert "10 trials" in line
    assert "1:10" in line
    assert line.endswith("/somewhere/that/is/quite/long/results/20261121T050000Z-bench")


def test_every_cell_is_one_line_without_a_terminal(progress: Progress, output: io.StringIO) -> None:
    with progress:
        progress.begin(Path("/x"), cells=2, cell_s=1.0)
        for block in range(2):
            progress.phase("sync", "16 users")
            progress.cell_done(TrialRecord(block, "sync", 1))
    first, second = lines(output)[1:]
    assert "block 1" in first
    assert "block 2" in second
    assert "sync" in first
    assert "done" in first


@pytest.mark.parametrize("status", ["failed", "interrupted"])
@pytest.mark.parametrize("reason", ["it died:\n    [Errno 98] in use", "[info] GET [/api/v1/ready] 503", "[red]x[/]"])
def test_a_cell_that_failed_is_said_with_its_reason_word_by_word(
    progress: Progress, output: io.StringIO, status: str, reason: str
) -> None:
    with progress:
        progress.begin(Path("/x"), cells=1, cell_s=1.0)
        progress.cell_done(TrialRecord(0, "async#2", 1, status=status, reason=reason))  # type: ignore[arg-type]
    text = output.getvalue()
    assert "async#2" in text
    assert status in text
    assert reason in text


def test_a_cell_may_end_before_a_run_was_announced(progress: Progress, output: io.StringIO) -> None:
    progress.phase("sync", "start")
    progress.cell_done(TrialRecord(0, "sync", 1))
    assert len(lines(output)) == 1


def test_what_is_left_counts_trials_by_how_long_each_was_expected_to_take(
    progress: Progress, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("benchmark.measure.progress.time.monotonic", lambda: clock[0])
    with progress:
        progress.begin(Path("/x"), cells=3, cell_s=40.0)
        for expected_s, took_s in ((90.0, 180.0), (20.0, 40.0)):
            clock[0] += took_s
            progress.cell_done(TrialRecord(0, "sync", 1), expected_s)
    assert [line.rpartition("about ")[2] for line in lines(output)[1:]] == ["1:00 left", "0:20 left"]


@pytest.mark.parametrize(("announced", "left"), [(True, "0:30"), (False, "3:30")])
def test_what_is_done_before_the_trials_does_not_make_those_look_slow(
    announced: bool, left: str, progress: Progress, output: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr("benchmark.measure.progress.time", SimpleNamespace(monotonic=lambda: clock.now_s))
    with progress:
        progress.begin(Path("/x"), cells=4, cell_s=10.0)
        clock.now_s = 60.0
        if announced:
            progress.trials_begin()
        clock.now_s = 70.0
        progress.cell_done(TrialRecord(0, "async", 1))
    assert lines(output)[-1].endswith(f"about {left} left")
