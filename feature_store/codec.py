"""Encodes and decodes the values in Redis: the features of an entity, and the description of the store."""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache

from contract.errors import StoreCorrupt, StoreNotSeeded
from contract.schema import MAX_STORED_FEATURES
from feature_store.keys import META_KEY


@dataclass(frozen=True)
class StoreInfo:
    """The description of a store: entities 0 .. entities - 1, features of each, and their seed.

    Raises ValueError for invalid values.
    """

    entities: int
    features: int
    seed: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if type(value) is not int:
                raise ValueError(f"{name} is {value!r}, expected a whole number")
        if self.entities < 1:
            raise ValueError(f"entities is {self.entities}, expected at least 1")
        if not 1 <= self.features <= MAX_STORED_FEATURES:
            raise ValueError(f"features is {self.features}, expected 1 to {MAX_STORED_FEATURES}")


def encode_features(values: Sequence[float]) -> bytes:
    """Return an entity's features as little-endian float32. Raises ValueError for values outside its range."""
    try:
        raw = _layout(len(values)).pack(*values)
    except OverflowError:
        raise ValueError("a feature is too large for a float32") from None
    if not _all_finite(values):
        raise ValueError("a feature is not a finite number")
    return raw


def decode_features(raw: bytes, count: int) -> tuple[float, ...]:
    """Return an entity's features. Raises StoreCorrupt unless they are `count` finite numbers."""
    layout = _layout(count)
    if len(raw) != layout.size:
        raise StoreCorrupt(f"an entity's features are {len(raw)} bytes long, expected {layout.size}")
    values: tuple[float, ...] = layout.unpack(raw)
    if not _all_finite(values):
        raise StoreCorrupt("an entity's features are not all finite numbers")
    return values


def encode_info(info: StoreInfo) -> bytes:
    """Return the description of a store as bytes; equal descriptions give equal bytes."""
    return json.dumps(asdict(info)).encode()


def decode_info(raw: bytes | None) -> StoreInfo:
    """Return the description of a store. Raises StoreNotSeeded if there is none, StoreCorrupt if it is unreadable."""
    if raw is None:
        raise StoreNotSeeded
    try:
        return StoreInfo(**json.loads(raw))
    except (TypeError, ValueError) as error:
        raise StoreCorrupt(f"{META_KEY} does not describe a store") from error


@cache
def _layout(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}f")


def _all_finite(values: Sequence[float]) -> bool:
    """Whether all values are finite, checked by their sum: float32 values cannot overflow a double, and inf and nan
    never cancel out."""
    return math.isfinite(sum(values))
