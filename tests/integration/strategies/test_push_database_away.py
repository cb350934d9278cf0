"""The databases of the push worker when they do not answer: locked, full, killed, started again, hanging."""

import asyncio
import signal
import sqlite3
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from strategies.postgres_server import PostgresServer
from strategies.push_worker import sqlite
from strategies.push_worker.database import Database, DatabaseAway
from tests.integration.strategies.databases import opened, run

pytestmark = pytest.mark.integration


def test_a_file_that_another_process_holds_answers_503_until_it_lets_go(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_S", 0.05)

    async def check() -> None:
        async with opened(sqlite_url) as database:
            await database.submit("a", b"[1.0]")
            other = sqlite3.connect(sqlite.path_of(sqlite_url), isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            refused = await asyncio.gather(*(database.submit(key, b"[1.0]") for key in "bcd"), return_exceptions=True)
            assert [type(each) for each in refused] == [DatabaseAway] * 3
            assert await database.find("b") is None
            assert await database.find("a") is not None
            other.execute("ROLLBACK")
            other.close()
            assert (await database.submit("b", b"[1.0]"))[1]

    run(check())


def test_a_full_disk_accepts_nothing_and_what_is_kept_can_still_be_read(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite._connect

    def connect_to_little(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA max_page_count = 32")
        return connection

    async def check() -> None:
        async with opened(sqlite_url) as database:
            await database.submit("a", b"[1.0]")
            with pytest.raises(DatabaseAway):
                await database.submit("b", b"1" * 1_000_000)
            assert await database.find("b") is None
            assert (await database.statistics())["outbox"] == 1
            assert (await database.submit("c", b"[1.0]"))[1]

    asyncio.run(open_for_good(sqlite_url))
    monkeypatch.setattr(sqlite, "_connect", connect_to_little)
    run(check())


async def open_for_good(url: str) -> None:
    """Create the tables."""
    async with opened(url):
        pass


def test_a_server_that_is_killed_answers_503_loses_nothing_and_is_used_again_when_it_is_back(
    postgres: PostgresServer, postgres_url: str
) -> None:
    accepted: list[str] = []
    refused: list[str] = []

    async def submit(database: Database, keys: list[str]) -> None:
        for key in keys:
            try:
                accepted.append((await database.submit(key, b"[1.0]"))[0].key)
            except DatabaseAway:
                refused.append(key)

    async def check() -> None:
        async with opened(postgres_url) as database:
            callers = [
                asyncio.create_task(submit(database, [f"{caller}-{n}" for n in range(400)])) for caller in range(8)
            ]
            while len(accepted) < 200:
                await asyncio.sleep(0.01)
            postgres.kill()
            while not refused:
                await asyncio.sleep(0.01)
            with pytest.raises(DatabaseAway):
                await database.find(accepted[0])
            postgres.start()
            await asyncio.gather(*callers)
            kept = {message.key for message in await database.unpublished(10_000)}
            assert set(accepted) - kept == set()
            assert set(accepted) | set(refused) == {f"{caller}-{n}" for caller in range(8) for n in range(400)}

    run(check())


def test_a_server_that_was_started_again_costs_no_error_if_nobody_asked_meanwhile(
    postgres: PostgresServer, postgres_url: str
) -> None:
    async def check() -> None:
        async with opened(postgres_url) as database:
            await asyncio.gather(*(database.submit(str(number), b"[1.0]") for number in range(50)))
            postgres.stop()
            postgres.start()
            assert len(await database.unpublished(100)) == 50
            assert all(await asyncio.gather(*(database.find(str(number)) for number in range(50))))

    run(check())


def test_a_server_that_hangs_answers_503(postgres: PostgresServer, postgres_url: str) -> None:
    async def check() -> None:
        async with opened(postgres_url) as database:
            await database.submit("a", b"[1.0]")
            server = psutil.Process(postgres.pid)
            processes = [server, *server.children()]
            try:
                signal_all(processes, signal.SIGSTOP)
                with pytest.raises(DatabaseAway):
                    await database.find("a")
            finally:
                signal_all(processes, signal.SIGCONT)
            assert await database.find("a") is not None

    run(check())


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # some of a server's processes come and go
            process.send_signal(number)
