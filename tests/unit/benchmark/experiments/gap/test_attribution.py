"""Shares with intervals: block by block, exact on both scales."""

import math
import random

import pytest

from benchmark.analysis.stats import DIFFERENCES, RATIOS, geometric_interval
from benchmark.experiments.gap.attribution import attribute
from benchmark.experiments.gap.design import full, half

FACTORS = ("a", "b", "c", "d")


def responses(
    seed: int, blocks: int = 4, cells: list[frozenset[str]] | None = None
) -> dict[frozenset[str], dict[int, float]]:
    drawn = random.Random(seed)
    return {raised: {b: drawn.uniform(50, 100) for b in range(blocks)} for raised in cells or full(FACTORS)}


@pytest.mark.parametrize("is_half", [False, True])
def test_differences_sum_to_the_gap_and_ratios_multiply_to_it(is_half: bool) -> None:
    by_cell = responses(1, cells=half(FACTORS) if is_half else full(FACTORS))
    found = attribute(FACTORS, by_cell, DIFFERENCES, is_half)
    assert found
    assert sum(share["value"] for share in found["shares"].values()) == pytest.approx(found["gap"], abs=1e-9)
    assert found["to_value"] - found["from_value"] == pytest.approx(found["gap"], abs=1e-9)
    found = attribute(FACTORS, by_cell, RATIOS, is_half)
    assert found
    assert math.prod(share["value"] for share in found["shares"].values()) == pytest.approx(found["gap"], rel=1e-12)
    assert found["to_value"] / found["from_value"] == pytest.approx(found["gap"], rel=1e-12)


def test_the_interval_is_students_over_blocks() -> None:
    by_cell = {frozenset(): {0: 90.0, 1: 92.0}, frozenset("a"): {0: 50.0, 1: 50.0}}
    found = attribute(("a",), by_cell, DIFFERENCES)
    assert found
    # Gaps -40 and -42: mean -41, standard error 1, t(0.975, 1) = 12.706.
    share = {"value": -41.0, "ci95": pytest.approx([-53.706, -28.294], abs=1e-3)}
    # There is one order of changing one factor.
    assert found["shares"]["a"] == {**share, "first": share, "last": share}
    assert found["ci95"] == pytest.approx(found["shares"]["a"]["ci95"])


def test_a_share_says_what_its_factor_does_before_and_after_all_others() -> None:
    rates = {"": 400.0, "a": 300.0, "b": 500.0, "ab": 1500.0}
    by_cell = {frozenset(raised): {0: rps, 1: rps} for raised, rps in rates.items()}
    found = attribute(("a", "b"), by_cell, RATIOS)
    assert found
    share = found["shares"]["a"]
    assert share["first"] == {"value": pytest.approx(0.75), "ci95": pytest.approx([0.75, 0.75])}
    assert share["last"] == {"value": pytest.approx(3.0), "ci95": pytest.approx([3.0, 3.0])}
    assert share["value"] == pytest.approx(1.5)


def test_half_a_design_lacks_the_cells_of_first_and_last() -> None:
    found = attribute(FACTORS, responses(3, cells=half(FACTORS)), DIFFERENCES, half=True)
    assert found
    assert all(set(share) == {"value", "ci95"} for share in found["shares"].values())


def test_noise_that_a_whole_block_shares_does_not_widen_the_shares() -> None:
    by_cell = {raised: {b: 10.0 * len(raised) + 100 * b for b in range(3)} for raised in full(FACTORS)}
    found = attribute(FACTORS, by_cell, DIFFERENCES)
    assert found
    assert all(share["ci95"] == pytest.approx([10, 10]) for share in found["shares"].values())


def test_a_block_in_which_a_cell_is_missing_is_left_out() -> None:
    by_cell = {frozenset(): {0: 90.0, 1: 92.0, 2: 10.0}, frozenset("a"): {0: 50.0, 1: 50.0}}
    found = attribute(("a",), by_cell, DIFFERENCES)
    assert found
    assert (found["blocks"], found["gap"]) == (2, -41.0)


def test_a_single_block_has_shares_and_no_intervals() -> None:
    found = attribute(FACTORS, responses(2, blocks=1), RATIOS)
    assert found
    assert found["ci95"] is None
    assert all(share["ci95"] is None for share in found["shares"].values())


def test_nothing_is_attributed_when_no_block_has_all_cells() -> None:
    assert attribute(("a",), {frozenset(): {0: 1.0}, frozenset("a"): {1: 1.0}}, DIFFERENCES) is None


def test_the_half_design_names_the_pairs_that_it_cannot_tell_apart() -> None:
    found = attribute(FACTORS, responses(3, cells=half(FACTORS)), DIFFERENCES, half=True)
    assert found
    pairs = [(row["factors"], row["confounded_with"]) for row in found["interactions"]]
    assert pairs == [(["a", "b"], ["c", "d"]), (["a", "c"], ["b", "d"]), (["a", "d"], ["b", "c"])]


def test_equal_settings_have_shares_whose_intervals_hold_zero_as_often_as_they_promise() -> None:
    drawn, held, trials = random.Random(5), 0, 400
    for _ in range(trials):
        by_cell = {raised: {b: drawn.gauss(50, 1) for b in range(4)} for raised in full(FACTORS)}
        found = attribute(FACTORS, by_cell, DIFFERENCES)
        assert found
        low, high = found["shares"]["a"]["ci95"]
        held += low <= 0 <= high
    # 95 % of 400 are 380; this seed's count lies well within four standard errors (17).
    assert abs(held - 0.95 * trials) < 18


def test_the_geometric_mean_is_that_of_the_blocks() -> None:
    interval = geometric_interval([100.0, 400.0])
    assert interval.value == pytest.approx(200)
    assert interval.low is not None
    assert interval.low < 200
