"""The key of a prediction."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import InvalidRequest
from strategies.caches.keys import Key, canonical, key_of

finite = st.floats(allow_nan=False, allow_infinity=False)
of_32_bits = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(finite)
def test_a_canonical_number_stays_as_it_is(number: float) -> None:
    assert canonical(canonical(number)) == canonical(number)


@given(finite)
def test_a_number_is_changed_by_at_most_half_a_unit_of_its_ninth_digit(number: float) -> None:
    assert math.isclose(canonical(number), number, rel_tol=5.001e-9, abs_tol=1e-323)


@given(of_32_bits, of_32_bits)
def test_numbers_that_differ_in_32_bits_have_different_keys(one: float, other: float) -> None:
    assert (canonical(one) == canonical(other)) == (one == other)


@given(st.lists(finite, min_size=1))
def test_what_is_asked_twice_has_one_key(numbers: list[float]) -> None:
    assert hash(key_of("v1", numbers)) == hash(key_of("v1", list(numbers)))
    assert key_of("v1", numbers) == key_of("v1", list(numbers))


def test_minus_zero_is_zero_even_where_keys_are_bytes() -> None:
    assert struct.pack("d", canonical(-0.0)) == struct.pack("d", 0.0)


def test_noise_beyond_nine_digits_has_the_same_key() -> None:
    assert key_of("v1", [0.1 + 0.2]) == key_of("v1", [0.3])


def test_another_model_has_another_key() -> None:
    assert key_of("v1", [5.1]) != key_of("v2", [5.1])


def test_the_order_of_the_numbers_matters() -> None:
    assert key_of("v1", [1.0, 2.0]) != key_of("v1", [2.0, 1.0])


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(InvalidRequest):
        key_of("v1", [5.1, number])


def test_nan_as_a_key_would_never_be_found_again() -> None:
    kept = {Key("v1", (float("nan"),)): 1.0}
    assert Key("v1", (float("nan"),)) not in kept
