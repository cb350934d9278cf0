"""The names under which Redis holds the features."""

from typing import Final

META_KEY: Final = "features:meta"  # what the store holds: there only while all of it is there
FEATURE_KEYS: Final = "features:*"  # the pattern of every key here


def feature_key(entity: int) -> str:
    """Return the key of an entity's features."""
    return f"features:{entity}"
