"""The Redis keys of the features."""

from typing import Final

META_KEY: Final = "features:meta"  # the description of the store; exists only while the store is complete
FEATURE_KEYS: Final = "features:*"  # matches all keys of the store


def feature_key(entity: int) -> str:
    """Return the key of an entity's features."""
    return f"features:{entity}"
