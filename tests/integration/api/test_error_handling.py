"""Error handling: whatever a client sends or a dependency does, the answer is the contract's, and the next is good.

The third of the four kinds of tests of an ML API (doc/testing.md). Also of this kind: test_faults.py (every way in
which Redis or a model can fail), test_shedding.py (too many requests).
"""

import json
import random

import psutil
import pytest

from benchmark.load.parity import Case, ParityResponse, ask
from benchmark.measure.faults import kill_tree
from benchmark.stack.processes import Stack
from contract import errors
from contract.schema import HEALTHCHECK_PATH, READY_PATH
from contract.settings import Settings
from tests.conftest import CONTENDERS, Stacks
from tests.integration.api.asking import FAST, TWINS, Asked, ask_all
from tests.integration.test_faults import stopped, until, until_seeded

pytestmark = pytest.mark.integration

HASTY = {"SERVING_MODEL_TIMEOUT_MS": "400", "SERVING_REDIS_TIMEOUT_MS": "400"}
TALKATIVE = {"SERVING_LOG_LEVEL": "debug"}
GOOD = Asked(b"[5.1,3.5,1.4,0.2]")
LIMIT = Settings().max_body_bytes
WRONG = {
    "nothing": (b"", 400),
    "no JSON": (b"{", 400),
    "no UTF-8": (b"[\xff]", 400),
    "an object": (b'{"0": 1}', 400),
    "no numbers": (b"[]", 400),
    "too many numbers": (json.dumps([1] * 65).encode(), 400),
    "a word": (b'["5.1"]', 400),
    "true": (b"[true]", 400),
    "null": (b"[null]", 400),
    "not a number": (b"[NaN]", 400),
    "infinity": (b"[1e999]", 400),
    "a nest": (b"[" * 5_000, 400),
    "two arrays": (b"[1][2]", 400),
    "too many bytes": (b"[" + b" " * LIMIT + b"1]", 413),
}


@pytest.fixture(scope="module")
def twins(stacks: Stacks) -> dict[str, Stack]:
    """Both twins, with a log of all that they have to say."""
    started = {name: stacks.start(CONTENDERS[name], {**FAST, **TALKATIVE}) for name in TWINS}
    for stack in started.values():
        until_seeded(stack)
    return started


def problems(stack: Stack, requests: list[Asked]) -> list[tuple[int, bytes]]:
    """Return statuses and bodies; every one that is no 200 must be a problem document of its status."""
    found = []
    for answered in ask_all(stack, requests, clients=1):
        if answered.status != 200:
            assert answered.headers["content-type"] == errors.PROBLEM_CONTENT_TYPE, answered
            assert json.loads(answered.body)["status"] == answered.status
            found.append((answered.status, answered.body))
        else:
            found.append((200, b""))  # the number is drawn
    return found


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_body_is_refused_alike_by_both_twins_and_the_next_request_is_answered(
    twins: dict[str, Stack], what: str
) -> None:
    body, status = WRONG[what]
    sync, asynchronous = (problems(twins[name], [Asked(body), GOOD]) for name in TWINS)
    assert [got for got, _ in sync] == [status, 200]
    assert sync == asynchronous


def test_garbage_is_never_the_services_fault(twins: dict[str, Stack]) -> None:
    chance = random.Random(1)
    pieces = [b"[", b"]", b"1", b".5", b"-", b"e9", b",", b" ", b'"', b"{}", b"null", b"\x00", b"\xc3\xa4", b"\xff"]
    bodies = [b"".join(chance.choices(pieces, k=chance.randint(1, 12))) for _ in range(200)]
    sync, asynchronous = (problems(twins[name], [Asked(body) for body in bodies]) for name in TWINS)
    assert sync == asynchronous
    assert {status for status, _ in sync} <= {200, 400}
    assert sum(status == 400 for status, _ in sync) > 100


@pytest.mark.parametrize("name", TWINS)
def test_what_a_client_sends_is_not_logged(twins: dict[str, Stack], name: str) -> None:
    secret = {"Authorization": "Bearer S3CRET", "Cookie": "session=S3CRET", "Content-Type": "application/json"}
    requests = [Asked(body, "?token=S3CRET", secret) for body in (GOOD.body, b'["S3CRET"]', b"S3CRET")]
    requests.append(Asked(GOOD.body, "?entity_id=S3CRET", secret))
    assert [answered.status for answered in ask_all(twins[name], requests, clients=1)] == [200, 400, 400, 404]
    logs = {running.role: running.log.read_text() for running in twins[name].processes}
    assert "settings: " in logs["scoring"]
    assert [role for role, text in logs.items() if "S3CRET" in text] == []


@pytest.mark.parametrize("name", TWINS)
def test_every_failure_of_a_dependency_has_its_status_and_health_stays_up(stacks: Stacks, name: str) -> None:
    stack = stacks.start(CONTENDERS[name], {**FAST, **HASTY})
    until_seeded(stack)
    with stopped(stack, "model"):
        assert said(stack, Case("predict")) == (504, None)
        assert said(stack, Case("ready", "GET", READY_PATH, body=b"")) == (503, "1")
    until(lambda: said(stack, Case("predict"))[0] == 200)
    with stopped(stack, "redis"):
        assert said(stack, Case("predict")) == (503, "1")
    until(lambda: said(stack, Case("predict"))[0] == 200)
    for role, status in (("model", 502), ("redis", 503)):
        processes = tree(stack, role)
        kill_tree(processes[0].pid)
        assert not psutil.wait_procs(processes, 10)[1]
        assert said(stack, Case("predict"))[0] == status
        assert said(stack, Case("health", "GET", HEALTHCHECK_PATH, body=b"")) == (200, None)


def said(stack: Stack, case: Case) -> tuple[int, str | None]:
    """Return status and Retry-After of an answer."""
    response: ParityResponse = ask(stack.base_url, stack.contender.endpoint, case)
    return response.status, response.headers.get("retry-after")


def tree(stack: Stack, role: str) -> list[psutil.Process]:
    root = psutil.Process(next(running.pid for running in stack.processes if running.role == role))
    return [root, *root.children(recursive=True)]
