"""The keys are part of what is stored: a store seeded yesterday is read under the same names."""

import subprocess
import sys
from fnmatch import fnmatchcase

from feature_store.keys import FEATURE_KEYS, META_KEY, feature_key


def test_the_keys_are_these() -> None:
    assert META_KEY == "features:meta"
    assert [feature_key(0), feature_key(9999)] == ["features:0", "features:9999"]


def test_the_pattern_finds_every_key() -> None:
    assert fnmatchcase(META_KEY, FEATURE_KEYS)
    assert fnmatchcase(feature_key(7), FEATURE_KEYS)


def test_reading_features_needs_no_redis_client() -> None:
    check = "import feature_store.codec, feature_store.keys, feature_store.seed, sys; sys.exit('redis' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
