"""Looking often does not raise the error, a decision stays, and what could have been shown follows from the noise."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmark.analysis.sequential import FIRST_LOOK, Bounds, Decision, Look, decide, is_due, levels

LOOKS = [Look(pairs, pairs / 12) for pairs in range(4, 13)]
AT = levels(LOOKS)


def normal_runs(change: float = 0.0, noise: float = 0.02, runs: int = 400) -> np.ndarray:
    return np.random.default_rng(1).normal(math.log1p(change), noise, (runs, 12))


def test_all_looks_together_spend_the_whole_error_and_no_more() -> None:
    bounds = Bounds(0.025)
    crossing = [bounds.level(Look(pairs, share)) for pairs, share in ((10, 0.5), (20, 1.0))]
    paths = np.random.default_rng(2).normal(size=(200_000, 2)).cumsum(axis=1) / np.sqrt([1, 2])
    crossed = (paths > stats.norm.isf(crossing)).any(axis=1).mean()
    assert crossing[0] == pytest.approx(0.025 * 0.25)
    assert crossed == pytest.approx(0.025, abs=0.0015)


def test_a_look_before_any_time_has_passed_decides_nothing() -> None:
    assert decide([5.0, 5.1, 5.0, 5.1], [Look(4, 0.0)], levels([Look(4, 0.0)]), 0.02).decision is Decision.OPEN


def test_what_is_exactly_allowed_is_called_worse_in_at_most_one_run_of_twenty() -> None:
    found = [decide(list(run), LOOKS, AT, 0.02).decision for run in normal_runs(0.02)]
    assert found.count(Decision.WORSE) <= 20
    assert found.count(Decision.NOT_WORSE) <= 20


def test_a_large_change_is_shown_at_once_and_stays_shown() -> None:
    found = [decide([*run[:6], *([-9.0] * 6)], LOOKS, AT, 0.02) for run in normal_runs(0.3, noise=0.005, runs=20)]
    assert {each.decision for each in found} == {Decision.WORSE}
    assert {each.pairs for each in found} == {FIRST_LOOK}


def test_more_figures_take_more_to_show_one() -> None:
    assert all(many < one for many, one in zip(levels(LOOKS, 5), AT, strict=True))


def test_what_could_have_been_shown_would_have_been_shown() -> None:
    logs = list(normal_runs(0.0)[0])
    found = decide(logs, LOOKS[-1:], AT[-1:], 0.02)
    assert found.could_show is not None
    moved = [log - sum(logs) / len(logs) + math.log1p(found.could_show + 1e-9) for log in logs]
    assert decide(moved, LOOKS[-1:], AT[-1:], 0.02).decision is Decision.WORSE
    less = [log - 0.001 for log in moved]
    assert decide(less, LOOKS[-1:], AT[-1:], 0.02).decision is Decision.OPEN


def test_a_single_pair_shows_nothing() -> None:
    look = [Look(1, 1.0)]
    assert decide([9.0], look, levels(look), 0.02).decision is Decision.OPEN


def test_looks_thin_out_as_pairs_add_up() -> None:
    looked = [0]
    for pairs in range(1, 200):
        if is_due(pairs, looked[-1]):
            looked.append(pairs)
    assert looked[1:5] == [4, 5, 6, 7]
    assert len(looked) < 70
    with pytest.raises(ValueError, match="a look at 4 pairs after one at 4"):
        levels([Look(4, 0.1), Look(4, 0.2)])
