"""The steps of a scoring request that do not wait."""

import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qs

from contract.errors import TooManyInFlight, UnknownEntity

_ENTITY_ID = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


class ModelReply(NamedTuple):
    """A model's answer, how long the call took for its caller, and whether it had to be made twice."""

    detail_s: float
    took_ms: float
    retried: bool = False


def requested_entity(query: bytes) -> str | None:
    """Return the `entity_id` of a query string, the first if there are several; None without one."""
    if not query:
        return None
    found = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("entity_id")
    return found[0] if found else None


def choose_entity(requested: str | None, body: bytes, entities: int) -> int:
    """Return the entity to score: the requested one, else a stable hash of the body.

    Raises UnknownEntity for an id that is not one of 0 .. entities - 1.
    """
    if requested is None:
        return zlib.crc32(body) % entities
    if not _ENTITY_ID.fullmatch(requested) or int(requested) >= entities:
        raise UnknownEntity(requested, entities)
    return int(requested)


def model_input(numbers: Sequence[float], features: Sequence[float]) -> list[float]:
    """Return what a model receives: the request's numbers followed by the stored features."""
    return [*numbers, *features]


def combine(replies: Sequence[ModelReply]) -> float:
    """Return the score: the mean of the models' answers, in seconds."""
    return sum(reply.detail_s for reply in replies) / len(replies)


class InFlight:
    """Limits the requests in flight in one process: each takes a slot on entry and returns it on exit.

    Both are single, atomic list operations, so the same code is safe on an event loop and in threads, and never blocks.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = [None] * limit

    def __enter__(self) -> None:
        try:
            self._free.pop()
        except IndexError:
            raise TooManyInFlight(self.limit) from None

    def __exit__(self, *_: object) -> None:
        self._free.append(None)
