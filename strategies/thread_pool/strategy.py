"""Ten blocking calls within one request: what each kind of pool does with them."""

import os
from collections.abc import Iterator
from typing import Final

from benchmark.experiments.strategies.figure_kinds import CORE_SHARE, MAKESPAN, said
from benchmark.experiments.strategies.law import Chart, Gain, Law, Seen, Strategy, at_most, from_floor
from benchmark.load.plan import Waves
from strategies.laws import makespan_ms
from strategies.thread_pool.parameters import CALL_MS, PER_REQUEST, SHARED

CALLS: Final = 10
WAVES: Final = {"one": 1, "eight": 8, "thirty-two": 32}
_STALL, _THREADS = said("loop_stall_ms", "ms"), said("threads", "threads")
_QUIET_MS: Final = 20.0  # a stall that nobody notices
# Of asyncio's own pool, whose size follows the affinity from Python 3.13 on, but never a quota.
_TO_THREAD: Final = min(32, (getattr(os, "process_cpu_count", os.cpu_count)() or 1) + 4)
_POOLS: Final = {"thread-pool-shared": SHARED, "thread-pool-to-thread": _TO_THREAD, "thread-pool-anyio": SHARED}


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws."""
    count = max(round(6 * scale), 2)
    return Strategy(
        title="A thread pool inside an async handler",
        trouble="One request of an async service needs many blocking calls.",
        claim="An executor per request makes a handler with several blocking calls significantly faster.",
        source="talk at PyCon Italia 2023, which gives no figure",
        use_when="a library has no async client. Share one pool, and size it for all requests together.",
        loads={name: Waves(size, count) for name, size in WAVES.items()},
        laws=(*_makespans(), *_stalls(), *_threads()),
        seen=tuple(
            Seen("CPU while 32 requests at once are answered", name, "thirty-two", CORE_SHARE)
            for name in ("thread-pool-per-request", *_POOLS)
        ),
        gain=Gain(
            "times as fast as the calls in a loop, for eight requests at once",
            MAKESPAN, "eight", "thread-pool-shared", "thread-pool-loop",
        ),
        charts=(
            Chart(
                "A small pool is a queue",
                MAKESPAN, ("thread-pool-per-request", *_POOLS), "requests at once, of ten calls each", WAVES,
            ),
        ),
    )  # fmt: skip


def _makespans() -> Iterator[Law]:
    loop, per_request = "thread-pool-loop", "thread-pool-per-request"
    for load in ("one", "eight"):
        requests = WAVES[load]
        says = f"{requests} x 10 calls in a loop take {requests * CALLS} x 20 ms"
        yield Law(says, loop, load, MAKESPAN, **from_floor(requests * CALLS * CALL_MS, 0.15, 10), contrast=True)
    for load, requests in WAVES.items():
        says = f"ten calls on five threads of their own take two rounds, for {requests} at once"
        yield Law(says, per_request, load, MAKESPAN, **from_floor(makespan_ms(CALLS, PER_REQUEST, CALL_MS), 0.15, 10))
        for name, threads in _POOLS.items():
            says = f"{requests * CALLS} calls on {threads} threads take ceil({requests * CALLS} / {threads}) rounds"
            floor = makespan_ms(requests * CALLS, threads, CALL_MS)
            yield Law(says, name, load, MAKESPAN, **from_floor(floor, 0.15, 10))


def _stalls() -> Iterator[Law]:
    yield Law(
        "the loop stands still for at least one request",
        "thread-pool-loop", "eight", _STALL,
        expected=CALLS * CALL_MS, at_least=CALLS * CALL_MS, at_most=1.15 * WAVES["eight"] * CALLS * CALL_MS,
        contrast=True,
    )  # fmt: skip
    for name in ("thread-pool-per-request", *_POOLS):
        yield Law("the event loop goes on", name, "eight", _STALL, **at_most(_QUIET_MS))
    yield Law(
        "when a call fails, leaving the pool waits for the other nine on the event loop: two rounds",
        "thread-pool-per-request-failing", "one", _STALL,
        expected=2 * CALL_MS, at_least=CALL_MS, at_most=3 * CALL_MS, contrast=True,
    )  # fmt: skip
    yield Law(
        "when a call fails, the event loop goes on", "thread-pool-shared-failing", "one", _STALL, **at_most(_QUIET_MS)
    )


def _threads() -> Iterator[Law]:
    others = 8  # the main thread, and those of libraries
    yield Law(
        "no more threads than the pool has", "thread-pool-shared", "thirty-two", _THREADS, **at_most(SHARED + others)
    )
    requests = WAVES["thirty-two"]
    yield Law(
        "five threads for each request at once, without a bound",
        "thread-pool-per-request", "thirty-two", _THREADS,
        expected=requests * PER_REQUEST, at_least=2 * SHARED, at_most=requests * PER_REQUEST + others, contrast=True,
    )  # fmt: skip
