"""The whole push worker, while any of its processes is killed: nothing is lost, and each job has one effect."""

import contextlib
import http.client
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psutil
import pytest

from benchmark.stack.processes import Stack
from strategies.postgres_server import PostgresServer
from strategies.push_worker.parameters import POISON
from strategies.push_worker.service import SUMMARIES_PATH
from strategies.web import STATISTICS_PATH
from tests.conftest import Stacks
from tests.integration.processes import until

pytestmark = pytest.mark.integration

PATIENCE_S = 30.0
JOBS = 80


def ask(stack: Stack, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], Any]:
    """Return status, headers and document of an answer; status 0 if there is none."""
    request = urllib.request.Request(stack.base_url + path, body, {"Content-Type": "application/json"})
    try:
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, dict(answer.headers), json.loads(answer.read())
    except (OSError, http.client.HTTPException):  # the API was killed, even in the middle of an answer
        return 0, {}, None


def result_of(stack: Stack, numbers: list[float], until_s: float | None = None) -> tuple[int, Any]:
    """Submit until it is accepted, and ask until there is a result."""
    deadline_s = until_s or time.monotonic() + PATIENCE_S
    body, path = json.dumps(numbers).encode(), SUMMARIES_PATH
    while time.monotonic() < deadline_s:
        status, headers, document = ask(stack, path, body)
        if status == 202 and "location" in headers:
            path, body = headers["location"], None  # type: ignore[assignment]
        elif status not in (0, 202, 503):
            return status, document
        time.sleep(0.05)
    return 0, None


def kill_child_of(stack: Stack, role: str) -> None:
    """Kill what the supervisor of a role runs, and wait for its successor."""
    (pid,) = (running.pid for running in stack.processes if running.role == role)
    supervisor = psutil.Process(pid)
    until(lambda: _running(supervisor), f"a {role} runs")
    (child,) = _running(supervisor)
    child.kill()
    until(lambda: [each.pid for each in _running(supervisor)] not in ([], [child.pid]), f"another {role} runs")


def _running(supervisor: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in supervisor.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def test_while_worker_dispatcher_broker_and_api_are_killed_nothing_is_lost_and_each_job_has_one_effect(
    stacks: Stacks,
) -> None:
    stack = stacks.get("push-worker-killed")
    until_s = time.monotonic() + PATIENCE_S
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(result_of, stack, [10.0, number, -number], until_s) for number in range(JOBS)]
        for role in ("worker", "dispatcher", "broker", "scoring", "dispatcher", "worker"):
            time.sleep(0.15)
            kill_child_of(stack, role)
        assert {str(answer.result()) for answer in asked} == {str((200, {"total": 20.0}))}
    until(lambda: ask(stack, STATISTICS_PATH)[2], "the API answers")
    found = ask(stack, STATISTICS_PATH)[2]
    assert (found["success"], found["effects"], found["duplicate_effects"]) == (JOBS, JOBS, 0)
    assert (found["backlog"], found["error"], found["dead"]) == (0, 0, 0)


def test_while_the_database_is_killed_nothing_is_lost_and_nothing_is_given_up(
    stacks: Stacks, postgres: PostgresServer
) -> None:
    """`postgres` skips this where there is no such server; the contender runs one of its own."""
    stack = stacks.get("push-worker-postgres-new")
    until_s = time.monotonic() + PATIENCE_S
    with ThreadPoolExecutor(12) as pool:
        asked = [pool.submit(result_of, stack, [10.0, number, -number], until_s) for number in range(JOBS)]
        for number in range(2):
            until(partial(_is_accepted, stack, [5.0, 5.0, number]), "the database is up")
            kill_child_of(stack, "database")
        assert {str(answer.result()) for answer in asked} == {str((200, {"total": 20.0}))}
    until(lambda: ask(stack, STATISTICS_PATH)[2]["backlog"] == 0, "all is done")
    found = ask(stack, STATISTICS_PATH)[2]
    assert (found["effects"], found["duplicate_effects"]) == (JOBS + 2, 0)
    assert (found["backlog"], found["error"], found["dead"]) == (0, 0, 0)


def _is_accepted(stack: Stack, numbers: list[float]) -> bool:
    return ask(stack, SUMMARIES_PATH, json.dumps(numbers).encode())[0] in (200, 202)


def test_64_requests_at_once_for_one_new_summary_make_one_message(stacks: Stacks) -> None:
    stack = stacks.get("push-worker-same")
    with ThreadPoolExecutor(64) as pool:
        found = list(pool.map(lambda _: result_of(stack, [1, 2, 3, 4]), range(64)))
    assert found == [(200, {"total": 20.0})] * 64
    counted = ask(stack, STATISTICS_PATH)[2]
    assert (counted["messages"], counted["runs"], counted["effects"]) == (1, 1, 1)


def test_a_poisonous_summary_is_given_up_after_five_runs_and_says_so(stacks: Stacks) -> None:
    stack = stacks.get("push-worker-same")
    status, document = result_of(stack, [POISON, 1])
    assert status == 502
    assert "5 attempts" in document["detail"]
    assert result_of(stack, [POISON, 2, 3])[0] == 502
    assert result_of(stack, [5.0, 5.0]) == (200, {"total": 20.0})
