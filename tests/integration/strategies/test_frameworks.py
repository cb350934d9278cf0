"""BentoML and LitServe, in their environments: right answers, refusals, and what is left after kill -9.

Where the environments are not built, `make strategies STRATEGY=frameworks` builds them; until then these are skipped.
"""

import contextlib
import json
import os
import signal
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from benchmark.contenders.discovery import Contender
from benchmark.measure.sampling import processes_of
from benchmark.stack.environments import environment_of, is_built
from benchmark.stack.ports import HOST
from benchmark.stack.processes import Stack
from tests.conftest import CONTENDERS, Stacks

pytestmark = pytest.mark.integration

FRAMEWORKS = ["fastapi", "bentoml", "litserve"]
WORKERS = {"bentoml": "_bentoml_impl.worker.service", "litserve": "spawn_main"}  # in the command line of who computes
RECOVERY_S = 60.0


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    need(CONTENDERS[f"frameworks-{name}-batched"])
    return name


def need(contender: Contender) -> None:
    for process in contender.process:
        if process.requirements and not is_built(environment_of(contender.folder / process.requirements)):
            pytest.skip(f"the environment of {contender.name} is not built: make strategies STRATEGY=frameworks")


def ask(stack: Stack, body: bytes, timeout_s: float = 20) -> tuple[int, bytes]:
    url = stack.base_url + stack.contender.endpoint
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def ask_row(stack: Stack, *row: float) -> list[float]:
    status, body = ask(stack, json.dumps({"rows": [row]}).encode())
    assert status == 200
    found: list[float] = json.loads(body)
    return found


def test_each_request_gets_its_own_answer(stacks: Stacks, framework: str) -> None:
    stack = stacks.get(f"frameworks-{framework}-batched")
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: ask_row(stack, number, number / 7), range(32)))
    assert found == [[number + number / 7] for number in range(32)]


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b'{"rows": []}', b'{"rows": [["x"]]}', b'{"rows": [[1], [2]]}'])
def test_a_bad_body_answers_400_and_fails_nobody_else(stacks: Stacks, framework: str, body: bytes) -> None:
    stack = stacks.get(f"frameworks-{framework}-batched")
    with ThreadPoolExecutor(8) as pool:
        others = [pool.submit(ask_row, stack, number, 1) for number in range(7)]
        assert ask(stack, body)[0] == 400
        assert [other.result() for other in others] == [[number + 1] for number in range(7)]


def test_it_listens_on_loopback_alone(stacks: Stacks, framework: str) -> None:
    stack = stacks.get(f"frameworks-{framework}-batched")
    own = {process.pid for process in processes_of(stack.processes[0].pid)}
    listening = [
        getattr(each.laddr, "ip", "")
        for each in psutil.net_connections("tcp")
        if each.pid in own and each.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {HOST}


@pytest.mark.parametrize("name", WORKERS)
def test_it_answers_again_after_its_worker_was_killed(stacks: Stacks, name: str) -> None:
    need(CONTENDERS[f"frameworks-{name}-batched"])
    stack = stacks.get(f"frameworks-{name}-batched")
    (worker,) = workers(stack, name)
    os.kill(worker, signal.SIGKILL)
    until_s = time.monotonic() + RECOVERY_S
    answered = False
    while not answered and time.monotonic() < until_s:
        with contextlib.suppress(OSError):
            answered = ask(stack, b'{"rows": [[1, 2]]}') == (200, b"[3.0]")
    assert answered
    assert workers(stack, name) != [worker]


def workers(stack: Stack, name: str) -> list[int]:
    running = processes_of(stack.processes[0].pid)
    return [process.pid for process in running if any(WORKERS[name] in part for part in process.cmdline())]
