"""What is written can be read, and what cannot be read is never taken for features."""

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import StoreCorrupt, StoreNotSeeded
from contract.schema import MAX_STORED_FEATURES
from feature_store.codec import StoreInfo, decode_features, decode_info, encode_features, encode_info

float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)
infos = st.builds(
    StoreInfo,
    entities=st.integers(min_value=1),
    features=st.integers(1, MAX_STORED_FEATURES),
    seed=st.integers(),
)


@given(st.lists(float32s, max_size=MAX_STORED_FEATURES))
def test_features_survive_the_round_trip(values: list[float]) -> None:
    assert decode_features(encode_features(values), len(values)) == tuple(values)


@given(st.lists(st.floats(-1e30, 1e30), max_size=MAX_STORED_FEATURES))
def test_features_are_rounded_to_float32(values: list[float]) -> None:
    once = decode_features(encode_features(values), len(values))
    assert once == pytest.approx(values, rel=1e-6, abs=1e-37)
    assert encode_features(once) == encode_features(values)


def test_features_are_little_endian() -> None:
    assert encode_features([1.0, -2.0]) == bytes.fromhex("0000803f 000000c0")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39, -1e300])
def test_what_no_float32_holds_is_not_encoded(value: float) -> None:
    with pytest.raises(ValueError, match="a feature is"):
        encode_features([0.0, value])


@given(st.binary(max_size=4 * MAX_STORED_FEATURES + 4), st.integers(1, MAX_STORED_FEATURES))
def test_any_bytes_are_finite_features_or_corrupt(raw: bytes, count: int) -> None:
    try:
        values = decode_features(raw, count)
    except StoreCorrupt:
        return
    assert len(values) == count
    assert all(map(math.isfinite, values))


@pytest.mark.parametrize("length", [0, 7, 9, 12])
def test_a_wrong_length_is_corrupt_and_named(length: int) -> None:
    with pytest.raises(StoreCorrupt, match=f"are {length} bytes long, expected 8"):
        decode_features(bytes(length), 2)


@pytest.mark.parametrize("values", [(math.nan, 1.0), (math.inf, 1.0), (math.inf, -math.inf)])
def test_numbers_that_are_not_finite_are_corrupt(values: tuple[float, float]) -> None:
    with pytest.raises(StoreCorrupt, match="not all finite"):
        decode_features(struct.pack("<2f", *values), 2)


def test_the_largest_float32s_are_finite_all_together() -> None:
    largest = struct.unpack("<f", bytes.fromhex("ffff7f7f"))[0]
    values = (largest,) * MAX_STORED_FEATURES
    assert decode_features(encode_features(values), len(values)) == values


@given(infos)
def test_the_description_survives_the_round_trip(info: StoreInfo) -> None:
    assert decode_info(encode_info(info)) == info


def test_no_description_means_not_seeded() -> None:
    with pytest.raises(StoreNotSeeded):
        decode_info(None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[10000, 32, 42]",
        b"{}",
        b'{"entities": 10000, "features": 32}',
        b'{"entities": 10000, "features": 32, "seed": 42, "colour": 1}',
        b'{"entities": "10000", "features": 32, "seed": 42}',
        b'{"entities": 1e4, "features": 32, "seed": 42}',
        b'{"entities": true, "features": 32, "seed": 42}',
        b'{"entities": 0, "features": 32, "seed": 42}',
        b'{"entities": 10000, "features": 0, "seed": 42}',
        b'{"entities": 10000, "features": 65, "seed": 42}',
        b'{"entities": 10000, "features": NaN, "seed": 42}',
    ],
)
def test_an_unreadable_description_is_corrupt(raw: bytes) -> None:
    with pytest.raises(StoreCorrupt, match="features:meta does not describe a store"):
        decode_info(raw)


@given(st.binary(max_size=100) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_description_is_read_or_corrupt(raw: bytes | str) -> None:
    with pytest.raises(StoreCorrupt):
        decode_info(raw.encode() if isinstance(raw, str) else raw)


@pytest.mark.parametrize(
    ("entities", "features", "named"),
    [
        (0, 1, "entities is 0, expected at least 1"),
        (1, 0, f"features is 0, expected 1 to {MAX_STORED_FEATURES}"),
        (1, MAX_STORED_FEATURES + 1, f"expected 1 to {MAX_STORED_FEATURES}"),
    ],
)
def test_what_no_store_can_hold_is_refused(entities: int, features: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        StoreInfo(entities, features, seed=1)
