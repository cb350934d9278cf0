"""Worker processes of the hub strategy, killed and hung and short of work: nothing is lost, and nothing hangs."""

import asyncio
import json
import multiprocessing
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop

from benchmark.errors import NotAvailable
from benchmark.stack.environments import ENVIRONMENTS
from contract.errors import BadModelAnswer, ServiceError, Unavailable
from strategies.hub.executor import ExecutorPool
from strategies.hub.ours import Hub, OwnPool
from strategies.hub.settings import HubSettings
from strategies.web import SCORE_PATH, STATISTICS_PATH
from tests.conftest import CONTENDERS, Stacks
from tests.integration.processes import until

pytestmark = pytest.mark.integration

# A worker that echoes, after it has seen to what a line says.
WORKER = """
import os, pathlib, signal, sys, time
print("ready", flush=True)
for line in sys.stdin:
    what, _, path = line.strip().partition(" ")
    if what == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    while what == "await" and not pathlib.Path(path).exists():
        time.sleep(0.005)
    if what == "note":
        with open(path, "a") as notes:
            notes.write("x")
    print(line, end="", flush=True)
"""
PATIENCE_S = 20.0
Check = Coroutine[Any, Any, None]


def run(check: Check) -> None:
    """Run on the event loop that serves. A hub that hangs fails the test."""

    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await check

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


@asynccontextmanager
async def hub_of(size: int, script: str = WORKER, longest_s: float = PATIENCE_S) -> AsyncIterator[Hub]:
    hub = Hub((sys.executable, "-c", script), size, longest_s)
    async with hub.running():
        yield hub
    assert hub.pids == []


async def wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def replaced(hub: Hub, pid: int) -> bool:
    """Whether another worker runs in place of one of two."""
    return len(hub.pids) == 2 and pid not in hub.pids


async def outcome(answer: Coroutine[Any, Any, Any]) -> Any:
    """Return an answer, or the status of the error."""
    try:
        return await answer
    except ServiceError as error:
        return int(error.status)


def test_requests_are_answered_in_the_order_in_which_they_came() -> None:
    async def check() -> None:
        async with hub_of(1) as hub:
            done: list[int] = []

            async def ask(number: int) -> None:
                assert await hub.ask(b"%d\n" % number) == b"%d\n" % number
                done.append(number)

            await asyncio.gather(*map(ask, range(20)))
            assert done == list(range(20))

    run(check())


def test_eight_callers_on_two_workers_get_their_own_answers_and_no_errors() -> None:
    async def check() -> None:
        async with hub_of(2) as hub:

            async def call(caller: int) -> None:
                for number in range(100):
                    line = b"%d of %d\n" % (number, caller)
                    assert await hub.ask(line) == line

            await asyncio.gather(*map(call, range(8)))
            assert (hub.retried, hub.replaced) == (0, 0)

    run(check())


def test_a_worker_killed_in_the_middle_costs_one_retry_and_neither_answer_nor_place_in_the_queue(
    tmp_path: Path,
) -> None:
    async def check() -> None:
        async with hub_of(1) as hub:
            line = b"await %s\n" % str(tmp_path / "go").encode()
            asked = [asyncio.create_task(hub.ask(each)) for each in (line, b"next\n")]
            await asyncio.sleep(0.05)
            (pid,) = hub.pids
            os.kill(pid, signal.SIGKILL)
            await wait_for(lambda: hub.pids not in ([], [pid]))
            (tmp_path / "go").touch()
            assert [await answer for answer in asyncio.as_completed(asked)] == [line, b"next\n"]
            assert (hub.retried, hub.replaced) == (1, 1)

    run(check())


def test_an_idle_worker_that_is_killed_is_replaced_and_costs_no_retry() -> None:
    async def check() -> None:
        async with hub_of(1) as hub:
            (pid,) = hub.pids
            os.kill(pid, signal.SIGKILL)
            await wait_for(lambda: hub.pids not in ([], [pid]))
            assert await hub.ask(b"1\n") == b"1\n"
            assert (hub.retried, hub.replaced) == (0, 1)

    run(check())


def test_kills_in_quick_succession_lose_nothing() -> None:
    async def check() -> None:
        async with hub_of(2) as hub:
            lines = [b"%d\n" % number for number in range(450)]
            asked = [asyncio.create_task(hub.ask(line)) for line in lines[:200]]
            for _ in range(5):
                (pid, *_) = hub.pids
                os.kill(pid, signal.SIGKILL)
                await wait_for(partial(replaced, hub, pid))
                asked += [asyncio.create_task(hub.ask(line)) for line in lines[len(asked) : len(asked) + 50]]
            assert await asyncio.gather(*asked) == lines

    run(check())


def test_a_request_that_kills_its_workers_answers_502_and_its_neighbours_are_answered() -> None:
    async def check() -> None:
        async with hub_of(2) as hub:
            lines = [b"1\n", b"die\n", b"2\n", b"3\n"]
            assert await asyncio.gather(*(outcome(hub.ask(line)) for line in lines)) == [b"1\n", 502, b"2\n", b"3\n"]
            await wait_for(lambda: hub.replaced == 2)

    run(check())


@pytest.mark.parametrize("command", [("/does/not/exist",), (sys.executable, "-c", "")])
def test_a_hub_whose_workers_cannot_start_answers_503_at_once(command: tuple[str, ...]) -> None:
    async def check() -> None:
        hub = Hub(command, 2, PATIENCE_S)
        async with hub.running():
            with pytest.raises(Unavailable):
                await hub.ask(b"1\n")

    run(check())


