"""`timeit` without processes: who drops out, and what becomes of the others."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import LoadError, StackError
from benchmark.experiments.experiment import carry_out
from benchmark.experiments.timeit import measure as module
from benchmark.experiments.timeit.experiment import EXPERIMENT
from benchmark.experiments.timeit.plan import assign, make_plan
from benchmark.experiments.timeit.repeats import read_repeats
from benchmark.measure.trial import ParityError
from benchmark.record.run import Run, TrialRecord
from tests.unit.benchmark.fakes import FakeStack, fake_stack, make_progress, refusing
from tests.unit.benchmark.synthetic import make_contender

ONE, TWO = make_contender("one"), make_contender("two")
REPEATS = 3
ALL_OF_ONE = {(repeat, "one", "measured", "") for repeat in range(REPEATS)}


class Timing:
    """`timeit` on a stack that is none: every call takes 50 ms; remembers what was timed."""

    def __init__(self, results: Path, stack: FakeStack) -> None:
        self.results, self.stack, self.output = results, stack, io.StringIO()
        self.timed: list[tuple[int, str, int]] = []  # repeat, contender, calls
        self.before: Callable[[TrialRecord], None] = lambda _: None  # may raise in place of a timing

    def time(self, ready: Any, n: int) -> float:
        cell = ready.trial.cell
        self.timed.append((cell.block, cell.contender, n))
        self.before(cell)
        return n * 0.05

    def run(self) -> Run:
        assignment = assign([ONE, TWO], make_plan(1, 3, 1, REPEATS, seed=1), {})
        return carry_out(EXPERIMENT, assignment, self.results, make_progress(self.output))


@pytest.fixture
def timing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Timing:
    timing = Timing(tmp_path / "results", fake_stack(monkeypatch))
    monkeypatch.setattr(module, "_time", timing.time)
    return timing


def ends(run: Run) -> set[tuple[int, str, str, str]]:
    return {(cell.block, cell.contender, cell.status, cell.code) for cell in run.cells()}


def test_every_number_of_calls_is_timed_once_with_everybody_in_every_repeat_of_fresh_processes(timing: Timing) -> None:
    run = timing.run()
    everything = [(repeat, name, n) for repeat in range(REPEATS) for name in ("one", "two") for n in (1, 2, 3)]
    assert sorted(timing.timed) == everything
    assert timing.stack.started_labels == ["one", "two"] * REPEATS
    assert timing.stack.checked == ["one", "two"]
    assert len(read_repeats(run.path)) == len(everything)
    assert run.summary["complete"]


def test_who_fails_parity_drops_out_and_is_not_started_again(timing: Timing) -> None:
    timing.stack.parity = refusing("two", ParityError("status 500"))
    run = timing.run()
    assert timing.stack.started_labels.count("two") == 1
    assert {name for _, name, _ in timing.timed} == {"one"}
    assert ends(run) == {
        (0, "two", "failed", "parity"),
        *((repeat, "one", "measured", "") for repeat in range(REPEATS)),
    }
    assert (run.summary["complete"], run.summary["contenders"]["one"]["timeit"]["repeats"]) == (True, REPEATS)
    assert "two drops out, the others go on: status 500" in timing.output.getvalue()


@pytest.mark.parametrize(("error", "code"), [(LoadError("no answer"), "load"), (StackError("it died"), "stack")])
def test_who_fails_while_it_is_timed_drops_out_and_the_others_go_on(
    timing: Timing, error: Exception, code: str
) -> None:
    def fail(cell: TrialRecord) -> None:
        if (cell.block, cell.contender) == (1, "two"):
            raise error

    timing.before = fail
    run = timing.run()
    assert ends(run) == {(0, "two", "measured", ""), (1, "two", "failed", code), *ALL_OF_ONE}
    assert [name for repeat, name, _ in timing.timed if repeat == 1].count("two") == 1
    assert timing.stack.started_labels.count("two") == 2
    assert timing.stack.stopped.count("two") == 2
    assert (run.summary["complete"], run.summary["valid"]) == (True, False)


def test_ctrl_c_reports_the_repeats_that_are_complete(timing: Timing) -> None:
    def interrupt(cell: TrialRecord) -> None:
        if cell.block == 2:
            raise KeyboardInterrupt

    timing.before = interrupt
    run = timing.run()
    assert {(2, "one", "interrupted", "interrupted"), (2, "two", "interrupted", "interrupted")} <= ends(run)
    assert not run.summary["complete"]
    assert run.summary["contenders"]["one"]["timeit"]["repeats"] == 2
    assert (run.path / "report.html").exists()
