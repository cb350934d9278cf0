"""What the laws of the huey strategy compute, without a queue that runs."""

import pytest

from benchmark.load.plan import Arrivals
from strategies.job_huey.parameters import HIGH
from strategies.job_huey.rows import read_effects
from strategies.job_huey.strategy import expected_waits_ms, polled_ms, priorities, strategy
from strategies.laws import waits_by_class_ms, waits_ms

LONG = Arrivals(0.8 / 45 * 1e3, measure_s=4_000.0, warmup_s=50.0, seed=2)


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


def test_a_quarter_of_the_bodies_is_urgent() -> None:
    assert priorities().count(HIGH) * 4 == len(priorities())


@pytest.mark.parametrize(("ready_ms", "seen_ms"), [(45, 50), (50, 50), (51, 107.5), (60, 107.5)])
def test_a_get_that_polls_sees_a_result_at_its_next_look(ready_ms: float, seen_ms: float) -> None:
    assert polled_ms(ready_ms) == pytest.approx(seen_ms)


def test_the_effect_log_tells_duplicates_and_who_was_overtaken() -> None:
    said = read_effects(["low 1 a", "high 3 c", "low 2 b", "low 2 b", "low 5 e", "low 4 d"])
    assert (said["effects"], said["duplicate_effects"]) == (6, 1)
    assert (said["out_of_order"], said["out_of_order_within"]) == (3, 1)


def test_in_full_seven_consumers_are_killed_and_no_job_may_be_lost_but_by_huey_alone() -> None:
    asked = strategy(1.0)
    assert (asked.kills["kills"].times, asked.kills["kills"].role) == (7, "workers")
    laws = {(law.subject, law.figure.name): law for law in asked.laws if law.load.startswith("kills")}
    assert laws["job-huey", "failures"].at_most == laws["job-huey", "duplicate_effects"].at_most == 0
    lost = laws["job-huey-naive", "lost"]
    assert lost.contrast
    assert lost.at_least >= 1