def test_a_hub_of_no_workers_answers_503() -> None:
    async def check() -> None:
        async with hub_of(0) as hub:
            assert await outcome(hub.ask(b"1\n")) == 503

    run(check())


def test_what_waits_is_refused_when_the_last_worker_dies_and_none_can_start(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    script = f"import os, sys\nif os.path.exists({str(gone)!r}): sys.exit()\n" + WORKER

    async def check() -> None:
        async with hub_of(1, script) as hub:
            gone.touch()
            asked = [asyncio.create_task(outcome(hub.ask(line))) for line in (b"die\n", b"1\n")]
            assert await asyncio.gather(*asked) == [503, 503]
            gone.unlink()
            await wait_for(lambda: hub.pids)
            assert await hub.ask(b"2\n") == b"2\n"

    run(check())


def test_a_worker_that_hangs_is_killed_and_the_next_request_is_answered(tmp_path: Path) -> None:
    async def check() -> None:
        async with hub_of(1, longest_s=0.2) as hub:
            (pid,) = hub.pids
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await hub.ask(b"await %s\n" % str(tmp_path / "never").encode())
            assert await hub.ask(b"1\n") == b"1\n"
            assert pid not in hub.pids

    run(check())


def test_a_request_whose_caller_gave_up_is_not_computed(tmp_path: Path) -> None:
    async def check() -> None:
        async with hub_of(1) as hub:
            held = asyncio.create_task(hub.ask(b"await %s\n" % str(tmp_path / "go").encode()))
            given_up = asyncio.create_task(hub.ask(b"note %s\n" % str(tmp_path / "notes").encode()))
            await asyncio.sleep(0.02)
            given_up.cancel()
            (tmp_path / "go").touch()
            await held
            assert await hub.ask(b"last\n") == b"last\n"
            assert not (tmp_path / "notes").exists()

    run(check())


def test_the_pool_of_the_service_answers_and_says_why_its_model_does_not() -> None:
    async def check() -> None:
        pool = OwnPool(HubSettings(workers=2, model_ms=1))
        async with pool.running():
            assert await asyncio.gather(*(pool.predict([1.0, number]) for number in range(10))) == [
                2.0 + 2 * number for number in range(10)
            ]
            with pytest.raises(BadModelAnswer):
                await pool.predict([-1.0])
            assert len(pool.statistics()["pids"]) == 2

    run(check())


async def kill_one_while(pool: ExecutorPool, asked: int) -> list[Any]:
    """Kill a process while so many requests are under way, and return their outcomes."""
    under_way = [asyncio.create_task(outcome(pool.predict([float(number)]))) for number in range(asked)]
    await asyncio.sleep(0.05)
    os.kill(pool.statistics()["pids"][0], signal.SIGKILL)
    return await asyncio.gather(*under_way)


def test_an_executor_that_is_made_again_answers_everything_when_a_process_is_killed() -> None:
    async def check() -> None:
        pool = ExecutorPool(HubSettings(form="executor", workers=2, model_ms=300))
        async with pool.running():
            assert await kill_one_while(pool, 4) == [0.0, 2.0, 4.0, 6.0]
            assert pool.replaced == 1
            assert pool.retried >= 2

    run(check())
    until(lambda: not multiprocessing.active_children(), "the processes of the executor have ended")


def test_an_executor_as_it_is_answers_503_for_ever_when_a_process_is_killed() -> None:
    async def check() -> None:
        pool = ExecutorPool(HubSettings(form="executor", workers=2, model_ms=300, rebuilds=False))
        async with pool.running():
            assert await kill_one_while(pool, 4) == [503] * 4
            assert await outcome(pool.predict([1.0])) == 503

    run(check())


def test_workers_end_when_their_hub_is_killed(stacks: Stacks) -> None:
    stack = stacks.start(CONTENDERS["hub-ours-fast"])
    pids = statistics(stack.base_url)["pids"]
    assert len(pids) == 4
    os.kill(stack.processes[0].pid, signal.SIGKILL)
    until(lambda: not any(map(psutil.pid_exists, pids)), "the workers have ended")


def test_gibbs_answers_from_its_own_environment_and_survives_a_kill(stacks: Stacks) -> None:
    if not list(ENVIRONMENTS.glob("hub-*")):
        pytest.skip("its environment is not built: `make strategies STRATEGY=hub` does")
    try:
        stack = stacks.start(CONTENDERS["hub-gibbs-fast"])
    except NotAvailable as error:
        pytest.skip(str(error))
    pids = statistics(stack.base_url)["pids"]
    assert len(pids) == 4
    os.kill(pids[0], signal.SIGKILL)
    for _ in range(8):
        assert ask(stack.base_url) == {"total": 20.0}
    until(lambda: len(set(statistics(stack.base_url)["pids"]) - {pids[0]}) == 4, "a worker has been replaced")


def ask(base_url: str) -> Any:
    request = urllib.request.Request(base_url + SCORE_PATH, b"[1, 2, 3, 4]", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
        return json.load(response)


def statistics(base_url: str) -> Any:
    with urllib.request.urlopen(base_url + STATISTICS_PATH, timeout=PATIENCE_S) as response:
        return json.load(response)
