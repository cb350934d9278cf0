"""A signal that ends a coroutine closes its tasks first."""

import asyncio
import gc
import os
import signal
from collections.abc import Iterator

import pytest

from benchmark.contenders.discovery import ROOT
from benchmark.measure.interruptible import run_async


class Ended(KeyboardInterrupt):
    """What a handler raises."""


def raise_ended(number: int, _: object) -> None:
    raise Ended(number)


@pytest.fixture(params=[signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    before = signal.signal(request.param, raise_ended)
    try:
        yield request.param
        assert signal.getsignal(request.param) is raise_ended
    finally:
        signal.signal(request.param, before)


def test_a_signal_in_the_middle_of_a_task_closes_all_of_them_and_is_then_raised(
    number: signal.Signals, caplog: pytest.LogCaptureFixture
) -> None:
    closed = []

    async def user(name: int) -> None:
        try:
            await asyncio.sleep(0.001 * name)
            os.kill(os.getpid(), number)
            await asyncio.sleep(60)
        finally:
            closed.append(name)

    async def main() -> None:
        await asyncio.gather(*(user(name) for name in range(3)))

    with pytest.raises(Ended) as ended:
        run_async(main())
    assert ended.value.args == (number,)
    assert sorted(closed) == [0, 1, 2]
    gc.collect()
    assert not caplog.records


def test_a_signal_at_the_very_end_is_not_lost(number: signal.Signals) -> None:
    async def main() -> None:
        os.kill(os.getpid(), number)

    with pytest.raises(Ended):
        run_async(main())


def test_what_goes_wrong_is_raised_and_what_it_returns_is_returned() -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def give() -> int:
        return 7

    with pytest.raises(ValueError, match="no"):
        run_async(fail())
    assert run_async(give()) == 7


def test_nothing_that_measures_runs_a_coroutine_in_another_way() -> None:
    own = {
        "measure/interruptible.py",
        "measure/fault_proxy.py",
        "monitor/watch.py",
    }  # the latter two stop by themselves
    harness = ROOT / "benchmark"
    files = [path for path in harness.rglob("*.py") if "contenders" not in path.relative_to(harness).parts]
    users = {str(path.relative_to(harness)) for path in files if "asyncio.run(" in path.read_text()}
    assert users == own
