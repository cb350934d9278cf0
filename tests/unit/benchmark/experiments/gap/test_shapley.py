"""The shares of a gap, held to what defines the Shapley value and to games whose shares are known."""

from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmark.experiments.gap import shapley
from benchmark.experiments.gap.design import confounded, full, half
from benchmark.experiments.gap.shapley import Game

NAMES = ("a", "b", "c", "d", "e")
FOUR = NAMES[:4]
# A busy machine must not fail a property.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
value = st.floats(-1000, 1000, allow_nan=False)


@st.composite
def games(draw: st.DrawFn, least: int = 1) -> tuple[tuple[str, ...], Game]:
    factors = NAMES[: draw(st.integers(least, len(NAMES)))]
    return factors, {raised: draw(value) for raised in full(factors)}


@st.composite
def half_games(draw: st.DrawFn) -> Game:
    return {raised: draw(value) for raised in half(FOUR)}


def close(number: float) -> object:
    return pytest.approx(number, abs=1e-9)


@given(games())
@unhurried
def test_the_shares_sum_to_the_gap(drawn: tuple[tuple[str, ...], Game]) -> None:
    factors, game = drawn
    assert sum(shapley.shapley_values(factors, game).values()) == close(shapley.gap(factors, game))


@given(games())
@settings(unhurried, max_examples=30)
def test_a_share_is_what_changing_a_factor_adds_averaged_over_all_orders(drawn: tuple[tuple[str, ...], Game]) -> None:
    factors, game = drawn
    added: dict[str, list[float]] = {name: [] for name in factors}
    for order in permutations(factors):
        for place, name in enumerate(order):
            before = frozenset(order[:place])
            added[name].append(game[before | {name}] - game[before])
    expected = {name: close(sum(found) / len(found)) for name, found in added.items()}
    assert shapley.shapley_values(factors, game) == expected


@given(games(least=2))
@unhurried
def test_two_factors_that_do_the_same_have_the_same_share(drawn: tuple[tuple[str, ...], Game]) -> None:
    factors, game = drawn
    swap = {"a": "b", "b": "a"}
    same = {s: game[s] + game[frozenset(swap.get(name, name) for name in s)] for s in game}
    shares = shapley.shapley_values(factors, same)
    assert shares["a"] == close(shares["b"])


@given(games(least=2))
@unhurried
def test_a_factor_that_changes_nothing_has_no_share_and_no_interaction(drawn: tuple[tuple[str, ...], Game]) -> None:
    factors, game = drawn
    dummy = {raised: game[raised - {"a"}] for raised in game}
    assert shapley.shapley_values(factors, dummy)["a"] == close(0)
    assert all(index == close(0) for pair, index in shapley.interaction_indices(factors, dummy).items() if "a" in pair)


@given(st.lists(value, min_size=1, max_size=5), value)
@unhurried
def test_what_simply_adds_up_has_the_addends_as_shares_and_no_interactions(addends: list[float], base: float) -> None:
    factors = NAMES[: len(addends)]
    by_name = dict(zip(factors, addends, strict=True))
    game = {raised: base + sum(by_name[name] for name in raised) for raised in full(factors)}
    assert shapley.shapley_values(factors, game) == {name: close(each) for name, each in by_name.items()}
    assert all(index == close(0) for index in shapley.interaction_indices(factors, game).values())


@given(games(), value, st.data())
@unhurried
def test_shares_are_linear(drawn: tuple[tuple[str, ...], Game], weight: float, data: st.DataObject) -> None:
    factors, game = drawn
    other = {raised: data.draw(value) for raised in game}
    joint = {raised: game[raised] + weight / 100 * other[raised] for raised in game}
    ours, theirs = shapley.shapley_values(factors, game), shapley.shapley_values(factors, other)
    expected = {name: close(ours[name] + weight / 100 * theirs[name]) for name in factors}
    assert shapley.shapley_values(factors, joint) == expected


@given(games(least=2))
@unhurried
def test_ten_milliseconds_more_at_one_level_move_that_share_alone(drawn: tuple[tuple[str, ...], Game]) -> None:
    factors, game = drawn
    slower = {raised: each + 10 * ("b" in raised) for raised, each in game.items()}
    before, after = shapley.shapley_values(factors, game), shapley.shapley_values(factors, slower)
    assert {name: after[name] - before[name] for name in factors} == {
        name: close(10 if name == "b" else 0) for name in factors
    }


def test_the_interaction_of_two_factors_is_what_both_change_beyond_each_alone() -> None:
    game = {frozenset(): 90.0, frozenset("a"): 47.0, frozenset("b"): 88.0, frozenset("ab"): 40.0}
    assert shapley.interaction_indices("ab", game) == {("a", "b"): close(40 - 47 - 88 + 90)}


@given(value, value)
@unhurried
def test_an_interaction_of_one_pair_is_found_there_and_only_there(pair: float, other: float) -> None:
    game = {s: pair * ({"a", "b"} <= s) + other * ({"c", "d"} <= s) for s in full(FOUR)}
    found = shapley.interaction_indices(FOUR, game)
    expected = dict.fromkeys(found, 0.0) | {("a", "b"): pair, ("c", "d"): other}
    assert found == {pair_of: close(each) for pair_of, each in expected.items()}


# The half fraction


def test_the_half_design_has_both_corners_and_every_pair_of_levels_equally_often() -> None:
    cells = half(FOUR)
    assert len(cells) == 8
    assert frozenset() in cells
    assert frozenset(FOUR) in cells
    for one, other in permutations(FOUR, 2):
        assert sum(one in raised and other in raised for raised in cells) == 2


@given(half_games())
@unhurried
def test_the_contrasts_of_the_half_design_sum_to_the_gap_whatever_was_measured(game: Game) -> None:
    assert sum(shapley.half_shares(FOUR, game).values()) == close(shapley.gap(FOUR, game))


@given(st.lists(value, min_size=11, max_size=11))
@unhurried
def test_without_interactions_of_three_the_half_design_finds_the_shares_of_the_whole(numbers: list[float]) -> None:
    pairs = [(one, other) for place, one in enumerate(FOUR) for other in FOUR[place + 1 :]]
    game = {
        raised: numbers[0]
        + sum(number * (name in raised) for name, number in zip(FOUR, numbers[1:5], strict=True))
        + sum(number * ({*pair} <= raised) for pair, number in zip(pairs, numbers[5:], strict=True))
        for raised in full(FOUR)
    }
    part = {raised: game[raised] for raised in half(FOUR)}
    whole = shapley.shapley_values(FOUR, game)
    assert shapley.half_shares(FOUR, part) == {name: close(share) for name, share in whole.items()}
    indices = shapley.interaction_indices(FOUR, game)
    for (pair, other), found in shapley.half_interactions(FOUR, part).items():
        assert found == pytest.approx(indices[pair] + indices[other], abs=1e-8)


def test_the_half_design_takes_the_interaction_of_the_others_for_a_factor_and_says_so() -> None:
    # In +-1 coding the product of b, c and d, and nothing else.
    game = {s: 5.0 * (-1) ** len({"b", "c", "d"} - s) for s in half(FOUR)}
    assert shapley.half_shares(FOUR, game) == {"a": close(10), "b": close(0), "c": close(0), "d": close(0)}
    assert confounded(FOUR)["a"] == "b x c x d"


@pytest.mark.parametrize("number", [2, 3, 5])
def test_there_is_no_half_of_other_than_four_factors(number: int) -> None:
    with pytest.raises(ValueError, match=f"takes 4 factors, given {number}"):
        half(NAMES[:number])
