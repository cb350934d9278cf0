"""How far a measurement may be off its law, and what a strategy asks of whom."""

import pytest

from benchmark.experiments.strategies.law import Tolerance, at_most, exactly, from_floor, within
from tests.unit.benchmark.experiments.strategies.synthetic import make_strategy


@pytest.mark.parametrize(
    ("tolerance", "inside", "outside"),
    [
        (within(100, 0.1), (90.1, 100, 109.9), (89.9, 110.1)),
        (within(100, 0.1, 5), (90.1, 114.9), (89.9, 115.1)),
        (from_floor(100, 0.15, 10), (99.6, 100, 124.9), (99.4, 125.1)),
        (exactly(64), (64,), (63, 65)),
        (exactly(0), (0,), (1,)),
        (at_most(20), (0, 20), (20.1, -1)),
    ],
)
def test_a_tolerance_ends_where_it_says(
    tolerance: Tolerance, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    assert tolerance["at_least"] <= tolerance["expected"] <= tolerance["at_most"]
    assert all(tolerance["at_least"] <= value <= tolerance["at_most"] for value in inside)
    assert not any(tolerance["at_least"] <= value <= tolerance["at_most"] for value in outside)


def test_a_contender_is_put_under_the_loads_that_anything_asks_for_in_the_order_of_the_loads() -> None:
    strategy = make_strategy()
    assert strategy.loads_of("one") == ["one at once", "four at once"]  # the first is asked for by the chart alone
    assert strategy.loads_of("two") == ["one at once", "four at once", "random", "busy", "idle"]
    assert strategy.loads_of("sum") == []


def test_a_load_that_only_the_gain_asks_for_is_applied() -> None:
    strategy = make_strategy(laws=(), seen=(), charts=(), computations={})
    assert (strategy.contenders, strategy.loads_of("one")) == (["two", "one"], ["four at once"])


def test_contenders_are_named_once_and_computations_are_none_of_them() -> None:
    assert make_strategy().contenders == ["one", "two"]
