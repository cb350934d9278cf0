"""What each figure is, of answers and statistics that are known."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from benchmark.experiments.strategies import figure_kinds as kinds
from benchmark.experiments.strategies.law import Figure
from benchmark.experiments.strategies.observed import Observed

MS = 1_000_000
NAMED = [each for each in vars(kinds).values() if isinstance(each, Figure)]


def answers(*rows: tuple[int, int, int, bool]) -> pd.DataFrame:
    """Return samples: when each was due and sent, how long it took after that, all in ms, and whether it was right."""
    frame = pd.DataFrame(rows, columns=["scheduled_ns", "start_ns", "took", "ok"])
    frame[["scheduled_ns", "start_ns"]] *= MS
    frame["end_ns"] = frame["start_ns"] + frame["took"] * MS
    frame["response_ms"] = (frame["end_ns"] - frame["scheduled_ns"]) / MS
    return frame.assign(items=10)


def said(before: Mapping[str, Any], after: Mapping[str, Any]) -> Observed:
    return Observed(before=before, after=after)


TWO_WAVES = answers((0, 0, 40, True), (0, 1, 59, True), (100, 100, 30, True), (100, 110, 70, False))


def test_the_makespan_is_that_of_the_median_wave_from_when_it_was_due_to_its_last_answer() -> None:
    assert kinds.MAKESPAN.of(Observed(TWO_WAVES)) == pytest.approx((60 + 80) / 2)


def test_latencies_are_those_of_the_correct_answers_since_they_were_due() -> None:
    seen = Observed(TWO_WAVES)
    assert kinds.MEAN.of(seen) == pytest.approx((40 + 60 + 30) / 3)
    assert kinds.MEDIAN.of(seen) == pytest.approx(40)
    assert kinds.WORST.of(seen) == pytest.approx(60)
    assert kinds.FAILURES.of(seen) == 1


def test_a_percentile_needs_answers_enough() -> None:
    assert kinds.P99.of(Observed(TWO_WAVES)) is None
    many = Observed(answers(*((i, i, 10, True) for i in range(2000))))
    assert kinds.P99.of(many) == pytest.approx(10)


def test_a_rate_counts_what_was_partly_within_the_window_by_its_part() -> None:
    # One worker, 40 ms for each request, and two users: at any time one request runs and one waits.
    asked = answers(*((40 * i, 40 * i, 80, True) for i in range(-2, 10)))
    start_ns, end_ns = 20 * MS, 220 * MS
    ended = asked[asked["end_ns"].between(start_ns, end_ns, inclusive="left")]
    under_way = asked[(asked["end_ns"] > start_ns) & (asked["start_ns"] < end_ns)]
    seen = Observed(ended, start_ns, end_ns, under_way=under_way)
    assert kinds.RATE.of(seen) == pytest.approx(25)
    assert kinds.ITEMS.of(seen) == pytest.approx(250)


def test_cpu_is_that_of_all_processes_per_correct_answer() -> None:
    seen = Observed(answers((0, 0, 500, True), (500, 500, 500, True)), 0, 1000 * MS, cpu_cores=0.3)
    assert kinds.CPU.of(seen) == pytest.approx(150)
    assert kinds.CORE_SHARE.of(seen) == pytest.approx(30)


def test_counters_are_told_by_how_much_they_grew() -> None:
    seen = said({"hits": 10, "misses": 10}, {"hits": 40, "misses": 20, "batches": 5})
    assert kinds.counted("hits").of(seen) == 30
    assert kinds.counted("batches").of(seen) == 5  # there was none before
    assert kinds.share("hits", "misses").of(seen) == pytest.approx(0.75)
    assert kinds.per("hits", "batches").of(seen) == pytest.approx(6)
    assert kinds.said("misses").of(seen) == 20


@pytest.mark.parametrize("seen", [said({}, {"hits": 40}), said({"hits": 10}, {}), said({}, {})])
def test_no_counter_is_told_where_the_service_did_not_say_it_at_both_ends(seen: Observed) -> None:
    for figure in (kinds.counted("hits"), kinds.share("hits"), kinds.per("hits", "hits")):
        assert figure.of(seen) is None


def test_nothing_is_divided_by_nothing() -> None:
    seen = said({"hits": 1, "misses": 1}, {"hits": 1, "misses": 1})
    assert kinds.share("hits", "misses").of(seen) is None
    assert kinds.per("hits", "misses").of(seen) is None


@pytest.mark.parametrize("figure", NAMED, ids=lambda figure: figure.name)
def test_of_what_was_not_observed_no_figure_is_told_but_zero(figure: Figure) -> None:
    assert figure.of(Observed()) in (None, 0.0)


def test_every_figure_has_a_name_of_its_own() -> None:
    assert len({figure.name for figure in NAMED}) == len(NAMED) > 10
