"""A gap between two corners -> one share per factor, which sum to the gap: pure functions.

A game gives the value of a response for every set of factors that are at their `to` level:
`{frozenset(): 94.4, frozenset({"fan_out"}): 49.6, ...}`.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

Game = Mapping[frozenset[str], float]
Pair = tuple[str, str]


def gap(factors: Sequence[str], game: Game) -> float:
    """Return the value with all factors at `to` minus that with all at `from`."""
    return game[frozenset(factors)] - game[frozenset()]


def shapley_values(factors: Sequence[str], game: Game) -> dict[str, float]:
    """Return each factor's share of the gap: what changing it adds, averaged over all orders of changing.

    phi_i = sum over S not containing i of |S|! (k - |S| - 1)! / k! (v(S + i) - v(S))
    (Shapley, A value for n-person games, 1953), exact: all 2^k values are in the game. The shares
    sum to the gap.
    """
    k = len(factors)
    return {
        name: math.fsum(
            _weight(size, k) * (game[raised | {name}] - game[raised])
            for size in range(k)
            for raised in _subsets(_without(factors, name), size)
        )
        for name in factors
    }


def first_and_last(factors: Sequence[str], game: Game, name: str) -> tuple[float, float]:
    """Return what changing a factor adds when it is changed before all others, and when after all of them."""
    everything = frozenset(factors)
    return game[frozenset({name})] - game[frozenset()], game[everything] - game[everything - {name}]


def interaction_indices(factors: Sequence[str], game: Game) -> dict[Pair, float]:
    """Return for each pair what both together change beyond the sum of what each changes alone.

    The Shapley interaction index: I_ij = sum over S without i and j of |S|! (k - |S| - 2)! / (k - 1)!
    (v(S + ij) - v(S + i) - v(S + j) + v(S)) (Grabisch & Roubens, An axiomatic approach to the concept
    of interaction among players in cooperative games, 1999). With two factors it is
    v(ij) - v(i) - v(j) + v(none).
    """
    k = len(factors)
    return {
        (one, other): math.fsum(
            _weight(size, k - 1) * _joint_change(game, raised, one, other)
            for size in range(k - 1)
            for raised in _subsets(_without(factors, one, other), size)
        )
        for one, other in combinations(factors, 2)
    }


def half_shares(factors: Sequence[str], game: Game) -> dict[str, float]:
    """Return each factor's share of the gap from the half fraction of four factors.

    In +-1 coding let y = b_0 + sum of b_i x_i + sum of b_ij x_i x_j. Swapping i from - to + changes
    y by 2 b_i + 2 sum of b_ij x_j. Over all orders of changing, each x_j stands before and after i
    equally often, so the pairs cancel and the Shapley value is phi_i = 2 b_i. The half fraction
    estimates 2 b_i by the contrast: mean of y where x_i = + minus mean where x_i = -, that is
    (sum of y x_i) / 4 over its eight cells. It cannot tell it from the three-factor interaction of
    the others, since x_i = x_j x_k x_l when x_1 x_2 x_3 x_4 = 1.

    The contrasts sum to the gap exactly, whatever y is: their sum is (sum over cells of y times
    (x_1 + x_2 + x_3 + x_4)) / 4, and in a cell with 0, 2 or 4 factors at + the x sum to -4, 0 or 4,
    so that only the two corners remain, each with weight 1.
    """
    return {
        name: math.fsum(value * _sign(raised, name) for raised, value in game.items()) / (len(game) / 2)
        for name in factors
    }


def half_interactions(factors: Sequence[str], game: Game) -> dict[tuple[Pair, Pair], float]:
    """Return for each pair of pairs what the half fraction of four factors sees of their interactions together.

    In the model of `half_shares` the Shapley interaction index is v(ij) - v(i) - v(j) + v(none) =
    4 b_ij, and x_i x_j = x_k x_l in every cell: the sum of the two indices is estimated.
    """
    first, *others = factors
    found = {}
    for other in others:
        rest = _without(others, other)
        products = (value * _sign(raised, first) * _sign(raised, other) for raised, value in game.items())
        found[(first, other), (rest[0], rest[1])] = 4 * math.fsum(products) / len(game)
    return found


def _joint_change(game: Game, raised: frozenset[str], one: str, other: str) -> float:
    return game[raised | {one, other}] - game[raised | {one}] - game[raised | {other}] + game[raised]


def _weight(size: int, k: int) -> float:
    """Return the share of orders of k factors in which a given one comes right after a given set."""
    return math.factorial(size) * math.factorial(k - size - 1) / math.factorial(k)


def _without(factors: Sequence[str], *names: str) -> list[str]:
    return [name for name in factors if name not in names]


def _subsets(names: Sequence[str], size: int) -> list[frozenset[str]]:
    return [frozenset(chosen) for chosen in combinations(names, size)]


def _sign(raised: frozenset[str], name: str) -> int:
    return 1 if name in raised else -1
