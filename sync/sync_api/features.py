"""The client of the feature store: one Redis GET per request."""

import threading
import time
from typing import Any, cast

import hiredis  # noqa: F401 - required: without it, redis silently uses a parser that is several times slower
import redis
from redis.backoff import NoBackoff
from redis.connection import DefaultParser
from redis.retry import Retry

from contract.errors import ConnectionsInUse, StoreCorrupt, StoreUnreachable, UnknownEntity
from contract.scoring import choose_entity
from contract.settings import Settings
from feature_store.codec import StoreInfo, decode_features, decode_info
from feature_store.keys import META_KEY, feature_key

_LEAST_S = 1e-3  # what a socket is given whose time is over: a timeout of zero would mean something else


class _Exchange(threading.local):
    """The exchange with Redis that a thread is in."""

    ends_s = 0.0

    def left_s(self) -> float:
        return max(self.ends_s - time.monotonic(), _LEAST_S)


_exchange = _Exchange()


class _Parser(DefaultParser):  # type: ignore[misc, valid-type]
    """Reads an answer until the deadline; by itself, redis applies its timeout to each single read."""

    def read_from_socket(self, *args: Any, **kwargs: Any) -> bool:
        if self._sock:
            self._sock.settimeout(_exchange.left_s())
        return cast("bool", super().read_from_socket(*args, **kwargs))


class _OneExchange:
    """A connection that may take no longer to open than until the deadline, whatever timeouts it was given."""

    @property
    def socket_timeout(self) -> float:
        return _exchange.left_s()

    @socket_timeout.setter
    def socket_timeout(self, _: float | None) -> None: ...

    @property
    def socket_connect_timeout(self) -> float:
        return _exchange.left_s()

    @socket_connect_timeout.setter
    def socket_connect_timeout(self, _: float | None) -> None: ...


class FeatureStore:
    """Fetches features over a connection pool, shared by the threads of a process."""

    def __init__(self, settings: Settings) -> None:
        self._timeout_s = settings.redis_timeout_ms / 1e3
        self._limit = settings.redis_pool_size
        self._places = threading.Semaphore(self._limit)  # redis raises an error when its pool is empty
        pool = redis.ConnectionPool.from_url(
            settings.redis_url,
            max_connections=self._limit,
            parser_class=_Parser,
            # One retry, for a pooled connection that the server has closed.
            retry=Retry(NoBackoff(), 1, (redis.ConnectionError,)),
        )
        pool.connection_class = type("_Connection", (_OneExchange, pool.connection_class), {})
        self._redis = redis.Redis.from_pool(pool)
        self._info: StoreInfo | None = None

    def fetch(self, entity_id: str | None, body: bytes) -> tuple[float, ...]:
        """Return the features of an entity; without an id, of the one that the hash of the body selects.

        Raises UnknownEntity, StoreUnreachable, StoreNotSeeded, StoreCorrupt or ConnectionsInUse.
        """
        known = self._info or self._read_info()
        try:
            return self._fetch(known, entity_id, body)
        except (UnknownEntity, StoreCorrupt):
            # The store may have been seeded again since its size was read.
            now = self._read_info()
            if now == known:
                raise
            return self._fetch(now, entity_id, body)

    def check(self) -> None:
        """Raise StoreUnreachable or StoreNotSeeded unless the store is ready."""
        self._read_info()

    def close(self) -> None:
        self._redis.close()

    def _fetch(self, info: StoreInfo, entity_id: str | None, body: bytes) -> tuple[float, ...]:
        entity = choose_entity(entity_id, body, info.entities)
        raw = self._get(feature_key(entity))
        if raw is None:
            raise StoreCorrupt(f"entity {entity} is missing")
        return decode_features(raw, info.features)

    def _read_info(self) -> StoreInfo:
        self._info = None
        self._info = decode_info(self._get(META_KEY))
        return self._info

    def _get(self, key: str) -> bytes | None:
        """Return a value before the deadline, which includes the wait for a connection."""
        started_s = time.monotonic()
        _exchange.ends_s = started_s + self._timeout_s
        if not self._places.acquire(timeout=self._timeout_s):
            raise ConnectionsInUse(self._limit, "the feature store")
        waited_s = time.monotonic() - started_s
        try:
            return cast("bytes | None", self._redis.get(key))
        except (redis.RedisError, OSError) as error:
            if waited_s > self._timeout_s / 2:  # Redis had no fair part of the time
                raise ConnectionsInUse(self._limit, "the feature store") from error
            raise StoreUnreachable from error
        finally:
            self._places.release()
