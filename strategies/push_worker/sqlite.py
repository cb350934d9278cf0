"""SQLite: a file with a write-ahead log. What is committed is on disk, and readers do not wait for who writes.

A flush to disk takes milliseconds. So one thread per process writes, and commits together whatever waits by then.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from strategies.push_worker.database import DatabaseAway, DatabaseError, Message, Row, Status, statistics_of
from strategies.push_worker.folder import file_of

PREFIX: Final = "sqlite://"

_BUSY_S: Final = 2.0  # that a transaction waits for those of other processes
_GROUP: Final = 256  # changes that are committed together at most
_SCHEMA: Final = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS summaries (
    key TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    payload BLOB NOT NULL,
    result BLOB,
    runs INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS effects (number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, result BLOB NOT NULL);
COMMIT;
"""

logger = logging.getLogger("push_worker.sqlite")

P = ParamSpec("P")
T = TypeVar("T")


async def open_url(url: str) -> "SqliteDatabase":
    """Open a database; its folder must exist. Raises DatabaseError."""
    path = path_of(url)
    try:
        await asyncio.to_thread(_prepare, path)
        return await asyncio.to_thread(SqliteDatabase, path)
    except sqlite3.Error as error:
        raise DatabaseError(f"{path} cannot be used as an SQLite database: {error}.") from error


def path_of(url: str) -> Path:
    """Return the file that a URL means: sqlite:///relative, sqlite:////absolute, or sqlite://HOST:PORT of a folder."""
    rest = url.removeprefix(PREFIX)
    path = Path(rest[1:]) if rest.startswith("/") else file_of(rest)
    if not path.name or not path.absolute().parent.is_dir():
        raise DatabaseError(f"{url!r} means the file {path.absolute()}, and there is no such folder.")
    return path


class SqliteDatabase:
    """One thread writes, one looks for rows, and one counts, which takes longer."""

    def __init__(self, path: Path) -> None:
        self._writer = _Thread(path, "BEGIN IMMEDIATE")
        self._reader = _Thread(path, "BEGIN")
        self._counter = _Thread(path, "BEGIN")

    async def find(self, key: str) -> Row | None:
        return await self._reader.do(_find, key)

    async def submit(self, key: str, payload: bytes) -> tuple[Row, bool]:
        return await self._writer.do(_submit, key, payload)

    async def unpublished(self, limit: int) -> list[Message]:
        return await self._reader.do(_unpublished, limit)

    async def published(self, ids: Sequence[str]) -> None:
        await self._writer.do(_published, ids)

    async def begin(self, key: str) -> Row | None:
        return await self._writer.do(_begin, key)

    async def finish(self, key: str, result: bytes) -> bool:
        return await self._writer.do(_finish, key, result)

    async def fail(self, key: str, reason: str) -> bool:
        return await self._writer.do(_fail, key, reason)

    async def statistics(self) -> dict[str, int]:
        return await self._counter.do(_statistics)

    async def close(self) -> None:
        await asyncio.gather(self._writer.close(), self._reader.close(), self._counter.close())


@dataclass(frozen=True)
class _Task:
    work: Callable[[sqlite3.Connection], Any]
    answer: Future[Any]


