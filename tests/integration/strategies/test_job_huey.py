"""huey's consumer in a real process, killed, interrupted and cut off from Redis while it works on a job."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis
from redis.exceptions import RedisError

from benchmark.stack.processes import Stack, free_port
from feature_store.server import embedded_server
from strategies.broker import broker_command
from strategies.job_huey.jobs import Jobs
from strategies.job_huey.parameters import JOBS_PATH
from strategies.job_huey.settings import JobSettings
from strategies.web import STATISTICS_PATH
from tests.conftest import Stacks
from tests.integration.processes import until

pytestmark = pytest.mark.integration

AT_WORK_MS = 60_000  # a job that is certainly at work when something happens to it
CONSUMER = ["-m", "strategies.job_huey.consumer", "-n"]
SOON_AGAIN = [  # the same, with a job that is given up after a second
    "-c",
    "from strategies.job_huey import rows; rows.LONGEST_S = 1.0\n"
    "from strategies.job_huey.consumer import main; main(no_periodic=True)",
]


class Field:
    """A queue, and consumers that work it off."""

    def __init__(self, url: str, closing: ExitStack) -> None:
        self._closing = closing
        self._environment = {**os.environ, "STRATEGY_REDIS_URL": url}
        self.jobs = Jobs(JobSettings(redis_url=url))
        closing.callback(self.jobs.close)

    def consumer(
        self, model_ms: int, argv: list[str] = CONSUMER, log: Path | None = None, **settings: str
    ) -> subprocess.Popen[bytes]:
        """Start a consumer whose model takes so long; with a log, that is where it says what happens."""
        bounds = {f"STRATEGY_MODEL_{name}_MS": str(model_ms) for name in ("MIN", "MAX")}
        stderr = self._closing.enter_context(log.open("wb")) if log else None
        environment = {**self._environment, **bounds, **settings}
        process = subprocess.Popen([sys.executable, *argv], env=environment, stderr=stderr)
        self._closing.callback(_end, process)
        return process

    def submit(self, *numbers: float) -> list[str]:
        """Submit a job for each number, and return their ids."""
        return [self.jobs.submit([number]).job_id for number in numbers]

    def begun(self, job_id: str) -> None:
        until(lambda: self.jobs.look_up(job_id).state == "started", "the job has not begun")

    def said(self, *names: str) -> list[float]:
        statistics = self.jobs.statistics()
        return [statistics.get(name, 0) for name in names]

    def settle(self, *ids: str) -> list[float | None]:
        """Wait until nothing is left to do, and return the results. Each job had one effect."""
        until(lambda: self.said("backlog") == [0], "jobs are left")
        assert self.said("effects", "duplicate_effects", "lost") == [len(ids), 0, 0]
        return [self.jobs.look_up(job_id).total for job_id in ids]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def stop(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal that ends a process, and wait for that."""
    process.send_signal(number)
    process.wait(20)


@pytest.fixture
def field() -> Iterator[Field]:
    with ExitStack() as closing:
        yield Field(closing.enter_context(embedded_server()), closing)


def test_jobs_are_done_in_turn_and_sigint_lets_the_running_one_end(field: Field) -> None:
    ids = field.submit(1, 2, 3, 4)
    consumer = field.consumer(model_ms=50)
    until(lambda: field.said("started")[0] >= 3, "the third job has not begun")
    stop(consumer, signal.SIGINT)
    done, started, effects = field.said("finished", "started", "effects")
    assert done == started == effects >= 3
    field.consumer(model_ms=0)
    assert field.settle(*ids) == [2, 4, 6, 8]
    assert field.said("started", "requeued", "out_of_order") == [4, 0, 0]


