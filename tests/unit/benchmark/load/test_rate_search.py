"""The highest sustained rate by tries, on contenders of which it is known."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.load.breaking_point_search import TryOutcome
from benchmark.load.rate_search import HIGHEST_RPS, LOWEST_RPS, STEPS, Staircase

SUSTAINED, LATE, LOST = TryOutcome(1.0, 1.0), TryOutcome(1.0, 0.5), TryOutcome(0.5, 0.5)
STEP = STEPS[-1]


def climb(
    sustains: Callable[[float], bool], first_rps: float, crossings: int = 4, near: bool = True
) -> Staircase[TryOutcome]:
    stairs = Staircase[TryOutcome](first_rps, crossings, near)
    while (rps := stairs.next_rps()) is not None:
        stairs.add(rps, SUSTAINED if sustains(rps) else LATE)
    return stairs


@given(
    threshold=st.floats(50, 2000), off=st.floats(0.3, 3.0), crossings=st.integers(1, 6), near=st.booleans()
)  # fmt: skip
def test_a_sharp_breaking_point_is_found_to_one_step(threshold: float, off: float, crossings: int, near: bool) -> None:
    point = climb(lambda rps: rps <= threshold, threshold * off, crossings, near).point()
    assert point.broke
    assert threshold / STEP <= point.rps <= threshold * STEP
    assert point.low_rps <= threshold * 1.001
    assert point.high_rps >= threshold / 1.001


def test_without_the_finest_step_it_takes_fewer_tries_and_knows_less() -> None:
    def search(steps: Sequence[float]) -> Staircase[TryOutcome]:
        stairs = Staircase[TryOutcome](300, crossings=2, near=True, steps=steps)
        while (rps := stairs.next_rps()) is not None:
            stairs.add(rps, SUSTAINED if rps <= 333 else LATE)
        return stairs

    coarse, fine = search(STEPS[:-1]), search(STEPS)
    assert len(coarse.tries) < len(fine.tries)
    assert coarse.point().rps == pytest.approx(333, rel=STEPS[-2] - 1)
    assert coarse.point().high_rps / coarse.point().low_rps > fine.point().high_rps / fine.point().low_rps


def test_a_bad_first_guess_costs_a_few_tries_and_a_good_one_fewer() -> None:
    far = climb(lambda rps: rps <= 1100, 300, near=False)
    near = climb(lambda rps: rps <= 1100, 1000)
    assert len(near.tries) < len(far.tries) <= 16
    assert far.point().rps == pytest.approx(near.point().rps, rel=STEP - 1)


@pytest.mark.parametrize("off", [1 / 40, 6])
def test_a_guess_that_is_far_off_is_left_in_coarse_steps(off: float) -> None:
    for steps, most in ((STEPS[:2], 16), (STEPS, 22)):
        stairs = Staircase[TryOutcome](800 * off, crossings=1, near=True, steps=steps)
        while (rps := stairs.next_rps()) is not None:
            stairs.add(rps, SUSTAINED if rps <= 800 else LATE)
        assert len(stairs.tries) <= most
        assert stairs.point().rps == pytest.approx(800, rel=steps[-1] - 1)


def test_one_sustained_try_by_luck_does_not_decide() -> None:
    draw = random.Random(3)
    found = [
        climb(lambda rps: draw.random() < 1 / (1 + (rps / 100) ** 12), 130, crossings=5).point() for _ in range(200)
    ]
    assert np.exp(np.mean(np.log([point.rps for point in found]))) == pytest.approx(100, rel=0.03)
    assert np.mean([point.low_rps <= 100 <= point.high_rps for point in found]) > 0.8


def test_what_never_fails_did_not_break() -> None:
    stairs = climb(lambda _: True, 300, near=False)
    point = stairs.point()
    assert (point.broke, point.reason) == (False, "not reached")
    assert HIGHEST_RPS / STEPS[0] <= point.rps <= HIGHEST_RPS


def test_what_never_works_broke_at_the_least(tmp_path: object) -> None:
    stairs = climb(lambda _: False, 40)
    assert stairs.point().broke
    assert stairs.point().rps <= LOWEST_RPS * STEPS[0]


def test_tries_end_also_where_every_rate_is_a_matter_of_luck() -> None:
    draw = random.Random(1)
    assert len(climb(lambda _: draw.random() < 0.5, 100, crossings=99).tries) <= 30


def test_the_reason_is_that_of_the_last_try_that_failed() -> None:
    stairs = Staircase[TryOutcome](100, 3)
    for outcome in (LOST, SUSTAINED, LATE, SUSTAINED, LOST):
        rps = stairs.next_rps()
        assert rps is not None
        stairs.add(rps, outcome)
    assert stairs.point().reason == "goodput"


def test_where_the_first_step_is_the_finest_one_turn_may_be_enough() -> None:
    stairs = Staircase[TryOutcome](230, crossings=1, near=True, steps=STEPS[:2])
    while (rps := stairs.next_rps()) is not None:
        stairs.add(rps, TryOutcome(1.0, float(rps < 220)))
    assert [rps for rps, _ in stairs.tries] == pytest.approx([230, 230 / STEPS[1]])
    assert stairs.point().low_rps < 220 < stairs.point().high_rps
