"""Bursts against a real process."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import choose, discover
from benchmark.errors import LoadError
from benchmark.experiments.prediction import bursts
from benchmark.experiments.prediction.bursts import asks_of, measure_bursts, read_bursts
from benchmark.experiments.prediction.plan import CalibrationPlan
from benchmark.measure.progress import Progress
from benchmark.measure.session import Session
from benchmark.record.run import Run
from benchmark.stack.watchdog import Guard

pytestmark = pytest.mark.integration


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path, "explain", {})


@pytest.fixture
def session(run: Run, guard: Guard) -> Session:
    return Session(run, guard, Progress(Console(quiet=True)), free_ports=True)


def test_every_size_is_recorded_with_what_it_cost(run: Run, session: Session) -> None:
    (null,) = choose(["null"], discover())
    measure_bursts(session, null, CalibrationPlan(0.3, (16, 100)))
    measure_bursts(session, null, CalibrationPlan(0.3, (16,)), block=1)
    found = read_bursts(run.path)
    assert [(each.contender, each.size) for each in found] == [("null", 16), ("null", 100), ("null", 16)]
    assert [each.block for each in found] == [0, 0, 1]
    assert [each.asks for each in found if each.size == 16] == [4, 4]
    for burst in found:
        assert burst.requests >= 3 * burst.size * burst.asks
        assert burst.requests % (burst.size * burst.asks) == 0
        assert burst.cpu_ms["scoring"] > 0
        assert burst.cpu_ms["load"] > 0
        spent_ms = (burst.cpu_ms["scoring"] + burst.seldom_ms["scoring"]) * burst.requests
        assert burst.busy["scoring"] == pytest.approx(spent_ms / 1e3 / burst.seconds)
        assert burst.last_ms > 0
        assert burst.foreign_share is not None
        assert burst.steal_share is not None
        assert 0 <= burst.foreign_share <= 1
        assert 0 <= burst.steal_share <= 1


def test_the_rest_grows_until_the_scoring_process_was_idle_enough(
    run: Run, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    (null,) = choose(["null"], discover())
    monkeypatch.setattr(bursts, "MAX_BUSY", 0.01)
    measure_bursts(session, null, CalibrationPlan(0.1, (16,)))
    (burst,) = read_bursts(run.path)
    assert 0.003 < burst.busy["scoring"] <= 0.01


@pytest.mark.parametrize(
    ("size", "once_ms", "asks"),
    [
        (16, 2.0, 4),
        (32, 10.0, 2),
        (64, 10.0, 1),
        (128, 2.0, 1),
        (128, 0.5, 2),
        (64, 0.5, 2),
        (64, 0.01, 2),
        (64, 0.0, 2),
    ],
)
def test_users_ask_again_where_they_are_few_or_a_request_costs_little(size: int, once_ms: float, asks: int) -> None:
    assert asks_of(size, once_ms / 1e3) == asks


def test_bursts_that_take_too_long_are_left_out_and_so_are_larger_ones(
    run: Run, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    (null,) = choose(["null"], discover())
    monkeypatch.setattr(bursts, "_LONGEST_BUSY_S", 0.0)
    measure_bursts(session, null, CalibrationPlan(0.3, (2, 5)))
    assert read_bursts(run.path) == []


def test_a_refused_request_is_no_cheap_one(run: Run, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    (null,) = choose(["null"], discover())
    elsewhere = null.model_copy(update={"endpoint": "/nowhere"})
    monkeypatch.setattr("benchmark.measure.session.check_parity_of", lambda _: None)
    with pytest.raises(LoadError, match="status 404"):
        measure_bursts(session, elsewhere, CalibrationPlan(0.3, (2,)))
    assert read_bursts(run.path) == []


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "bursts.jsonl").write_text('{"contender": "sy')
    assert read_bursts(tmp_path) == []
    assert read_bursts(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bounds_s": (1.0, 2.0)}, "went wrong: answer .* lies outside"),
        ({"least_times_answer": 100.0}, "before its models"),
    ],
)
def test_a_wrong_answer_or_one_too_soon_does_not_calibrate(
    session: Session, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], message: str
) -> None:
    (null,) = choose(["null"], discover())
    monkeypatch.setattr(bursts, "law_of", lambda contender: replace(law_of(contender), **changes))
    with pytest.raises(LoadError, match=message):
        measure_bursts(session, null, CalibrationPlan(0.1, (16,)))


def test_bursts_of_a_record_that_does_not_tell_of_the_machine_can_be_read(run: Run) -> None:
    old = {"contender": "a", "size": 16, "requests": 64, "seconds": 1.0, "cpu_ms": {}, "seldom_ms": {}, "busy": {}}
    run.append_line(bursts.RECORD, {**old, "last_ms": 5.0})
    (burst,) = read_bursts(run.path)
    assert (burst.foreign_share, burst.steal_share) == (None, None)