def test_sigterm_puts_the_running_job_back_and_another_consumer_does_it_next(field: Field) -> None:
    first, second = field.submit(1, 2)
    consumer = field.consumer(AT_WORK_MS)
    field.begun(first)
    stop(consumer, signal.SIGTERM)
    assert field.jobs.look_up(first) == ("queued", None)
    assert {task.id for task in field.jobs.huey.pending()} == {first, second}
    field.consumer(model_ms=0)
    assert field.settle(first, second) == [2, 4]
    assert field.said("started", "requeued") == [3, 1]


def test_a_consumer_is_killed_in_the_middle_of_a_job_and_another_does_it_again(field: Field) -> None:
    first, second = field.submit(1, 2)
    consumer = field.consumer(AT_WORK_MS)
    field.begun(first)
    stop(consumer, signal.SIGKILL)
    assert len(field.jobs.huey) == 1  # huey itself has forgotten the first
    field.consumer(model_ms=0)
    assert field.settle(first, second) == [2, 4]
    assert field.said("started", "requeued") == [3, 1]


def test_huey_alone_loses_what_its_killed_consumer_was_working_on(field: Field) -> None:
    first, second = field.submit(1, 2)
    consumer = field.consumer(AT_WORK_MS, STRATEGY_KEEPS="false")
    field.begun(first)
    stop(consumer, signal.SIGKILL)
    field.consumer(model_ms=0, STRATEGY_KEEPS="false")
    until(lambda: field.said("lost") == [1], "the consumer does not count as dead")
    until(lambda: field.jobs.look_up(second).total == 4, "the second job has no result")
    assert field.jobs.look_up(first) == ("started", None)
    assert (field.said("backlog", "effects", "requeued"), len(field.jobs.huey)) == ([1, 1, 0], 0)


@pytest.mark.parametrize("is_back", [True, False], ids=["at work", "and when it has its result"])
def test_redis_is_killed_while_a_job_is_at_work_and_nothing_is_lost(is_back: bool, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "consumer.log"
    with ExitStack() as closing:
        field = Field(f"redis://127.0.0.1:{port}/0", closing)
        server = _start_redis(port, tmp_path, closing)
        consumer = field.consumer(500, SOON_AGAIN, log)
        first, second = field.submit(1, 2)
        field.begun(first)
        stop(server, signal.SIGKILL)
        with pytest.raises(RedisError):
            field.submit(3)
        if not is_back:
            until(lambda: b"Unhandled error during execution" in log.read_bytes(), "it could store its result")
        _start_redis(port, tmp_path, closing)
        assert field.said("accepted") == [2]
        assert field.settle(first, second) == [2, 4]
        assert consumer.poll() is None


def _start_redis(port: int, folder: Path, closing: ExitStack) -> subprocess.Popen[bytes]:
    """Start a Redis that keeps what it has accepted, and wait until it answers."""
    server = subprocess.Popen(broker_command(port, folder), stdout=subprocess.DEVNULL)
    closing.callback(_end, server)
    with Redis(port=port) as client:
        until(lambda: _answers(client), "Redis does not answer")
    return server


def _answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def ask(stack: Stack, path: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(stack.base_url + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_the_whole_contender_loses_no_job_when_its_consumer_is_killed(stacks: Stacks) -> None:
    stack = stacks.get("job-huey")
    ids = [ask(stack, JOBS_PATH, b"[1, 2, 3, 4]")["id"] for _ in range(8)]
    until(lambda: ask(stack, STATISTICS_PATH).get("started", 0) >= 2, "jobs have not begun")
    (supervisor,) = [running.pid for running in stack.processes if running.role == "workers"]
    (consumer,) = psutil.Process(supervisor).children()
    consumer.kill()
    until(lambda: ask(stack, STATISTICS_PATH)["backlog"] == 0, "jobs are left")
    assert {ask(stack, f"{JOBS_PATH}/{each}")["total"] for each in ids} == {20.0}
    said = ask(stack, STATISTICS_PATH)
    assert (said["effects"], said["duplicate_effects"], said["lost"]) == (len(ids), 0, 0)
    assert not consumer.is_running()
