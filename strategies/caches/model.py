"""What both services cache: a model that takes its time, and whose calls are counted."""

import json
from collections import Counter
from threading import Lock
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from contract.errors import UnknownEntity
from strategies.caches.keys import Key
from strategies.caches.parameters import ENTITIES, SERVED, VERSION


class CacheSettings(BaseSettings):
    """How predictions are cached."""

    model_config = SettingsConfigDict(env_prefix="STRATEGY_", frozen=True)

    form: Literal["none", "naive", "single-flight"] = "single-flight"
    capacity: int = Field(SERVED.capacity, ge=0)  # entries

    @property
    def caches(self) -> bool:
        return self.form != "none" and self.capacity > 0


class Counts:
    """Counts requests and calls of the model, and the most calls for one key since that was last read."""

    def __init__(self) -> None:
        self._lock, self._asked, self._called = Lock(), 0, 0
        self._by_key: Counter[Key] = Counter()

    def asked(self) -> None:
        """Count a request."""
        with self._lock:
            self._asked += 1

    def called(self, key: Key) -> None:
        """Count a call of the model."""
        with self._lock:
            self._called += 1
            self._by_key[key] += 1

    def read(self) -> dict[str, int]:
        """Return what is counted. A request that waits for the call of another one is a hit."""
        with self._lock:
            most = max(self._by_key.values(), default=0)
            self._by_key.clear()
            return {"hits": self._asked - self._called, "calls": self._called, "calls_per_key": most}


def score(key: Key) -> float:
    """Return the model's answer. Raises UnknownEntity."""
    entity = key.numbers[0]
    if entity < 0:
        raise UnknownEntity(f"{entity:g}", ENTITIES)
    return 2 * entity


def encode(value: float) -> bytes:
    """Return the body of an answer."""
    return json.dumps({"score": value, "model": VERSION}).encode()
