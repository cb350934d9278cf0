"""The lag samplers: what holds up a waiter is told, and they run only where they were asked for."""

import asyncio
import atexit
import ctypes
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

import async_api.lag
import sync_api.lag
from contract.lag import LagSample, parse_lag_line
from contract.settings import Architecture, Role
from tests.unit.services.conftest import TWINS, Services

INTERVAL_MS = 5
BLOCKED_MS = 50
PATIENCE_S = 30  # only a failing test waits that long

every_twin = pytest.mark.parametrize("twin", TWINS)
every_role = pytest.mark.parametrize("role", ["scoring", "model"])


def lines(caplog: pytest.LogCaptureFixture) -> list[LagSample]:
    return [sample for record in caplog.records if (sample := parse_lag_line(record.getMessage()))]


def sample_thread(block: Callable[[], None], enough: Callable[[], bool], linger_s: float = 0.0) -> None:
    sampler = sync_api.lag.LagSampler(INTERVAL_MS)
    sampler.start()
    until_s = time.monotonic() + PATIENCE_S
    while not enough() and time.monotonic() < until_s:
        time.sleep(0.1)
        block()
    sampler.stop()
    time.sleep(linger_s)


def sample_loop(block: Callable[[], None], enough: Callable[[], bool], linger_s: float = 0.0) -> None:
    async def run() -> None:
        sampler = async_api.lag.LagSampler(INTERVAL_MS)
        sampler.start()
        until_s = time.monotonic() + PATIENCE_S
        while not enough() and time.monotonic() < until_s:
            await asyncio.sleep(0.1)
            block()
        await sampler.stop()
        await asyncio.sleep(linger_s)

    asyncio.run(run())


def hold_the_interpreter_lock() -> None:
    """Sleep as a function of C that does not give the lock back (PyDLL, not CDLL)."""
    ctypes.PyDLL(None).usleep(BLOCKED_MS * 1000)


@pytest.mark.parametrize(
    ("sample", "block"),
    [
        (sample_thread, hold_the_interpreter_lock),
        (sample_loop, lambda: time.sleep(BLOCKED_MS / 1000)),
    ],
    ids=TWINS,
)
def test_what_holds_up_a_waiter_is_told(sample: Any, block: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        sample(block, lambda: bool(lines(caplog)))
    (told,) = lines(caplog)
    assert told.max_ms >= BLOCKED_MS / 2
    assert told.n > 1


@pytest.mark.parametrize("sample", [sample_thread, sample_loop], ids=TWINS)
def test_a_stopped_sampler_says_no_more(sample: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        # It lingers for more than the second after which a sampler that runs on would speak again.
        sample(lambda: None, lambda: bool(lines(caplog)), linger_s=1.5)
    assert len(lines(caplog)) == 1


class Samplers:
    """Takes the place of a twin's LagSampler and writes down what is done with it."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []
        self.at_exit: list[Callable[[], None]] = []

    def make_sync(self, interval_ms: int) -> Any:
        samplers = self

        class Sampler:
            def start(self) -> None:
                samplers.done.append(("start", interval_ms))

            def stop(self) -> None:
                samplers.done.append(("stop", interval_ms))

        return Sampler()

    def make_async(self, interval_ms: int) -> Any:
        sampler = self.make_sync(interval_ms)

        class Sampler:
            start = sampler.start

            async def stop(self) -> None:
                sampler.stop()

        return Sampler()


@pytest.fixture
def samplers(monkeypatch: pytest.MonkeyPatch) -> Samplers:
    samplers = Samplers()
    monkeypatch.setattr(sync_api.lag, "LagSampler", samplers.make_sync)
    monkeypatch.setattr(async_api.lag, "LagSampler", samplers.make_async)
    monkeypatch.setattr(atexit, "register", samplers.at_exit.append)
    return samplers


@every_twin
@every_role
def test_lag_is_not_sampled_unless_asked_for(
    services: Services, samplers: Samplers, twin: Architecture, role: Role
) -> None:
    services.make(twin, role)
    services.stop()
    assert samplers.done == []
    assert samplers.at_exit == []


@every_twin
@every_role
def test_lag_is_sampled_while_a_service_lives(
    services: Services, samplers: Samplers, twin: Architecture, role: Role
) -> None:
    services.make(twin, role, lag_sample_ms=7)
    assert samplers.done == [("start", 7)]
    services.stop()
    for end in samplers.at_exit:
        end()
    assert samplers.done == [("start", 7), ("stop", 7)]
