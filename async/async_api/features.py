"""The client of the feature store: one Redis GET per request."""

import asyncio
import time
from typing import Any, cast

import hiredis  # noqa: F401 - required: without it, redis silently uses a parser that is several times slower
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from contract.errors import ConnectionsInUse, StoreCorrupt, StoreUnreachable, UnknownEntity
from contract.scoring import choose_entity
from contract.settings import Settings
from feature_store.codec import StoreInfo, decode_features, decode_info
from feature_store.keys import META_KEY, feature_key

_WRITTEN_TO_CLOSED = RuntimeError  # of uvloop, if a connection was reset since it was looked at
_UNREACHABLE = (redis.RedisError, OSError, _WRITTEN_TO_CLOSED)  # a TimeoutError is an OSError


class FeatureStore:
    """Fetches features over a connection pool, shared by the requests of a process."""

    def __init__(self, settings: Settings) -> None:
        self._timeout_s = settings.redis_timeout_ms / 1e3
        self._limit = settings.redis_pool_size
        self._places = asyncio.Semaphore(self._limit)  # redis raises an error when its pool is empty
        self._redis = redis.Redis.from_url(
            settings.redis_url,
            max_connections=self._limit,
            # There is one deadline, for all of an exchange. With a timeout of its own, redis would start a task for
            # each command, and before Python 3.12 a cancellation could get lost in it.
            socket_timeout=None,
            socket_connect_timeout=None,
            # One retry, for a pooled connection that the server has closed.
            retry=Retry(NoBackoff(), 1, cast("Any", (redis.ConnectionError, _WRITTEN_TO_CLOSED))),
        )
        self._info: StoreInfo | None = None

    async def fetch(self, entity_id: str | None, body: bytes) -> tuple[float, ...]:
        """Return the features of an entity; without an id, of the one that the hash of the body selects.

        Raises UnknownEntity, StoreUnreachable, StoreNotSeeded, StoreCorrupt or ConnectionsInUse.
        """
        known = self._info or await self._read_info()
        try:
            return await self._fetch(known, entity_id, body)
        except (UnknownEntity, StoreCorrupt):
            # The store may have been seeded again since its size was read.
            now = await self._read_info()
            if now == known:
                raise
            return await self._fetch(now, entity_id, body)

    async def check(self) -> None:
        """Raise StoreUnreachable or StoreNotSeeded unless the store is ready."""
        await self._read_info()

    async def close(self) -> None:
        await self._redis.aclose()

    async def _fetch(self, info: StoreInfo, entity_id: str | None, body: bytes) -> tuple[float, ...]:
        entity = choose_entity(entity_id, body, info.entities)
        raw = await self._get(feature_key(entity))
        if raw is None:
            raise StoreCorrupt(f"entity {entity} is missing")
        return decode_features(raw, info.features)

    async def _read_info(self) -> StoreInfo:
        self._info = None
        self._info = decode_info(await self._get(META_KEY))
        return self._info

    async def _get(self, key: str) -> bytes | None:
        """Return a value before the deadline, which includes the wait for a connection."""
        started_s = time.monotonic()
        waited_s = self._timeout_s
        try:
            async with asyncio.timeout(self._timeout_s), self._places:
                waited_s = time.monotonic() - started_s
                return cast("bytes | None", await self._redis.get(key))
        except _UNREACHABLE as error:
            if waited_s > self._timeout_s / 2:  # Redis had no fair part of the time
                raise ConnectionsInUse(self._limit, "the feature store") from error
            raise StoreUnreachable from error
