"""Trials: who is started with what, who is refused, and what the record says of every end that one can come to."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.contenders.discovery import Contender
from benchmark.errors import LoadError, RecordError, StackError
from benchmark.measure.session import Session
from benchmark.measure.trial import ParityError
from benchmark.record.run import Run
from contract.schema import predict_path
from tests.unit.benchmark.fakes import FakeStack, fake_stack, make_session, refusing
from tests.unit.benchmark.synthetic import make_contender, make_run

A, B = make_contender("a"), make_contender("b")
A_AGAIN = make_contender("a", label="a#2")
TWIN = make_contender("twin").model_copy(update={"endpoint": predict_path("async")})


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> FakeStack:
    return fake_stack(monkeypatch)


@pytest.fixture
def session(stack: FakeStack, tmp_path: Path) -> Session:
    return make_session(make_run(tmp_path, [A, B]), seed=7)


def ends(session: Session) -> list[tuple[str, str, str]]:
    """Return what the record says of every trial: contender, status, code of the reason."""
    return [(cell.contender, cell.status, cell.code) for cell in Run.open(session.run.path).trials()]


def try_out(session: Session, contender: Contender, error: BaseException | None = None, block: int = 0) -> None:
    """Open a trial in which an error is raised, if any, and let it be known."""
    with session.trial(contender, block):
        if error:
            raise error


def test_a_label_that_failed_parity_is_refused_without_starting_anything(stack: FakeStack, session: Session) -> None:
    entered = []

    @contextlib.contextmanager
    def generator() -> Iterator[None]:
        entered.append("companion")
        yield

    stack.parity = refusing("a", ParityError("status 500"))
    for block in range(3):
        with pytest.raises(ParityError, match="status 500"), session.trial(A, block, companion=generator()):
            pytest.fail("load was put on it")
    try_out(session, B)
    assert stack.started_labels == ["a", "b"]
    assert entered == ["companion"]
    assert ends(session) == [("a", "failed", "parity")] * 3 + [("b", "measured", "")]
    assert {cell.reason for cell in session.cells[:3]} == {"status 500"}


def test_parity_is_asked_once_of_every_label(stack: FakeStack, session: Session) -> None:
    for block in range(3):
        for contender in (A, B, A_AGAIN):
            try_out(session, contender, block=block)
    assert stack.checked == ["a", "b", "a#2"]
    assert stack.started_labels == ["a", "b", "a#2"] * 3


def test_parity_of_one_that_died_meanwhile_is_asked_again(stack: FakeStack, session: Session) -> None:
    stack.parity = refusing("a", StackError("it died of a case"))
    with pytest.raises(StackError):
        try_out(session, A)
    stack.parity = lambda _: None
    try_out(session, A, block=1)
    assert stack.checked == ["a", "a"]
    assert ends(session) == [("a", "failed", "stack"), ("a", "measured", "")]


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"),
    [
        (StackError("scoring has died"), "failed", "stack", "scoring has died"),
        (LoadError("it broke"), "failed", "load", "it broke"),
        (RecordError("no space left"), "interrupted", "record", "no space left"),
        (KeyboardInterrupt(), "interrupted", "interrupted", "interrupted by KeyboardInterrupt"),
        (OSError(28, "No space left on device"), "interrupted", "interrupted", "interrupted by OSError"),
    ],
)
def test_how_a_trial_ended_is_recorded_and_its_processes_are_stopped(
    stack: FakeStack, session: Session, error: BaseException, status: str, code: str, reason: str
) -> None:
    with pytest.raises(type(error)):
        try_out(session, A, error)
    assert ends(session) == [("a", status, code)]
    assert session.cells[0].reason == reason
    assert stack.stopped == ["a"]


def test_one_that_does_not_start_is_recorded(stack: FakeStack, session: Session) -> None:
    stack.start = refusing("a", StackError("its port is in use"))
    with pytest.raises(StackError):
        try_out(session, A)
    assert ends(session) == [("a", "failed", "stack")]
    assert stack.checked == []


def test_what_fails_of_two_that_are_open_leaves_the_other_one(stack: FakeStack, session: Session) -> None:
    with session.trial(A) as one, session.trial(B):
        one.fail(LoadError("no answer"))
        assert stack.stopped == []
    assert sorted(ends(session)) == [("a", "failed", "load"), ("b", "measured", "")]
    assert {cell.reason for cell in session.cells} == {"no answer", ""}


def test_an_interruption_does_not_hide_what_had_failed_before(stack: FakeStack, session: Session) -> None:
    with contextlib.suppress(KeyboardInterrupt), session.trial(A) as one, session.trial(B):
        one.fail(LoadError("no answer"))
        raise KeyboardInterrupt
    assert sorted(ends(session)) == [("a", "failed", "load"), ("b", "interrupted", "interrupted")]


@pytest.mark.parametrize("stage_clock", [True, False])
def test_all_processes_have_the_seed_of_the_block_and_the_stage_clock(
    stack: FakeStack, session: Session, stage_clock: bool
) -> None:
    with session.trial(TWIN, block=2, stage_clock=stage_clock) as trial:
        assert trial.cell.seed == 7002
        assert trial.contender == stack.started[0]
    for process in stack.started[0].process:
        assert process.env["SERVING_MODEL_SEED"] == "7002"
        assert process.env["SERVING_STAGE_CLOCK"] == str(stage_clock).lower()


def test_a_contender_of_several_trials_has_one_cell_that_says_what_became_of_it(
    stack: FakeStack, session: Session
) -> None:
    for part in ("try-1", "try-2"):
        with session.trial(A, part=part):
            pass
    session.note(A, LoadError("no answer"))
    session.note(B)
    recorded = Run.open(session.run.path)
    assert [(cell.contender, cell.part) for cell in recorded.trials()] == [
        ("a", "try-1"), ("a", "try-2"), ("a", ""), ("b", "")
    ]  # fmt: skip
    assert [(cell.contender, cell.status, cell.code, cell.reason) for cell in recorded.cells()] == [
        ("a", "failed", "load", "no answer"),
        ("b", "measured", "", ""),
    ]
    assert len({recorded.file("samples", cell, ".csv") for cell in recorded.trials()}) == 4
