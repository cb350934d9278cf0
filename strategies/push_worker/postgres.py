"""PostgreSQL: each change is one statement, and therefore one transaction, over a pool of connections.

A connection that turns out to be broken costs a second try, since the server may have been started again. If that
fails, too, the database is away, until connections can be made again. The pool sees to that by itself.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final, LiteralString
from urllib.parse import urlsplit

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from strategies.push_worker.database import DatabaseAway, DatabaseError, Message, Row, Status, statistics_of

_CONNECTIONS: Final = (2, 8)  # at least, at most
_WAITING: Final = 256  # for a connection
_WAIT_S: Final = 1.0  # for a connection
_ANSWER_S: Final = 4.0  # for everything
_RECONNECT_S: Final = 0.5  # then the pool gives up, and the next who needs a connection makes it try again
_SCHEMA_LOCK: Final = 21_062_026  # any number, the same in all processes
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS summaries (
    key text PRIMARY KEY,
    status text NOT NULL,
    payload bytea NOT NULL,
    result bytea,
    runs integer NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    payload bytea NOT NULL
);
CREATE TABLE IF NOT EXISTS effects (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    result bytea NOT NULL
);
"""
_FIND: Final = "SELECT key, status, payload, result, runs FROM summaries WHERE key = %s"
_SUBMIT: Final = """
WITH added AS (
    INSERT INTO summaries (key, status, payload) VALUES (%s, 'pending', %s)
    ON CONFLICT (key) DO NOTHING RETURNING key, payload
)
INSERT INTO outbox (key, payload) SELECT key, payload FROM added RETURNING id
"""
_UNPUBLISHED: Final = "SELECT id, key, payload FROM outbox ORDER BY id LIMIT %s"
_PUBLISHED: Final = """
WITH gone AS (DELETE FROM outbox WHERE id = ANY(%s) RETURNING key)
UPDATE summaries SET status = 'queued' WHERE status = 'pending' AND key IN (SELECT key FROM gone) RETURNING key
"""
_BEGIN: Final = "UPDATE summaries SET runs = runs + 1 WHERE key = %s RETURNING key, status, payload, result, runs"
_FINISH: Final = """
WITH done AS (
    UPDATE summaries SET status = 'success', result = %s WHERE key = %s AND status <> 'success' RETURNING key, result
)
INSERT INTO effects (key, result) SELECT key, result FROM done RETURNING number
"""
_FAIL: Final = """
UPDATE summaries SET status = 'error', result = %s WHERE key = %s AND status IN ('pending', 'queued') RETURNING key
"""
_BY_STATUS: Final = "SELECT status, count(*), sum(runs) FROM summaries GROUP BY status"
_COUNTS: Final = "SELECT (SELECT count(*) FROM outbox), count(*), count(DISTINCT key) FROM effects"

logger = logging.getLogger("push_worker.postgres")

Values = Sequence[Any]
Connection = AsyncConnection[tuple[Any, ...]]


async def open_url(url: str) -> "PostgresDatabase":
    """Open a database. Raises DatabaseError."""
    try:
        async with await AsyncConnection.connect(url, connect_timeout=round(_ANSWER_S)) as connection:
            # Processes that start at the same moment would otherwise create the same table twice.
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
            await connection.execute(_SCHEMA)
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise DatabaseError(f"The database {_without_password(url)} cannot be used: {reason}.") from error
    smallest, largest = _CONNECTIONS
    pool = AsyncConnectionPool(
        url,
        kwargs={"autocommit": True, "connect_timeout": round(_ANSWER_S)},
        min_size=smallest,
        max_size=largest,
        open=False,
        timeout=_WAIT_S,
        max_waiting=_WAITING,
        reconnect_timeout=_RECONNECT_S,
    )
    await pool.open()
    return PostgresDatabase(pool)


class PostgresDatabase:
    """A pool of connections to a server."""

    def __init__(self, pool: AsyncConnectionPool[Connection]) -> None:
        self._pool = pool

    async def find(self, key: str) -> Row | None:
        return _row(await self._do(_FIND, (key,)))

    async def submit(self, key: str, payload: bytes) -> tuple[Row, bool]:
        if await self._do(_SUBMIT, (key, payload)):
            return Row(key, Status.PENDING, payload, None, 0), True
        row = await self.find(key)
        assert row is not None  # rows are never deleted
        return row, False

    async def unpublished(self, limit: int) -> list[Message]:
        found = await self._do(_UNPUBLISHED, (limit,))
        return [Message(str(number), key, payload) for number, key, payload in found]

    async def published(self, ids: Sequence[str]) -> None:
        await self._do(_PUBLISHED, ([int(each) for each in ids],))

    async def begin(self, key: str) -> Row | None:
        return _row(await self._do(_BEGIN, (key,)))

    async def finish(self, key: str, result: bytes) -> bool:
        return bool(await self._do(_FINISH, (result, key)))

    async def fail(self, key: str, reason: str) -> bool:
        return bool(await self._do(_FAIL, (reason.encode(), key)))

    async def statistics(self) -> dict[str, int]:
        by_status = [(status, rows, int(runs)) for status, rows, runs in await self._do(_BY_STATUS)]
        ((outbox, effects, keys),) = await self._do(_COUNTS)
        return statistics_of(by_status, outbox, effects, keys)

    async def close(self) -> None:
        await self._pool.close()

    async def _do(self, statement: LiteralString, values: Values = ()) -> list[tuple[Any, ...]]:
        """Execute a statement, and return its rows. Raises DatabaseAway."""
        asking = asyncio.create_task(self._twice(statement, values))
        try:
            # Not asyncio.timeout(): to cancel a statement takes seconds, too, if the server hangs.
            done, _ = await asyncio.wait({asking}, timeout=_ANSWER_S)
            if done:
                return asking.result()
            asking.cancel()
            raise TimeoutError(f"no answer within {_ANSWER_S:g} s")
        except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError) as error:
            logger.warning("a statement was not executed: %s", " ".join(str(error).split()))
            raise DatabaseAway from error

    async def _twice(self, statement: LiteralString, values: Values) -> list[tuple[Any, ...]]:
        try:
            return await self._once(statement, values)
        except (PoolTimeout, TooManyRequests):
            raise
        except (psycopg.OperationalError, psycopg.InterfaceError):
            await self._pool.check()  # drops all connections that are broken, not only this one
            return await self._once(statement, values)

    async def _once(self, statement: LiteralString, values: Values) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            return await (await connection.execute(statement, values)).fetchall()


def _row(found: list[tuple[Any, ...]]) -> Row | None:
    if not found:
        return None
    ((key, status, payload, result, runs),) = found
    return Row(key, Status(status), payload, result, runs)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
