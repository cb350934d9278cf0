"""Which combinations of factors are measured: all of them, or the half that still holds both corners."""

from collections.abc import Sequence
from itertools import combinations

HALF_TAKES = 4  # factors


def full(factors: Sequence[str]) -> list[frozenset[str]]:
    """Return every combination, as the set of factors at `to`: 2^k, shape (2^k,)."""
    return [frozenset(raised) for size in range(len(factors) + 1) for raised in combinations(factors, size)]


def half(factors: Sequence[str]) -> list[frozenset[str]]:
    """Return the half fraction 2^(4-1) with the defining relation I = product of all factors.

    In +-1 coding those combinations are kept whose product of all levels is +1: those with an even
    number of factors at `from`, both corners among them (Box, Hunter & Hunter, Statistics for
    Experimenters, 2nd ed., chapter 6; the design is of resolution IV). Raises ValueError unless
    there are four factors: with fewer, main effects would be confounded with each other, and with
    more the contrasts no longer sum to the gap of the corners.
    """
    if len(factors) != HALF_TAKES:
        raise ValueError(f"the half design takes {HALF_TAKES} factors, given {len(factors)}")
    return [raised for raised in full(factors) if (len(factors) - len(raised)) % 2 == 0]


def confounded(factors: Sequence[str]) -> dict[str, str]:
    """Return by factor the interaction that the half design cannot tell from it: that of all others."""
    return {name: " x ".join(other for other in factors if other != name) for name in factors}
