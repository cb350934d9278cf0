"""Workers of RQ, their work-horses and their Redis, killed while they work: nothing is lost, no effect comes twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest
from redis import Redis, RedisError

from benchmark.stack.processes import free_port
from contract.errors import ServiceError
from feature_store.server import embedded_server
from strategies.broker import broker_command
from strategies.callbacks import CallbackSettings
from strategies.job_rq.jobs import Jobs
from strategies.job_rq.parameters import ATTEMPTS
from strategies.job_rq.settings import JobSettings
from tests.integration.processes import until

pytestmark = pytest.mark.integration

LONG_MS = 700.0  # a job that is certainly at work when it is killed


class Field:
    """A queue, and processes that work it off."""

    def __init__(self, url: str, closing: ExitStack) -> None:
        self._closing, self.url = closing, url
        self._environment = {
            **os.environ,
            "STRATEGY_REDIS_URL": url,
            "STRATEGY_SHORTEST_MS": str(LONG_MS),
            "STRATEGY_LONGEST_MS": str(LONG_MS),
            "CALLBACK_SECRET": "secret",
            "CALLBACK_ALLOW": "127.0.0.1",
        }
        self.jobs = Jobs(JobSettings(redis_url=url), CallbackSettings())
        self.ids: list[str] = []

    def start(self, *args: str, **settings: str) -> psutil.Process:
        """Start a process of the strategies."""
        process = subprocess.Popen([sys.executable, "-m", *args], env={**self._environment, **settings})
        self._closing.callback(self._end, process)
        return psutil.Process(process.pid)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def worker(self, kind: str = "forks") -> psutil.Process:
        return self.start("strategies.job_rq.worker", "jobs", STRATEGY_WORKER=kind)

    def submit(self, number: float, key: str | None = None) -> str:
        reply = self.jobs.submit([number], key, None)
        self.ids.append(reply.headers["Location"].rpartition("/")[2])
        return self.ids[-1]

    def is_done(self, job_id: str) -> bool:
        return self.jobs.find(job_id).status == HTTPStatus.OK

    def is_at_work(self, job_id: str) -> bool:
        return b'"started"' in self.jobs.find(job_id).body

    def said(self, *names: str) -> list[Any]:
        statistics = self.jobs.statistics()
        return [statistics[name] for name in names]

    def settle(self) -> None:
        """Wait for all results. Each job had one effect."""
        until(lambda: all(map(self.is_done, self.ids)), "a job has no result")
        assert self.said("effects", "duplicate_effects", "backlog") == [len(self.ids), 0, 0]


@pytest.fixture
def field() -> Iterator[Field]:
    with ExitStack() as closing:
        yield Field(closing.enter_context(embedded_server()), closing)


def kill(*processes: psutil.Process) -> None:
    for process in processes:
        process.send_signal(signal.SIGKILL)


def work_horse(worker: psutil.Process) -> psutil.Process:
    until(worker.children, "the worker has forked nothing")
    return worker.children()[0]


def begun(field: Field, job_id: str, runs: int = 1) -> None:
    """Wait until a job has begun; `runs` is how often jobs have by then, this time included."""
    until(lambda: field.is_at_work(job_id), "the job has not begun")
    until(lambda: field.jobs.statistics().get("runs", 0) >= runs, "its run is not counted")


def test_a_worker_and_its_work_horse_are_killed_and_another_worker_runs_the_job_again(field: Field) -> None:
    worker = field.worker()
    first, second = field.submit(1), field.submit(2)
    begun(field, first)
    kill(worker, work_horse(worker))
    assert not field.is_done(first)
    field.worker()
    until(lambda: field.is_done(second), "the second job has no result")
    field.settle()
    assert field.said("runs", "reruns") == [3, 1]


def test_a_work_horse_outlives_its_worker_and_its_job_runs_once(field: Field) -> None:
    worker = field.worker()
    job_id = field.submit(1)
    begun(field, job_id)
    horse = work_horse(worker)
    kill(worker)
    field.worker()
    field.settle()
    until(partial(_has_ended, horse), "the work-horse goes on")
    assert field.said("runs", "reruns") == [1, 0]


def test_a_work_horse_is_killed_and_its_worker_runs_the_job_again_at_once(field: Field) -> None:
    worker = field.worker()
    first = field.submit(1)
    field.submit(2)
    begun(field, first)
    kill(work_horse(worker))
    field.settle()
    assert field.said("runs", "reruns") == [3, 1]


def test_a_simple_worker_is_killed_and_another_runs_its_job_again(field: Field) -> None:
    worker = field.worker("simple")
    job_id = field.submit(1)
    begun(field, job_id)
    kill(worker)
    field.worker("simple")
    field.settle()
    assert field.said("runs", "reruns") == [2, 1]


def test_a_job_that_kills_every_work_horse_is_given_up_and_those_behind_it_are_not(field: Field) -> None:
    worker = field.worker()
    poison, behind = field.submit(1), field.submit(2)
    for run in range(1, ATTEMPTS + 1):
        begun(field, poison, run)
        horse = work_horse(worker)
        kill(horse)
        until(partial(_has_ended, horse), "the work-horse goes on")
    until(lambda: _gave_up(field, poison), "the job goes on")
    with pytest.raises(ServiceError, match="given up"):
        field.jobs.find(poison)
    until(lambda: field.is_done(behind), "the job behind it has no result")
    assert field.said("effects") == [1]


def _has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def _gave_up(field: Field, job_id: str) -> bool:
    try:
        field.jobs.find(job_id)
        return False
    except ServiceError:
        return True


@pytest.mark.parametrize("away_s", [0.0, 2 * LONG_MS / 1e3], ids=["at work", "and when it has its result"])
def test_redis_is_killed_while_a_job_is_at_work_and_no_job_is_lost(away_s: float, tmp_path: Path) -> None:
    port = free_port()
    redis = Redis(port=port)
    with ExitStack() as closing:
        field = Field(f"redis://127.0.0.1:{port}/0", closing)
        server = closing.enter_context(subprocess.Popen(broker_command(port, tmp_path)))
        until(_answers(redis), "Redis does not answer")
        field.start("strategies.supervisor", "strategies.job_rq.worker", "jobs")
        first = field.submit(1, key="first")
        field.submit(2)
        begun(field, first)
        server.kill()
        server.wait()
        with pytest.raises(ServiceError, match="does not answer"):
            field.jobs.submit([3.0], "third", None)
        time.sleep(away_s)
        server = closing.enter_context(subprocess.Popen(broker_command(port, tmp_path)))
        closing.callback(server.terminate)
        until(_answers(redis), "Redis does not come back")
        assert field.submit(1, key="first") == first  # accepted before, and known after
        field.ids.pop()
        assert len(redis.keys("rq:job:*")) == len(field.ids)  # and nothing was accepted meanwhile
        field.settle()


def _answers(redis: Redis) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            return bool(redis.ping())
        except RedisError:
            return False

    return ask


def test_a_callback_comes_when_its_receiver_is_there(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLBACK_SECRET", "secret")
    monkeypatch.setenv("CALLBACK_ALLOW", "127.0.0.1")
    url = field.url
    port = free_port()
    field.start("strategies.job_rq.worker", STRATEGY_SHORTEST_MS="0", STRATEGY_LONGEST_MS="0")  # both queues
    jobs = Jobs(JobSettings(redis_url=url), CallbackSettings())
    jobs.submit([1.0], None, f"http://127.0.0.1:{port}/callbacks")
    until(lambda: jobs.statistics().get("callbacks_failed", 0) >= 1, "nothing was tried")
    field.start("strategies.receiver", "--port", str(port), STRATEGY_REDIS_URL=url)
    until(lambda: jobs.statistics().get("told", 0) == 1, "the callback was not told")
    assert Redis.from_url(url).hget("receiver:counters", "received") == b"1"
    assert field.said("effects", "callbacks_lost") == [1, 0]
