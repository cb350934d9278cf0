"""Real worker processes: each server starts as many as it is told, and replaces one that is killed."""

import json
import os
import signal
import urllib.error
import urllib.request
from typing import Any

import pytest

from benchmark.stack.processes import Stack
from tests.conftest import Stacks
from tests.integration.processes import until

pytestmark = pytest.mark.integration


def asked(stack: Stack, path: str, body: bytes | None = None) -> Any:
    """Return an answer; nothing if the connection is lost, as that of a worker that is killed."""
    request = urllib.request.Request(stack.base_url + path, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)
    except (urllib.error.URLError, ConnectionError):
        return None


def worker_pids(stack: Stack, number: int) -> set[int]:
    """Ask until so many different workers have answered."""
    found: set[int] = set()

    def all_answered() -> bool:
        answer = asked(stack, "/api/v1/stats")
        found.update([answer["pid"]] if answer else [])
        return len(found) >= number

    until(all_answered, f"answers of {number} workers, got those of {found}")
    return found


@pytest.mark.parametrize(
    ("contender", "number"),
    [
        ("workers-sync-2", 2),
        ("workers-gthread", 1),
        ("workers-gevent", 1),
        ("workers-uvicorn", 2),
        ("workers-granian", 2),
    ],
)
def test_a_worker_that_is_killed_is_replaced_and_every_server_answers_again(
    stacks: Stacks, contender: str, number: int
) -> None:
    stack = stacks.get(contender)
    assert asked(stack, "/api/v1/score", b"[1, 2, 3, 4]") == {"total": 10.0}
    pids = worker_pids(stack, number)
    killed = pids.pop()
    os.kill(killed, signal.SIGKILL)

    def replaced() -> bool:
        answer = asked(stack, "/api/v1/stats")
        return bool(answer) and answer["pid"] not in {*pids, killed}

    until(replaced, f"an answer of the worker that replaces {killed}")
    assert asked(stack, "/api/v1/score", b"[1, 2, 3, 4]") == {"total": 10.0}
    stack.check_alive()


def test_gunicorn_names_its_workers_for_the_harness_to_kill(stacks: Stacks) -> None:
    answer = asked(stacks.get("workers-sync-2"), "/api/v1/stats")
    assert len(answer["pids"]) == 2
    assert answer["pid"] in answer["pids"]
