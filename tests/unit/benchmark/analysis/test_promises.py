import numpy as np
import pytest

from benchmark.analysis.promises import Outage, Verdict, good_requests, judge_promise, outages, tails_by_second
from benchmark.load.objectives import parse_objective

P99 = parse_objective("p99<100ms")


def _good(requests: int, bad: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.arange(requests) >= bad


@pytest.mark.parametrize(
    ("requests", "bad", "verdict"),
    [
        (458, 0, Verdict.TOO_FEW),
        (459, 0, Verdict.KEPT),
        (661, 1, Verdict.TOO_FEW),
        (662, 1, Verdict.KEPT),
        (2010, 10, Verdict.KEPT),
        (2009, 10, Verdict.TOO_FEW),
        (1000, 10, Verdict.TOO_FEW),
        (1000, 30, Verdict.BROKEN),
        (0, 0, Verdict.TOO_FEW),
        (1, 1, Verdict.BROKEN),
    ],
)
def test_a_promise_is_judged_by_the_rule_of_mlperf(requests: int, bad: int, verdict: Verdict) -> None:
    judged = judge_promise(_good(requests, bad), P99)
    assert (judged.verdict, judged.requests, judged.bad) == (verdict, requests, bad)


def test_neither_verdict_is_wrong_more_often_than_it_says() -> None:
    """At the very edge of the promise, 2,000 requests each: both errors come with at most 1 % (bound: 5 sigma)."""
    draw = np.random.default_rng(11)
    found = [judge_promise(draw.random(2000) >= 0.01, P99).verdict for _ in range(2000)]
    for wrong in (Verdict.KEPT, Verdict.BROKEN):
        assert found.count(wrong) <= 20 + 5 * np.sqrt(20)


def test_a_failed_request_is_never_good_and_a_limit_is_exclusive() -> None:
    latency = np.array([50.0, 50.0, 100.0])
    answered = np.array([True, False, True])
    assert good_requests(latency, answered, P99).tolist() == [True, False, False]
    assert good_requests(latency, answered, parse_objective("errors<1%")).tolist() == [True, False, True]


def test_an_outage_has_a_first_second_and_an_end() -> None:
    due_s = np.arange(0, 20, 0.01)
    good = ~((due_s >= 5) & (due_s < 8.5))
    assert outages(due_s, good, P99) == [Outage(5, 9, 350)]


def test_an_outage_that_lasts_has_no_end() -> None:
    due_s = np.arange(0, 20, 0.01)
    assert outages(due_s, due_s < 12, P99) == [Outage(12, None, 800)]


def test_two_outages_with_three_good_seconds_between_them_are_two() -> None:
    due_s = np.arange(0, 30, 0.01)
    good = ~(((due_s >= 5) & (due_s < 6)) | ((due_s >= 9) & (due_s < 10)) | ((due_s >= 20) & (due_s < 22)))
    assert [(one.from_s, one.until_s) for one in outages(due_s, good, P99)] == [(5, 6), (9, 10), (20, 22)]


def test_one_bad_request_in_a_hundred_is_no_outage() -> None:
    due_s = np.arange(0, 20, 0.01)
    assert outages(due_s, np.arange(due_s.size) % 100 != 0, P99) == []


def test_without_requests_nothing_is_told() -> None:
    assert outages(np.array([]), np.array([], dtype=bool), P99) == []


def test_the_tail_of_a_second_is_that_of_the_shortest_stretch_of_seconds_that_shows_one() -> None:
    draw = np.random.default_rng(5)
    due_s = np.sort(draw.uniform(0, 30, 6000))
    latency_ms, answered = draw.exponential(50, due_s.size), draw.random(due_s.size) >= 0.002
    for second, tail_ms in enumerate(tails_by_second(due_s, latency_ms, answered, 0.99)):
        begin = next((k for k in range(second, -1, -1) if ((due_s >= k) & (due_s < second + 1)).sum() >= 459), None)
        assert (tail_ms is None) == (begin is None)
        if tail_ms is not None and begin is not None:
            inside = (due_s >= begin) & (due_s < second + 1)
            within = inside & answered & (latency_ms <= tail_ms + 1e-3)
            assert within.sum() == np.ceil(0.99 * inside.sum())


def test_where_more_than_the_rest_failed_there_is_no_tail() -> None:
    due_s = np.arange(0, 10, 0.01)
    tails_ms = tails_by_second(due_s, np.full(due_s.size, 50.0), np.arange(due_s.size) % 50 != 0, 0.99)
    assert tails_ms == [None] * 10
    assert tails_by_second(np.array([]), np.array([]), np.array([], dtype=bool), 0.99) == []
