"""The summary API as a process: killed, and with its broker or its database away. What it accepted is never lost."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from benchmark.stack.processes import free_port, own_environment, start_process, stop_processes
from benchmark.stack.watchdog import Guard
from contract.schema import HEALTHCHECK_PATH
from feature_store.server import embedded_server
from strategies.postgres_server import PostgresServer
from strategies.push_worker.service import SUMMARIES_PATH
from strategies.push_worker.stream import MESSAGES
from strategies.push_worker.summary import key_of, payload_of
from strategies.web import STATISTICS_PATH
from tests.integration.processes import until

pytestmark = pytest.mark.integration

PATIENCE_S = 60.0
SERVICE = [sys.executable, "-m", "strategies.push_worker.service"]
# The service, which is killed at the moment at which it would publish what it has committed.
KILLED_BEFORE_IT_PUBLISHES = """
import os, signal
from strategies.push_worker import stream
from strategies.push_worker.service import make_app
from strategies.web import serve

async def publish(*_):
    os.kill(os.getpid(), signal.SIGKILL)

stream.publish = publish
serve(make_app)
"""


class Api:
    """The service on a port of its own: started, killed and started again with the same database and broker."""

    def __init__(self, database_url: str, broker_port: int, log: Path, guard: Guard) -> None:
        self.port, self._log, self._guard = free_port(), log, guard
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment: Mapping[str, str] = {
            **own_environment(),
            "SERVING_PORT": str(self.port),
            "PUSH_DATABASE_URL": database_url,
            "PUSH_REDIS_URL": f"redis://127.0.0.1:{broker_port}/0",
        }

    @contextmanager
    def running(self, argv: list[str] = SERVICE) -> Iterator[subprocess.Popen[bytes]]:
        """Run it until the block ends."""
        process = start_process(argv, self._log, self._guard, self.environment)
        try:
            until(lambda: self._is_ready(process), "the service is ready")
            yield process
        finally:
            stop_processes([process], self._guard)

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=PATIENCE_S)

    def statistics(self) -> Any:
        return httpx.get(self.url + STATISTICS_PATH, timeout=PATIENCE_S).json()

    def _is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, self._log.read_text()
        try:
            return httpx.get(self.url + HEALTHCHECK_PATH, timeout=1).is_success
        except httpx.TransportError:
            return False


def run(check: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await check

    asyncio.run(bounded())


def in_stream(port: int) -> Counter[str]:
    """Return how often each key is in the stream of a broker."""
    with redis.Redis(port=port) as client:
        return Counter(fields[b"key"].decode() for _, fields in client.xrange(MESSAGES))


async def submit(client: httpx.AsyncClient, number: int) -> int:
    """Ask for a summary; return the status, 0 if there was no answer."""
    try:
        return (await client.post(SUMMARIES_PATH, json=[number])).status_code
    except httpx.TransportError:
        return 0


def key(number: int) -> str:
    return key_of(payload_of([float(number)]))


def test_what_is_accepted_while_the_broker_is_away_is_published_when_it_is_back(
    sqlite_url: str, tmp_path: Path, guard: Guard
) -> None:
    port = free_port()
    api = Api(sqlite_url, port, tmp_path / "log", guard)

    async def submit_all() -> None:
        async with api.client() as client:
            assert await asyncio.gather(*(submit(client, number) for number in range(20))) == [202] * 20

    with api.running():
        run(submit_all())
        until(lambda: api.statistics()["publish_failures"], "the relay has noticed")
        assert api.statistics()["outbox"] == 20
        with embedded_server(port):
            until(lambda: api.statistics()["outbox"] == 0, "all are published")
            assert set(in_stream(port)) == set(map(key, range(20)))
            assert api.statistics()["queued"] == 20


def test_a_service_killed_between_commit_and_publication_publishes_when_it_is_started_again(
    database_url: str, tmp_path: Path, guard: Guard
) -> None:
    with embedded_server(port := free_port()):
        api = Api(database_url, port, tmp_path / "log", guard)

        async def submit_one() -> None:
            async with api.client() as client:
                assert await submit(client, 1) in {202, 0}  # it is killed before or after it has answered

        with api.running([sys.executable, "-c", KILLED_BEFORE_IT_PUBLISHES]) as process:
            run(submit_one())
            assert process.wait(PATIENCE_S) == -signal.SIGKILL
        assert in_stream(port) == Counter()
        with api.running():
            until(lambda: api.statistics()["outbox"] == 0, "the message is published")
            found = api.statistics()
            assert (found["pending"], found["queued"]) == (0, 1)
            assert in_stream(port) == Counter([key(1)])


def test_a_service_killed_again_and_again_under_load_loses_nothing_that_it_accepted(
    database_url: str, tmp_path: Path, guard: Guard
) -> None:
    answers: dict[int, int] = {}

    with embedded_server(port := free_port()):
        api = Api(database_url, port, tmp_path / "log", guard)

        async def submit_and_kill(process: subprocess.Popen[bytes], numbers: range) -> None:
            async with api.client() as client:

                async def note(number: int) -> None:
                    answers[number] = await submit(client, number)
                    if number == numbers[60]:
                        process.kill()

                left = iter(numbers)

                async def caller() -> None:
                    for number in left:
                        await note(number)

                await asyncio.gather(*(caller() for _ in range(16)))

        for turn in range(2):
            with api.running() as process:
                run(submit_and_kill(process, range(turn * 200, turn * 200 + 200)))
        accepted = {key(number) for number, status in answers.items() if status == 202}
        assert set(answers.values()) == {202, 0}
        assert len(accepted) >= 2 * 40
        with api.running():
            until(lambda: api.statistics()["outbox"] == 0, "all are published")
            found, published = api.statistics(), in_stream(port)
            assert accepted - set(published) == set()
            assert (found["pending"], found["queued"]) == (0, len(published))


def test_a_service_whose_database_is_killed_answers_503_and_keeps_what_it_accepted(
    postgres: PostgresServer, postgres_url: str, tmp_path: Path, guard: Guard
) -> None:
    with embedded_server(port := free_port()):
        api = Api(postgres_url, port, tmp_path / "log", guard)

        async def check() -> None:
            async with api.client() as client:
                before = await asyncio.gather(*(submit(client, number) for number in range(50)))
                postgres.kill()
                try:
                    meanwhile = await asyncio.gather(*(submit(client, number) for number in range(50, 100)))
                    assert (await client.get(STATISTICS_PATH)).status_code == 503
                finally:
                    postgres.start()
                again = [0]
                while set(again) != {202}:
                    again = await asyncio.gather(*(submit(client, number) for number in range(50, 100)))
                    assert set(again) <= {202, 503}
                assert (set(before), set(meanwhile)) == ({202}, {503})

        with api.running():
            run(check())
            until(lambda: api.statistics()["outbox"] == 0, "all are published")
            assert set(in_stream(port)) == set(map(key, range(100)))
            assert (api.statistics()["pending"], api.statistics()["queued"]) == (0, 100)


def test_a_service_without_its_database_does_not_start_and_says_why(tmp_path: Path, guard: Guard) -> None:
    api = Api("postgresql://serving@127.0.0.1:1/serving", 1, tmp_path / "log", guard)
    process = start_process(SERVICE, tmp_path / "log", guard, api.environment)
    assert process.wait(PATIENCE_S) != 0
    stop_processes([process], guard)
    assert "postgresql://127.0.0.1:1/serving cannot be used" in (tmp_path / "log").read_text()
