"""The features that a seed stands for."""

import statistics
from itertools import chain

from feature_store.codec import StoreInfo, encode_features
from feature_store.seed import BLOCK_ENTITIES, DEFAULT_INFO, draw_block

INFO = StoreInfo(entities=BLOCK_ENTITIES + 3, features=4, seed=7)


def test_a_seed_stands_for_these_features_in_every_python() -> None:
    assert encode_features(draw_block(StoreInfo(1, 2, 42), 0)[0]).hex() == "ac89553f56b40040"


def test_another_seed_gives_other_features() -> None:
    assert draw_block(INFO, 0) != draw_block(StoreInfo(INFO.entities, INFO.features, seed=8), 0)


def test_blocks_differ_and_the_last_one_is_cut() -> None:
    first, last = draw_block(INFO, 0), draw_block(INFO, 1)
    assert (len(first), len(last)) == (BLOCK_ENTITIES, 3)
    assert first[:3] != last


def test_features_do_not_depend_on_how_many_entities_there_are() -> None:
    few = StoreInfo(entities=5, features=INFO.features, seed=INFO.seed)
    assert draw_block(few, 0) == draw_block(INFO, 0)[:5]


def test_features_are_standard_normal() -> None:
    values = list(chain.from_iterable(draw_block(DEFAULT_INFO, 0)))
    # The standard error of the mean of 32,000 draws is 0.0056, that of the variance 0.0079.
    assert abs(statistics.fmean(values)) < 5 * 0.0056
    assert abs(statistics.pvariance(values) - 1) < 5 * 0.0079
