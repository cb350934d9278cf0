"""huey's consumer in a real process, killed while it works: with a row for each job nothing is lost."""

import json
import os
import signal
import urllib.request
from typing import Any

import psutil
import pytest

from benchmark.stack.processes import Stack
from strategies.job_huey.parameters import JOBS_PATH
from strategies.web import STATISTICS_PATH
from tests.conftest import CONTENDERS, Stacks
from tests.integration.processes import until

pytestmark = pytest.mark.integration
JOBS = 20


def ask(stack: Stack, path: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(stack.base_url + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def kill_consumer(stack: Stack) -> None:
    (supervisor,) = [running.pid for running in stack.processes if running.role == "workers"]
    for child in psutil.Process(supervisor).children():
        os.kill(child.pid, signal.SIGKILL)


def submit_and_kill(stack: Stack, times: int) -> list[str]:
    ids = [ask(stack, JOBS_PATH, b"[1, 2, 3, 4]")["id"] for _ in range(JOBS)]
    for number in range(times):
        until(lambda least=number: ask(stack, STATISTICS_PATH).get("started", 0) > 2 * least, "jobs that are begun")  # type: ignore[misc]
        kill_consumer(stack)
    return ids


def test_a_killed_consumer_loses_no_job_and_no_effect_is_written_twice(stacks: Stacks) -> None:
    stack = stacks.get("job-huey")
    ids = submit_and_kill(stack, 2)
    until(lambda: ask(stack, STATISTICS_PATH)["backlog"] == 0, "an empty backlog")
    assert {ask(stack, f"{JOBS_PATH}/{each}")["total"] for each in ids} == {20.0}
    said = ask(stack, STATISTICS_PATH)
    assert (said["effects"], said["duplicate_effects"]) == (JOBS, 0)
    assert said["started"] >= JOBS


def test_huey_alone_loses_what_its_consumer_was_working_on(stacks: Stacks) -> None:
    slow = {"STRATEGY_MODEL_MIN_MS": "60000", "STRATEGY_MODEL_MAX_MS": "60000"}
    stack = stacks.start(CONTENDERS["job-huey-naive"], slow)
    ask(stack, JOBS_PATH, b"[1, 2, 3, 4]")
    until(lambda: ask(stack, STATISTICS_PATH).get("started") == 1, "a job that is begun")
    kill_consumer(stack)
    until(lambda: ask(stack, STATISTICS_PATH)["lost"] == 1, "a job that is lost")