class _Thread:
    """A thread with a connection of its own, and what waits for it."""

    def __init__(self, path: Path, begin: str) -> None:
        self._connection, self._begin = _connect(path), begin
        self._waiting: SimpleQueue[_Task | None] = SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"sqlite: {begin}", daemon=True)
        self._thread.start()

    async def do(self, work: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do some work within a transaction. Returns once that is committed. Raises DatabaseAway."""
        if self._closed:
            raise DatabaseAway
        task = _Task(lambda connection: work(connection, *args, **kwargs), Future())
        self._waiting.put(task)
        try:
            answer: T = await asyncio.wrap_future(task.answer)
        except sqlite3.Error as error:
            raise DatabaseAway from error
        return answer

    async def close(self) -> None:
        """Do what waits, and end."""
        self._closed = True
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        going_on = True
        with closing(self._connection):
            while going_on:
                found = [self._waiting.get()]
                while len(found) < _GROUP and not self._waiting.empty():
                    found.append(self._waiting.get())
                going_on = None not in found
                wanted = [task for task in found if task and task.answer.set_running_or_notify_cancel()]
                if wanted:
                    self._commit(wanted)

    def _commit(self, tasks: list[_Task]) -> None:
        """Do all of the tasks or none, and only then say so."""
        connection = self._connection
        try:
            connection.execute(self._begin)
            answers = [task.work(connection) for task in tasks]
            connection.execute("COMMIT")
        except Exception as error:
            logger.warning("%d were not done: %s", len(tasks), error)
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            for task in tasks:
                task.answer.set_exception(error)
        else:
            for task, answer in zip(tasks, answers, strict=True):
                task.answer.set_result(answer)


def _connect(path: Path) -> sqlite3.Connection:
    # Transactions are begun and committed here only. A connection is made in one thread, and used in another.
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk before it is answered
    return connection


def _prepare(path: Path) -> None:
    with closing(_connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)


def _find(connection: sqlite3.Connection, key: str) -> Row | None:
    found = connection.execute(
        "SELECT key, status, payload, result, runs FROM summaries WHERE key = ?", (key,)
    ).fetchone()
    if found is None:
        return None
    known_key, status, payload, result, runs = found
    return Row(known_key, Status(status), payload, result, runs)


def _submit(connection: sqlite3.Connection, key: str, payload: bytes) -> tuple[Row, bool]:
    inserted = connection.execute(
        "INSERT INTO summaries (key, status, payload) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING",
        (key, Status.PENDING, payload),
    )
    is_new = inserted.rowcount == 1
    if is_new:
        connection.execute("INSERT INTO outbox (key, payload) VALUES (?, ?)", (key, payload))
    row = _find(connection, key)
    assert row is not None
    return row, is_new


def _unpublished(connection: sqlite3.Connection, limit: int) -> list[Message]:
    found = connection.execute("SELECT id, key, payload FROM outbox ORDER BY id LIMIT ?", (limit,))
    return [Message(str(number), key, payload) for number, key, payload in found]


def _published(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    numbers = [(int(each),) for each in ids]
    connection.executemany(
        f"UPDATE summaries SET status = '{Status.QUEUED}'"
        f" WHERE status = '{Status.PENDING}' AND key = (SELECT key FROM outbox WHERE id = ?)",
        numbers,
    )
    connection.executemany("DELETE FROM outbox WHERE id = ?", numbers)


def _begin(connection: sqlite3.Connection, key: str) -> Row | None:
    connection.execute("UPDATE summaries SET runs = runs + 1 WHERE key = ?", (key,))
    return _find(connection, key)


def _finish(connection: sqlite3.Connection, key: str, result: bytes) -> bool:
    set_now = connection.execute(
        "UPDATE summaries SET status = ?, result = ? WHERE key = ? AND status <> ?",
        (Status.SUCCESS, result, key, Status.SUCCESS),
    )
    is_first = set_now.rowcount == 1
    if is_first:
        connection.execute("INSERT INTO effects (key, result) VALUES (?, ?)", (key, result))
    return is_first


def _fail(connection: sqlite3.Connection, key: str, reason: str) -> bool:
    set_now = connection.execute(
        "UPDATE summaries SET status = ?, result = ? WHERE key = ? AND status IN (?, ?)",
        (Status.ERROR, reason.encode(), key, Status.PENDING, Status.QUEUED),
    )
    return set_now.rowcount == 1


def _statistics(connection: sqlite3.Connection) -> dict[str, int]:
    by_status = connection.execute("SELECT status, count(*), sum(runs) FROM summaries GROUP BY status").fetchall()
    (outbox,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
    effects, keys = connection.execute("SELECT count(*), count(DISTINCT key) FROM effects").fetchone()
    return statistics_of(by_status, outbox, effects, keys)
