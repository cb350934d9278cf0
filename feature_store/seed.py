"""Fills a Redis with features. A seed always gives the same features; an incomplete store counts as not seeded."""

import random
from collections.abc import Callable, Iterator
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

from feature_store.codec import StoreInfo, encode_features, encode_info
from feature_store.keys import FEATURE_KEYS, META_KEY, feature_key

if TYPE_CHECKING:
    import redis  # takes a third of a store's start time, and this module only receives a client

DEFAULT_INFO: Final = StoreInfo(entities=10_000, features=32, seed=42)
BLOCK_ENTITIES: Final = 1000  # entities that share a random generator and are written together
_SCAN_COUNT: Final = 10_000


def seed(client: "redis.Redis", info: StoreInfo, on_progress: Callable[[int], None] = lambda _: None) -> bool:
    """Write the features that `info` describes. Return False if they already exist, without writing anything.

    The description of the store is deleted first and written last, so that a reader in between, or after an
    interruption, finds the store not seeded. Keys of surplus entities are deleted. `on_progress` receives the number
    of entities written so far. Raises redis.RedisError.
    """
    if _is_seeded(client, info):
        return False
    client.delete(META_KEY)
    _delete_surplus(client, info)
    for entities in _blocks(info):
        features = map(encode_features, draw_block(info, entities.start // BLOCK_ENTITIES))
        client.mset(dict(zip(map(feature_key, entities), features, strict=True)))
        on_progress(entities.stop)
    client.set(META_KEY, encode_info(info))
    return True


def draw_block(info: StoreInfo, number: int) -> list[list[float]]:
    """Return the features of the entities 1000 `number`, 1000 `number` + 1, ...: standard normal.

    Every block has its own generator, so that the last entity can be computed without all others, and an entity's
    features do not depend on the number of entities.
    """
    size = min(BLOCK_ENTITIES, info.entities - number * BLOCK_ENTITIES)
    uniform = random.Random(f"{info.seed}-{number}").random
    # By inversion: only random() is guaranteed to give the same numbers in all Python versions. It may be 0.
    normal = NormalDist().inv_cdf
    return [[normal(uniform() or 0.5) for _ in range(info.features)] for _ in range(size)]


def _blocks(info: StoreInfo) -> Iterator[range]:
    for first in range(0, info.entities, BLOCK_ENTITIES):
        yield range(first, min(first + BLOCK_ENTITIES, info.entities))


def _is_seeded(client: "redis.Redis", info: StoreInfo) -> bool:
    """Whether the description matches, all entities exist, and the first and the last one are correct."""
    if client.get(META_KEY) != encode_info(info):
        return False
    last = info.entities - 1
    stored = client.mget([feature_key(0), feature_key(last)])
    expected = [draw_block(info, 0)[0], draw_block(info, last // BLOCK_ENTITIES)[-1]]
    if stored != list(map(encode_features, expected)):
        return False
    return all(client.exists(*map(feature_key, entities)) == len(entities) for entities in _blocks(info))


def _delete_surplus(client: "redis.Redis", info: StoreInfo) -> None:
    """Delete the keys of an earlier, larger store, found by a scan, since its description may be missing."""
    wanted = {feature_key(entity).encode() for entity in range(info.entities)}
    surplus = [key for key in client.scan_iter(match=FEATURE_KEYS, count=_SCAN_COUNT) if key not in wanted]
    for first in range(0, len(surplus), BLOCK_ENTITIES):
        client.unlink(*surplus[first : first + BLOCK_ENTITIES])
