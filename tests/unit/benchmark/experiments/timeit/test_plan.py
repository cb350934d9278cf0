"""What is timed, in which order, and what a scale leaves of it."""

from collections import Counter

import pytest

from benchmark.experiments.timeit.plan import make_plan

LABELS = ["one", "two", "three"]


def test_the_full_plan_is_that_of_the_experiment_it_repeats() -> None:
    plan = make_plan(1, 60, 1, 10, seed=1)
    assert plan.calls == tuple(range(1, 61))
    assert plan.repeats == 10


def test_every_pair_once_in_an_order_of_its_own_that_the_seed_fixes() -> None:
    plan = make_plan(1, 20, 1, 10, seed=1)
    first, second = plan.pairs(0, LABELS), plan.pairs(1, LABELS)
    assert Counter(first) == Counter((n, label) for n in plan.calls for label in LABELS)
    assert first != second
    assert first == make_plan(1, 20, 1, 10, seed=1).pairs(0, LABELS)
    assert first != make_plan(1, 20, 1, 10, seed=2).pairs(0, LABELS)
    assert first != sorted(first)


@pytest.mark.parametrize(("scale", "calls", "repeats"), [(0.5, 30, 5), (0.25, 12, 3), (0.1, 3, 3), (0.01, 3, 3)])
def test_a_scale_leaves_fewer_calls_and_repeats(scale: float, calls: int, repeats: int) -> None:
    short = make_plan(1, 60, 1, 10, seed=1, scale=scale)
    assert (len(short.calls), short.repeats) == (calls, repeats)


def test_what_a_scale_leaves_is_spread_evenly_between_the_ends() -> None:
    assert make_plan(1, 60, 1, 10, seed=1, scale=0.1).calls == (1, 31, 60)
    assert make_plan(10, 30, 5, 10, seed=1, scale=0.01).calls == (10, 20, 30)


def test_a_tenth_takes_under_two_minutes() -> None:
    floors_ms = {"a": 90.0, "b": 46.67, "c": 46.67, "d": 46.67}
    plan = make_plan(1, 60, 1, 10, seed=1, scale=0.1)
    assert plan.repeats * plan.expected_s(floors_ms, start_s=2.0) < 120


def test_a_scale_never_asks_for_more_than_was_asked() -> None:
    assert make_plan(1, 2, 1, 2, seed=1, scale=0.01).repeats == 2
    assert make_plan(1, 2, 1, 3, seed=1, scale=0.01).calls == (1, 2)


def test_the_expected_time_is_that_of_the_calls() -> None:
    plan = make_plan(1, 60, 1, 10, seed=1)
    assert plan.expected_s({"a": 90.0}, start_s=3.0) == pytest.approx(3 + 1890 * 0.1)
