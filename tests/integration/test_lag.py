"""The lag of real servers: every worker of every service logs it, and stops with it."""

import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from benchmark.load.parity import Case, ask
from benchmark.stack.processes import Running, Stack
from contract.lag import LagSample, parse_lag_line
from tests.conftest import CONTENDERS, Stacks

pytestmark = pytest.mark.integration

ROLES = ["scoring", "model"]
WORKERS = 2
SECOND_NS = 1_000_000_000
PATIENCE_S = 40.0  # only a failing test waits that long


@pytest.fixture(scope="module", params=["sync", "async"])
def stack(request: pytest.FixtureRequest, stacks: Stacks) -> Stack:
    env = {"SERVING_LAG_SAMPLE_MS": "5", "SERVING_WORKERS": str(WORKERS)}
    return stacks.start(CONTENDERS[request.param], env)


def running(stack: Stack, role: str) -> Running:
    return next(process for process in stack.processes if process.role == role)


def lag_lines(process: Running) -> list[LagSample]:
    lines = [line for line in process.log.read_text().splitlines() if "lag t_ns" in line]
    samples = [sample for line in lines if (sample := parse_lag_line(line))]
    assert len(samples) == len(lines), lines
    return samples


def until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain until {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("role", ROLES)
def test_every_worker_logs_its_lag_once_per_second(stack: Stack, role: str) -> None:
    """One process says nothing for a second after it spoke: lines that are closer come from two."""
    process = running(stack, role)
    ends_ns: list[int] = []

    def two_speak() -> bool:
        ends_ns[:] = sorted(sample.t_ns for sample in lag_lines(process))
        return any(later - earlier < SECOND_NS for earlier, later in pairwise(ends_ns))

    started_ns = time.monotonic_ns()
    until(two_speak, "two workers have spoken")
    until(lambda: max(sample.t_ns for sample in lag_lines(process)) > started_ns, "a line is of this clock")
    assert all(later - earlier >= SECOND_NS for earlier, later in zip(ends_ns, ends_ns[WORKERS:], strict=False))


def test_a_service_that_samples_its_lag_answers_and_ends_as_ever(stack: Stack) -> None:
    assert ask(stack.base_url, stack.contender.endpoint, Case("predict")).status == 200
    for role in reversed(ROLES):
        process = running(stack, role)
        until(lambda process=process: bool(lag_lines(process)), "it has spoken")  # type: ignore[misc]
        process.popen.terminate()
        assert process.popen.wait(PATIENCE_S) == 0
        log = process.log.read_text()
        assert "Traceback" not in log
        assert "Fatal" not in log
