"""The databases of the push worker: the same tests against SQLite and PostgreSQL."""

import asyncio
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.contenders.discovery import ROOT
from benchmark.stack.processes import own_environment
from strategies.push_worker.database import Database, DatabaseError, Row, Status, open_database
from tests.integration.strategies.databases import opened, run

pytestmark = pytest.mark.integration

IN_ORDER = (Status.PENDING, Status.QUEUED, Status.ERROR, Status.SUCCESS)
# A process that submits for ever, and says what was accepted once it was.
SUBMITTING = """
import asyncio, itertools, sys
from strategies.push_worker.database import open_database

async def main():
    database = await open_database(sys.argv[1])
    async def submit(caller):
        for number in itertools.count():
            row, _ = await database.submit(f"{caller}-{number}", b"[1.0]")
            print(row.key, flush=True)
    await asyncio.gather(*map(submit, range(8)))

asyncio.run(main())
"""


async def publish(database: Database) -> None:
    """Take all messages from the outbox, as the relay does."""
    await database.published([message.id for message in await database.unpublished(1000)])


def test_a_new_key_is_kept_with_its_message_and_a_known_one_changes_nothing(database_url: str) -> None:
    async def check() -> None:
        async with opened(database_url) as database:
            row = Row("a", Status.PENDING, b"[1.0]", None, 0)
            assert await database.submit("a", b"[1.0]") == (row, True)
            assert await database.submit("a", b"[2.0]") == (row, False)
            assert await database.find("a") == row
            assert await database.find("b") is None
            (message,) = await database.unpublished(10)
            assert (message.key, message.payload) == ("a", b"[1.0]")

    run(check())


def test_64_submissions_of_one_new_key_at_once_keep_one_row_and_one_message(database_url: str) -> None:
    async def check() -> None:
        async with opened(database_url) as one, opened(database_url) as other:
            outcomes = await asyncio.gather(*(each.submit("a", b"[1.0]") for each in [one, other] * 32))
            assert [is_new for _, is_new in outcomes].count(True) == 1
            assert len(await other.unpublished(10)) == 1

    run(check())


def test_a_message_leaves_the_outbox_once_it_is_published_and_its_id_is_not_used_again(database_url: str) -> None:
    async def check() -> None:
        async with opened(database_url) as database:
            for key in "abc":
                await database.submit(key, b"[1.0]")
            first, second = await database.unpublished(2)
            assert (first.key, second.key) == ("a", "b")
            await database.published([first.id, second.id])
            (third,) = await database.unpublished(2)
            assert third.key == "c"
            await database.published([third.id, first.id, "123456789"])
            assert await database.unpublished(2) == []
            await database.submit("d", b"[1.0]")
            (fourth,) = await database.unpublished(2)
            assert fourth.id not in {first.id, second.id, third.id}

    run(check())


def test_a_worker_that_is_faster_than_the_relay_is_not_set_back(database_url: str) -> None:
    async def check() -> None:
        async with opened(database_url) as database:
            await database.submit("a", b"[1.0]")
            assert await database.finish("a", b'{"total": 2.0}')
            await publish(database)
            row = await database.find("a")
            assert row == Row("a", Status.SUCCESS, b"[1.0]", b'{"total": 2.0}', 0)

    run(check())


def test_workers_that_finish_the_same_at_once_have_one_effect(database_url: str) -> None:
    async def check() -> None:
        async with opened(database_url) as one, opened(database_url) as other:
            await one.submit("a", b"[1.0]")
            firsts = await asyncio.gather(*(each.finish("a", b"{}") for each in [one, other] * 16))
            assert firsts.count(True) == 1
            assert (await one.statistics())["effects"] == 1

    run(check())


def test_what_is_given_up_has_its_reason_until_a_late_answer_comes(database_url: str) -> None:
    async def check() -> None:
        async with opened(database_url) as database:
            await database.submit("a", b"[1.0]")
            assert await database.fail("a", "no more attempts")
            assert not await database.fail("a", "again")
            assert await database.find("a") == Row("a", Status.ERROR, b"[1.0]", b"no more attempts", 0)
            assert await database.finish("a", b"{}")
            assert not await database.fail("a", "too late")
            assert await database.find("a") == Row("a", Status.SUCCESS, b"[1.0]", b"{}", 0)

    run(check())


def test_what_is_not_known_is_not_begun_finished_or_given_up(database_url: str) -> None:
    async def check() -> None:
        async with opened(database_url) as database:
            assert await database.begin("a") is None
            assert not await database.finish("a", b"{}")
            assert not await database.fail("a", "reason")
            assert set((await database.statistics()).values()) == {0}

    run(check())


