"""The record of a search -> its capacity, as a finding, compared by block, and in words."""

from pathlib import Path

import pytest

from benchmark.errors import LoadError
from benchmark.experiments.capacity.answers import answers
from benchmark.experiments.capacity.comparable import comparable
from benchmark.experiments.capacity.experiment import EXPERIMENT
from benchmark.experiments.capacity.observed import TRIES
from benchmark.experiments.capacity.schema import CapacityEntry, CapacitySummary
from benchmark.experiments.capacity.search import Standing
from benchmark.record.run import Run
from tests.unit.benchmark.experiments.capacity.synthetic import knee, recorded, short_plan, summary_of
from tests.unit.benchmark.synthetic import make_contender
from tests.unit.plain import faults

ONE, TWO = make_contender("one"), make_contender("two")


def said(summary: CapacitySummary, busy: float = 0.0) -> list[str]:
    """Return the answers of a run, each of which is short and plain."""
    found = [answer.text for answer in answers(summary, busy)]
    assert [fault for text in found for fault in faults(text)] == []
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        services = {"one": knee(130.0), "two": knee(260.0)}
        return recorded(tmp_path_factory.mktemp("results"), patch, services, [ONE, TWO], short_plan(blocks=2))


def test_each_capacity_is_a_finding_with_its_interval_and_its_ratio_by_block(run: Run) -> None:
    one, two = summary_of(run).findings
    assert (one.figure, one.unit, one.contender) == ("capacity_rps", "rps", "one")
    assert one.ci95 is not None
    assert one.ci95[0] < one.value < one.ci95[1]
    assert one.value == pytest.approx(130, rel=0.1)
    assert two.value == pytest.approx(260, rel=0.1)
    assert two.versus == "one"
    assert two.ratio == pytest.approx(2, rel=0.1)
    assert two.ratio_ci95 is not None


def test_contenders_take_turns_and_every_try_is_on_record_before_it_runs(run: Run) -> None:
    rows = run.lines(TRIES)
    assert {row["contender"] for row in rows[:2]} == {"one", "two"}
    assert len(rows) == len([trial for trial in run.trials() if trial.part]) == len(run.trials())
    assert {row["kind"] for row in rows} == {"coarse", "fine", "confirm"}
    fine = [row["contender"] for row in rows if row["kind"] == "fine"]
    assert all(set(fine[i : i + 2]) == {"one", "two"} for i in range(0, len(fine), 2))


def test_the_first_answer_is_who_carries_most(run: Run) -> None:
    first, *more = said(summary_of(run))
    assert first.startswith("two carries 2")
    assert any(text.startswith("one and two break p99<100ms first") for text in more)


def test_two_runs_are_compared_by_their_blocks_for_the_same_promise(run: Run) -> None:
    (figure,) = comparable(run, "one", None)
    assert (figure.name, figure.plan, len(figure.values)) == ("capacity", "p99<100ms", 2)
    assert figure.valid


def test_a_summary_survives_its_file_and_is_the_same_when_it_is_made_again(run: Run) -> None:
    assert EXPERIMENT.summarise(run)["summary.json"] == run.summary


def test_a_contender_that_fails_says_why_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = ("two", "try-2", LoadError("no answer came"))
    services = {"one": knee(130.0), "two": knee(260.0)}
    summary = summary_of(recorded(tmp_path, monkeypatch, services, [ONE, TWO], short_plan(blocks=1), error))
    one, two = summary.contenders.values()
    assert (one.standing, one.valid) == (Standing.FOUND, True)
    assert (two.valid, len(two.tries)) == (False, 1)
    assert "no answer came" in str(two.reasons[0])


def test_others_are_compared_with_the_first_that_has_a_capacity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = {"zero": lambda _: 1.0, "one": knee(130.0), "two": knee(260.0)}
    zero = make_contender("zero")
    summary = summary_of(recorded(tmp_path, monkeypatch, services, [zero, ONE, TWO], short_plan(blocks=1)))
    assert summary.baseline == "one"
    assert summary.contenders["zero"].standing is Standing.NOWHERE
    assert summary.contenders["two"].ratio is not None


def summary_with(**fields: object) -> CapacitySummary:
    entry = CapacityEntry.model_validate({"title": "One", "binding": "p99<100ms", **fields})
    return CapacitySummary(
        schema=2, objectives=("p99<100ms",), limits_ms=(100.0,), allowed_pct=(1.0,), contenders={"one": entry}
    )  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"standing": "at least", "rate_rps": 900.0}, "carries at least 900 requests/s: every rate"),
        ({"standing": "at least", "rate_rps": 900.0, "by_generator": True}, "the generator cannot offer more"),
        ({"standing": "kept at no rate", "rate_rps": 13.0, "floor_ms": 90.0}, "at 13.0 requests/s it already breaks"),
        ({"standing": "cannot be told", "capacity_rps": 100.0, "ci95": (50.0, 160.0)}, "lies between 50 and 160"),
        ({"standing": "cannot be told", "confirmed": "broken", "confirmed_rps": 90.0}, "was to confirm 90.0"),
        ({"standing": "cannot be told"}, "cannot be told from these tries"),
    ],
    ids=["at least", "generator", "nowhere", "wide", "refuted", "unknown"],
)
def test_where_there_is_no_capacity_the_answer_says_so(fields: dict[str, object], expected: str) -> None:
    assert expected in said(summary_with(**fields))[0]


def test_a_floor_that_leaves_no_room_is_the_reason() -> None:
    summary = summary_with(standing="kept at no rate", rate_rps=13.0, floor_ms=90.0)
    assert said(summary)[1] == "The models of one alone take 90.0 ms on average, which leaves little room."


def test_a_busy_machine_condemns_the_whole_run() -> None:
    assert said(summary_with(standing="found", capacity_rps=9.0), busy=0.5) == [
        "The run as a whole is INVALID and supports no claim."
    ]
