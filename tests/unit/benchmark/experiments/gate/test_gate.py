"""A gate goes on until each figure is decided or its time is over, and says no more than was shown."""

from pathlib import Path

import pytest

from benchmark.analysis.sequential import Decision
from benchmark.errors import LoadError
from benchmark.experiments.gate.answers import answers
from benchmark.experiments.gate.judge import read_looks
from tests.unit.benchmark.experiments.gate.synthetic import by_name, order_of, record, sides, summary_of
from tests.unit.benchmark.fakes import failing

SAME = {"base": 50.0, "head": 50.0}
SLOWER = {"base": 50.0, "head": 60.0}


def test_it_stops_as_soon_as_every_figure_is_decided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = sides(SLOWER, {"base": 0.3, "head": 0.3})
    run = record(tmp_path, monkeypatch, measure, {"mean_ms": 0.02, "rps": 0.5}, pairs=60)
    found = by_name(summary_of(run))
    assert (found["mean_ms"].decision, found["rps"].decision) == (Decision.WORSE, Decision.NOT_WORSE)
    assert found["mean_ms"].change == pytest.approx(0.2, abs=0.01)
    assert found["rps"].change == pytest.approx(0.2, abs=0.01)
    assert len(run.trials()) < 2 * 60
    assert len(run.trials()) == 2 * max(each.pairs for each in found.values())


def test_it_alternates_who_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, monkeypatch, sides(SAME), {"mean_ms": 0.02}, pairs=2)
    order = order_of(run)
    assert order[:2] == order[2:][::-1]


def test_when_the_time_is_over_what_is_open_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(
        tmp_path, monkeypatch, sides({"base": 50.0, "head": 50.3}), {"mean_ms": 0.004}, step_s=30, budget_s=100
    )
    (look,) = read_looks(run)
    assert (look.pairs, look.time_share) == (3, 1.0)
    summary = summary_of(run)
    (figure,) = summary.unclear
    assert figure.could_show is not None
    assert figure.could_show > 0.004
    assert "cannot be told" in answers(summary)[0].text
    assert "more --minutes" in summary.notes[0]


def test_a_percentile_with_too_few_answers_says_what_it_takes_and_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = record(tmp_path, monkeypatch, sides(SAME), {"p99_ms": 0.05, "mean_ms": 0.05}, pairs=60)
    found = by_name(summary_of(run))
    assert found["mean_ms"].decision is Decision.NOT_WORSE
    assert found["p99_ms"].decision is Decision.OPEN
    assert "it takes 459" in found["p99_ms"].why
    assert len(run.trials()) < 2 * 60


def test_wrong_answers_end_it_and_claim_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, monkeypatch, sides(SLOWER, errors=1), {"mean_ms": 0.02}, pairs=60)
    summary = summary_of(run)
    assert len(run.trials()) == 1
    assert not summary.valid
    assert not summary.worse
    assert answers(summary)[0].text == "No figure is VALID, so nothing is claimed."


def test_a_service_that_dies_in_the_middle_keeps_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = failing("head", LoadError("it died"), block=2, measure=sides(SAME))
    run = record(tmp_path, monkeypatch, measure, {"mean_ms": 0.02}, pairs=60)
    summary = summary_of(run)
    assert summary.pairs == 2
    assert not summary.valid
    assert by_name(summary)["mean_ms"].base == pytest.approx(50, abs=0.1)


def test_a_saturated_generator_strikes_the_rate_and_not_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.analysis.validity.MAX_GENERATOR_CPU", 0.1)
    run = record(tmp_path, monkeypatch, sides(SAME), {"rps": 0.05, "cpu_ms": 0.05}, pairs=6)
    found = by_name(summary_of(run))
    assert (found["rps"].valid, found["cpu_ms"].valid) == (False, True)


@pytest.mark.parametrize(
    ("pairs", "disturbed", "valid"), [(20, [3], True), (20, [3, 11], True), (20, [3, 11, 12], False), (9, [3], False)]
)
def test_of_many_pairs_one_in_ten_may_be_disturbed(
    pairs: int, disturbed: list[int], valid: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = sides(SAME, disturbed=disturbed)
    run = record(tmp_path, monkeypatch, measure, {"mean_ms": 0.0}, pairs=pairs)
    summary = summary_of(run)
    assert (summary.pairs, summary.valid) == (pairs, valid)


def test_more_cpu_per_request_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(tmp_path, monkeypatch, sides(SAME, {"base": 0.3, "head": 0.36}), {"cpu_ms": 0.05}, pairs=12)
    (figure,) = summary_of(run).worse
    assert figure.change == pytest.approx(0.06 / 0.42, abs=0.02)
    assert figure.interval is not None
    assert figure.interval[0] > 0.05
