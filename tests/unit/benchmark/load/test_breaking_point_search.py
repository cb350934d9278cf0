"""What is asked of a rate in the search of the breaking point."""

import numpy as np
import pytest

from benchmark.load.breaking_point_search import TryOutcome, judge

SCHEDULED = np.arange(0, 12, 0.01)


def judged(answered: np.ndarray, latency_ms: np.ndarray) -> TryOutcome:
    return judge(SCHEDULED, answered, latency_ms, since_s=2.0, until_s=12.0, limit_ms=150.0)


def test_all_in_time_is_sustained() -> None:
    outcome = judged(SCHEDULED, np.full(SCHEDULED.size, 60.0))
    assert outcome == TryOutcome(1.0, 1.0)
    assert outcome.sustained
    assert outcome.reason == ""


@pytest.mark.parametrize(("every", "sustained"), [(25, True), (15, False)])
def test_arrivals_without_an_answer_are_missed(every: int, sustained: bool) -> None:
    """One in 25 is four in a hundred, one in 15 nearly seven; nobody recorded them."""
    answered = np.delete(SCHEDULED, np.s_[::every])
    outcome = judged(answered, np.full(answered.size, 60.0))
    assert outcome.sustained is sustained
    assert outcome.reason == ("" if sustained else "goodput")


@pytest.mark.parametrize(("every", "sustained"), [(25, True), (15, False)])
def test_answers_after_the_limit_come_too_late(every: int, sustained: bool) -> None:
    latency_ms = np.where(np.arange(SCHEDULED.size) % every == 0, 200.0, 60.0)
    outcome = judged(SCHEDULED, latency_ms)
    assert outcome.sustained is sustained
    assert outcome.reason == ("" if sustained else "p95")


def test_the_warm_up_and_what_comes_after_the_end_do_not_count() -> None:
    inside = SCHEDULED >= 2.0
    assert judged(SCHEDULED, np.where(inside, 60.0, 9000.0)).sustained
    assert judge(SCHEDULED, SCHEDULED[SCHEDULED < 5], np.full(500, 60.0), 2.0, 5.0, 150.0).sustained


def test_nothing_due_is_not_sustained() -> None:
    assert not judge(np.array([]), np.array([]), np.array([]), 2.0, 12.0, 150.0).sustained
