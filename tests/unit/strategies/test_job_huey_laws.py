"""What the laws of the huey strategy compute, without a queue that runs."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.load.plan import Arrivals
from strategies.job_huey.parameters import HIGH
from strategies.job_huey.strategy import expected_waits_ms, polled_ms, priorities, strategy
from strategies.laws import waits_by_class_ms, waits_ms

LONG = Arrivals(0.8 / 45 * 1e3, measure_s=4_000.0, warmup_s=50.0, seed=2)
TICK_S = 1 / 128  # times are multiples of it, so that sums of them are exact

gaps_and_classes = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 2)), max_size=40)


def arrivals_of(jobs: list[tuple[int, int]]) -> tuple[list[float], list[int]]:
    """Return when jobs arrive, so many ticks after each other, and their classes."""
    return [ticks * TICK_S for ticks in accumulate(gap for gap, _ in jobs)], [each for _, each in jobs]


def starts_s(due: list[float], waits: list[float]) -> list[float]:
    return [at_s + wait_ms / 1e3 for at_s, wait_ms in zip(due, waits, strict=True)]


def test_two_classes_wait_as_cobham_says_and_all_together_as_in_m_d_1() -> None:
    found = expected_waits_ms(LONG, occupied_ms=45.0)
    residual_ms = 0.8 * 45 / 2
    assert found["high"] == pytest.approx(residual_ms / 0.8, rel=0.1)  # 1 - 0.2
    assert found["low"] == pytest.approx(residual_ms / (0.8 * 0.2), rel=0.1)
    assert found["fifo"] == pytest.approx(residual_ms / 0.2, rel=0.1)
    assert found["together"] == pytest.approx(found["fifo"], rel=1e-3)


def test_one_class_waits_as_first_come_first_served() -> None:
    due = [0.0, 0.01, 0.02, 0.5, 0.51]
    assert waits_by_class_ms(due, [0] * 5, 45.0) == pytest.approx(waits_ms(due, 45.0))


def test_an_urgent_job_overtakes_those_that_wait_and_interrupts_none() -> None:
    assert waits_by_class_ms([0.0, 0.01, 0.02], [1, 1, 0], 100.0) == pytest.approx([0.0, 190.0, 80.0])


def test_urgent_jobs_that_keep_the_server_busy_keep_all_others_waiting() -> None:
    due = [0.0, 0.0, *(0.125 * number for number in range(1, 8))]
    assert waits_by_class_ms(due, [0, 1, *[0] * 7], 125.0) == [0.0, 1_000.0, *[0.0] * 7]


def test_nobody_waits_where_nobody_comes() -> None:
    assert waits_by_class_ms([], [], 45.0) == []


@given(jobs=gaps_and_classes, ticks=st.integers(1, 20))
def test_one_class_is_lindley_whatever_comes(jobs: list[tuple[int, int]], ticks: int) -> None:
    due, _ = arrivals_of(jobs)
    service_ms = ticks * TICK_S * 1e3
    assert waits_by_class_ms(due, [1] * len(due), service_ms) == waits_ms(due, service_ms)


@given(jobs=gaps_and_classes, ticks=st.integers(1, 20))
def test_no_order_creates_or_saves_work(jobs: list[tuple[int, int]], ticks: int) -> None:
    due, classes = arrivals_of(jobs)
    service_ms = ticks * TICK_S * 1e3
    waits, in_turn = waits_by_class_ms(due, classes, service_ms), waits_ms(due, service_ms)
    assert sum(waits) == sum(in_turn)
    assert sorted(starts_s(due, waits)) == starts_s(due, in_turn)  # it works whenever there is work
    assert min(waits, default=0.0) >= 0


@given(jobs=gaps_and_classes, ticks=st.integers(1, 20))
def test_the_lowest_class_that_waits_is_taken_and_within_it_the_first(jobs: list[tuple[int, int]], ticks: int) -> None:
    due, classes = arrivals_of(jobs)
    starts = starts_s(due, waits_by_class_ms(due, classes, ticks * TICK_S * 1e3))
    ranks = list(zip(classes, range(len(due)), strict=True))
    for start_s, rank in zip(starts, ranks, strict=True):
        waiting = [other for other, at_s, later_s in zip(ranks, due, starts, strict=True) if at_s <= start_s <= later_s]
        assert rank == min(waiting)
    assert all(after - before >= ticks * TICK_S for before, after in pairwise(sorted(starts)))


def test_a_quarter_of_the_bodies_is_urgent() -> None:
    assert priorities().count(HIGH) * 4 == len(priorities())


@pytest.mark.parametrize(("ready_ms", "seen_ms"), [(45, 50), (50, 50), (51, 107.5), (60, 107.5)])
def test_a_get_that_polls_sees_a_result_at_its_next_look(ready_ms: float, seen_ms: float) -> None:
    assert polled_ms(ready_ms) == pytest.approx(seen_ms)


def test_in_full_seven_consumers_are_killed_and_no_job_may_be_lost_but_by_huey_alone() -> None:
    asked = strategy(1.0)
    assert (asked.kills["kills"].times, asked.kills["kills"].role) == (7, "workers")
    laws = {(law.subject, law.figure.name): law for law in asked.laws if law.load.startswith("kills")}
    assert laws["job-huey", "failures"].at_most == laws["job-huey", "duplicate_effects"].at_most == 0
    lost = laws["job-huey-naive", "lost"]
    assert lost.contrast
    assert lost.at_least >= 1
