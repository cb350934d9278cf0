"""The key of a prediction: the same for inputs that a model cannot tell apart, and another for another model."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from contract.errors import InvalidRequest

DIGITS: Final = 9  # significant ones, which tell all numbers of 32 bits apart; models compute with these


class Key(NamedTuple):
    """What a prediction depends on."""

    version: str  # of the model: a new one must not give the answers of the old one
    numbers: tuple[float, ...]


def key_of(version: str, numbers: Sequence[float]) -> Key:
    """Return the key of a prediction. Raises InvalidRequest."""
    return Key(version, tuple(canonical(number) for number in numbers))


def canonical(number: float) -> float:
    """Return a number rounded to nine significant digits, and 0.0 for -0.0. Raises InvalidRequest.

    NaN equals nothing, not even itself: each such request would be a miss, and leave an entry that nobody finds.
    """
    if not math.isfinite(number):
        raise InvalidRequest("Body: a number is not finite. Expected a JSON array of finite numbers.")
    return float(f"{number:.{DIGITS}g}") + 0.0