def test_statistics_count_rows_messages_runs_and_effects(database_url: str) -> None:
    async def check() -> None:
        async with opened(database_url) as database:
            for key in "abcde":
                await database.submit(key, b"[1.0]")
                await database.begin(key)
            begun = await database.begin("a")
            assert begun is not None
            assert begun.runs == 2
            for message in (await database.unpublished(10))[:3]:
                await database.published([message.id])
            await database.finish("a", b"{}")
            await database.fail("b", "reason")
            assert await database.statistics() == {
                **{"pending": 2, "queued": 1, "success": 1, "error": 1},
                **{"outbox": 2, "runs": 6, "effects": 1, "duplicate_effects": 0, "backlog": 3},
            }

    run(check())


class Expected:
    """What a history of calls must come to: one key."""

    def __init__(self) -> None:
        self.status: Status | None = None
        self.runs, self.effects, self.in_outbox = 0, 0, False

    def after(self, call: str) -> None:
        if call == "submit" and self.status is None:
            self.status, self.in_outbox = Status.PENDING, True
        elif call == "publish":
            if self.in_outbox and self.status is Status.PENDING:
                self.status = Status.QUEUED
            self.in_outbox = False
        elif self.status is not None and call == "begin":
            self.runs += 1
        elif self.status not in {None, Status.SUCCESS} and call == "finish":
            self.status, self.effects = Status.SUCCESS, 1
        elif self.status in {Status.PENDING, Status.QUEUED} and call == "fail":
            self.status = Status.ERROR


async def do(database: Database, call: str, key: str) -> None:
    match call:
        case "submit":
            await database.submit(key, b"[1.0]")
        case "publish":
            await publish(database)
        case "begin":
            await database.begin(key)
        case "finish":
            await database.finish(key, b"{}")
        case "fail":
            await database.fail(key, "reason")


CALLS = st.lists(st.sampled_from(["submit", "publish", "begin", "finish", "fail"]), max_size=12)


def test_after_any_history_of_calls_a_row_is_as_the_rules_say_and_never_went_back(database_url: str) -> None:
    keys = map(str, count())

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        database = runner.run(open_database(database_url))

        async def history(calls: list[str]) -> None:
            key, expected, before = next(keys), Expected(), await database.statistics()
            known = [Status.PENDING]
            for call in calls:
                await do(database, call, key)
                expected.after(call)
                row = await database.find(key)
                assert (row and row.status, row.runs if row else 0) == (expected.status, expected.runs)
                known += [row.status] if row else []
            assert known == sorted(known, key=IN_ORDER.index)
            after = await database.statistics()
            assert after["effects"] - before["effects"] == expected.effects
            assert after["duplicate_effects"] == 0
            await publish(database)

        @settings(max_examples=60)
        @given(CALLS)
        def check(calls: list[str]) -> None:
            runner.run(history(calls))

        check()
        runner.run(database.close())


def test_processes_that_open_a_new_database_at_the_same_moment_all_can(database_url: str) -> None:
    async def check() -> None:
        opened = await asyncio.gather(*(open_database(database_url) for _ in range(8)))
        await asyncio.gather(*(each.submit(str(number), b"[1.0]") for number, each in enumerate(opened)))
        assert (await opened[0].statistics())["pending"] == 8
        await asyncio.gather(*(each.close() for each in opened))

    run(check())


def test_what_was_accepted_is_there_with_its_message_when_the_process_is_killed(database_url: str) -> None:
    argv = [sys.executable, "-c", SUBMITTING, database_url]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=own_environment()) as process:
        assert process.stdout is not None
        accepted = {process.stdout.readline().strip() for _ in range(200)}
        process.kill()
        accepted |= {line.strip() for line in process.stdout if line.endswith("\n")}

    async def check() -> None:
        async with opened(database_url) as database:
            before: object = None
            found = await database.statistics()
            while found != before:  # a server still carries out what the killed process had sent
                before = found
                kept = {message.key for message in await database.unpublished(100_000)}
                found = await database.statistics()
            assert len(accepted) >= 200
            assert accepted - kept == set()
            assert all([await database.find(key) for key in accepted])
            assert found["pending"] == found["outbox"] == len(kept)

    run(check())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://127.0.0.1/x", "'mysql', expected sqlite:///path/to/file or postgresql://"),
        ("summaries", "'summaries', expected sqlite"),
        ("sqlite:////nowhere/at/all.sqlite3", "there is no such folder"),
        ("sqlite://127.0.0.1:1", "there is no such folder"),
        ("sqlite:///", "there is no such folder"),
        ("postgresql://serving:secret@127.0.0.1:1/serving", "postgresql://127.0.0.1:1/serving cannot be used"),
    ],
)
def test_a_database_that_cannot_be_opened_says_why_and_tells_no_password(url: str, says: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        asyncio.run(open_database(url))
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear reader, " * 1000)
    with pytest.raises(DatabaseError, match="not a database"):
        asyncio.run(open_database(f"sqlite:///{path}"))
    assert path.read_text().startswith("Dear reader")
