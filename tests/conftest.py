"""Servers for tests: real ones, on free ports, stopped at the end."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from benchmark.contenders.discovery import Contender, discover
from benchmark.scenarios import discovery as scenarios
from benchmark.stack.processes import Stack, running_stack
from benchmark.stack.watchdog import Guard

CONTENDERS = discover()
SCORING = scenarios.discover()["scoring"]
REAL = [name for name, contender in CONTENDERS.items() if contender.default and not contender.harness_floor]
OTHER_SERVERS = ["sync-gevent", "async-granian"]
IN_CI = bool(os.environ.get("CI"))

# A busy machine can stop a service for longer than its timeouts, and its 503 then says nothing about what is tested.
# Tests of the timeouts set their own.
PATIENT = {
    "SERVING_REDIS_TIMEOUT_MS": "15000",
    "SERVING_MODEL_TIMEOUT_MS": "15000",
    "STRATEGY_REDIS_TIMEOUT_MS": "15000",
    "STRATEGY_REDIS_TIMEOUT_S": "15",
}

settings.register_profile("any machine", deadline=None)  # how long an example takes says nothing on a busy one
settings.load_profile("any machine")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts background jobs so, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: tests with real servers wait for half of their time."""
    return (os.cpu_count() or 1) + 2


@pytest.fixture(scope="session")
def guard() -> Iterator[Guard]:
    """Stops what a test leaves behind, even if the test process is killed."""
    guard = Guard()
    yield guard
    guard.close()


class Stacks:
    """Starts a contender when it is first asked for, and keeps it for the module."""

    def __init__(self, exit_stack: ExitStack, logs: Path, guard: Guard) -> None:
        self._exit_stack, self._logs, self._guard = exit_stack, logs, guard
        self._started: dict[str, Stack] = {}

    def get(self, name: str) -> Stack:
        if name not in self._started:
            self._started[name] = self.start(CONTENDERS[name])
        return self._started[name]

    def start(self, contender: Contender, env: dict[str, str] | None = None) -> Stack:
        """Start a stack of its own, on free ports, with timeouts that a busy machine does not exceed."""
        running = running_stack(contender, self._logs, self._guard, {**PATIENT, **(env or {})}, free_ports=True)
        return self._exit_stack.enter_context(running)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory, guard: Guard) -> Iterator[Stacks]:
    with ExitStack() as exit_stack:
        yield Stacks(exit_stack, tmp_path_factory.mktemp("logs"), guard)
