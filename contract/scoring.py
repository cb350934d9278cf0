"""The pure steps around the waits of a scoring request."""

import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import parse_qs

from contract.errors import TooManyInFlight, UnknownEntity

_ENTITY_ID = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


class ModelReply(NamedTuple):
    """What a model answered, and how long the asking took as its caller saw it."""

    detail_s: float
    took_ms: float


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
    """Admission to one process: a bag of slots, taken on entry and given back on exit.

    Taking and giving back are single list operations, so that the same code serves an
    event loop and many threads, and never blocks either.
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
