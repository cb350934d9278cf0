"""Where summaries are kept: a row per key, an outbox of messages to publish, and effects. The same for both databases.

A row goes PENDING -> QUEUED -> ERROR or SUCCESS, and never back. SUCCESS is final. ERROR is what a client is told once
nothing is tried any more; an answer that comes even later still counts.

Every function of a database raises DatabaseAway if it does not answer. What was written then, if anything, is written
as a whole: a caller may ask again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from importlib import import_module
from typing import Final, Protocol

from contract.errors import Unavailable


class Status(StrEnum):
    PENDING = auto()  # kept, its message not known to be published
    QUEUED = auto()  # published
    SUCCESS = auto()
    ERROR = auto()  # given up


@dataclass(frozen=True)
class Row:
    """A summary. `result` is the answer, or of ERROR the reason; None before."""

    key: str
    status: Status
    payload: bytes
    result: bytes | None
    runs: int  # times that a worker began with it


@dataclass(frozen=True)
class Message:
    """A row of the outbox. Its id is never used again."""

    id: str
    key: str
    payload: bytes


class DatabaseError(Exception):
    """A database cannot be opened. The message says what was given, what is wrong, and what was expected."""


class DatabaseAway(Unavailable):
    def __init__(self) -> None:
        super().__init__("The database does not answer.")


class Database(Protocol):
    """What both databases do. Several processes may use the same."""

    async def find(self, key: str) -> Row | None:
        """Return the row of a key."""
        ...

    async def submit(self, key: str, payload: bytes) -> tuple[Row, bool]:
        """Keep a row and, in the same transaction, its message, if the key is new. Return the row, and whether it is.

        After a lost connection a new one may be called known, never the other way round.
        """
        ...

    async def unpublished(self, limit: int) -> list[Message]:
        """Return messages of the outbox, oldest first."""
        ...

    async def published(self, ids: Sequence[str]) -> None:
        """Remove messages from the outbox. Their rows become QUEUED if they are still PENDING."""
        ...

    async def begin(self, key: str) -> Row | None:
        """Count a run, and return the row; None if the key is not known."""
        ...

    async def finish(self, key: str, result: bytes) -> bool:
        """Set the row to SUCCESS and, in the same transaction, append an effect. Return whether this was the first."""
        ...

    async def fail(self, key: str, reason: str) -> bool:
        """Set the row to ERROR unless it is finished. Return whether it was not."""
        ...

    async def statistics(self) -> dict[str, int]:
        """Return rows by status, and `outbox`, `runs`, `effects`, `duplicate_effects`, `backlog`."""
        ...

    async def close(self) -> None:
        """Finish what is being written, and close the connections."""
        ...


# The driver of a database is loaded only if it is asked for.
_MODULES: Final = {
    "sqlite": "strategies.push_worker.sqlite",
    "postgresql": "strategies.push_worker.postgres",
}


async def open_database(url: str) -> Database:
    """Open a database, and create what is missing in it. Raises DatabaseError."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _MODULES:
        raise DatabaseError(
            f"PUSH_DATABASE_URL begins with {scheme[:20]!r}, expected sqlite:///path/to/file or"
            " postgresql://user@host:port/database."
        )
    database: Database = await import_module(_MODULES[scheme]).open_url(url)
    return database


def statistics_of(
    by_status: Iterable[tuple[str, int, int]], outbox: int, effects: int, keys_with_effect: int
) -> dict[str, int]:
    """Return the statistics of a database, from (status, rows, runs) and counts."""
    rows, runs = dict.fromkeys(Status, 0), 0
    for status, count, runs_of_these in by_status:
        rows[Status(status)] = count
        runs += runs_of_these
    return {
        **{status.value: count for status, count in rows.items()},
        "outbox": outbox,
        "runs": runs,
        "effects": effects,
        "duplicate_effects": effects - keys_with_effect,
        "backlog": rows[Status.PENDING] + rows[Status.QUEUED],
    }
