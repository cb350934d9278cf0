"""Bursts: users who ask at the same moment, then a rest. How the CPU per request changes with a backlog.

On the average the machine is idle most of the time; within a burst the scoring process has as much to
do at once as it has under full load: events that share a wake-up, threads that fight for one
interpreter lock, a pool whose connections are all scanned. So what a request costs under full load can
be learnt without any.
"""

import asyncio
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import aiohttp
import numpy as np

from benchmark.contenders.answer_law import law_of
from benchmark.contenders.discovery import Contender
from benchmark.errors import LoadError
from benchmark.experiments.prediction.plan import CalibrationPlan
from benchmark.load.plain_clients import obtain_async
from benchmark.load.protocols import Ask
from benchmark.load.scenario_requests import ask_contender
from benchmark.measure.interruptible import run_async
from benchmark.measure.machine_load import Watch
from benchmark.measure.sampling import cpu_ns_of_tree
from benchmark.measure.session import Session
from benchmark.record.columns import GENERATOR_ROLE
from benchmark.record.damage import parse_lines, reading
from benchmark.stack.processes import Stack

RECORD = "bursts.jsonl"
# Users may ask several times, one request after the other. Few users must: their first request is dear, since it meets
# cold caches, and a pool whose connections are all idle. Where a request costs little they ask twice: the first of all
# users come as one batch, which is cheap for an event loop, the next have spread.
_LEAST_REQUESTS = 64
_CHEAP_ASKS = 2
_LONGEST_CHEAP_S = 0.2  # of the scoring process, for a burst whose users ask so often
_LONGEST_BUSY_S = 2.0  # of the scoring process; a size of burst that takes more is left out, and all larger ones
MAX_BUSY = 0.5  # cores of the scoring process; after each burst comes rest enough for it to have been less
_SPARE = 1.3  # times as much rest as that takes
_WARM_UP = 2
_FEWEST = 3
_SETTLE_S = 0.005  # what a process does after its last answer belongs to the burst
_TIMEOUT_S = 20.0
_SHORTEST_REST_S = 0.1


@dataclass(frozen=True)
class Burst:
    """What bursts of one size cost: the median burst, so that a collection of garbage is told apart from it."""

    contender: str
    size: int
    requests: int
    seconds: float
    cpu_ms: Mapping[str, float]  # per request, by role; of the median burst
    seldom_ms: Mapping[str, float]  # what the mean over all bursts is above that, per request, by role
    busy: Mapping[str, float]  # cores on the average, by role
    last_ms: float  # from sending a burst to its last answer, median
    block: int = 0
    asks: int = 1  # requests of each user of a burst, one after the other
    # Shares of all cores during the bursts and the rests between them; None where a record does not tell.
    foreign_share: float | None = None  # that other programs used
    steal_share: float | None = None  # that the hypervisor gave to others


def measure_bursts(session: Session, contender: Contender, plan: CalibrationPlan, block: int = 0) -> None:
    """Send bursts of every size to a contender and append what they cost to the record.

    Raises StackError, ParityError, or LoadError if a request is not answered rightly.
    """
    with session.trial(contender, block, "bursts", at_once=max(plan.burst_sizes)) as trial:
        for size in plan.burst_sizes:
            trial.phase(f"bursts of {size}")
            with Watch(os.getpid()) as watch:
                burst = run_async(_measure(trial.stack, contender, size, plan.burst_s))
            if burst is None:
                break
            session.run.append_line(RECORD, asdict(replace(burst, block=block, **asdict(watch.disturbance))))


def read_bursts(run_path: Path) -> list[Burst]:
    """Return all bursts of a run."""
    path = run_path / RECORD
    with reading(path):
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
        return [Burst(**document) for document in parse_lines(path, whole)]


async def _measure(stack: Stack, contender: Contender, size: int, seconds: float) -> Burst | None:
    """Return what bursts of a size cost, or None if a single one takes too long."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    pids = {running.role: running.pid for running in stack.processes}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        asked = ask_contender(contender, law_of(contender), seed=1, stage_clock=True)
        sender = _Sender(session, stack.base_url, asked)
        asks = asks_of(size, math.inf)
        once_s = 0.0
        for _ in range(_WARM_UP):
            before_ns = cpu_ns_of_tree(pids["scoring"])
            await sender.burst(size, asks)
            once_s = (cpu_ns_of_tree(pids["scoring"]) - before_ns) / 1e9 / asks / size
            await asyncio.sleep(_SHORTEST_REST_S)
        if once_s * asks * size > _LONGEST_BUSY_S:
            return None
        asks = asks_of(size, once_s)
        requests = size * asks
        each_ms: dict[str, list[float]] = {role: [] for role in (*pids, GENERATOR_ROLE)}
        lasts_ms: list[float] = []
        started_s = time.monotonic()
        while time.monotonic() - started_s < seconds or len(lasts_ms) < _FEWEST:
            before = {role: cpu_ns_of_tree(pid) for role, pid in pids.items()}
            own_ns = time.process_time_ns()
            lasts_ms.append(await sender.burst(size, asks))
            each_ms[GENERATOR_ROLE].append((time.process_time_ns() - own_ns) / 1e6 / requests)
            await asyncio.sleep(_SETTLE_S)
            for role, pid in pids.items():
                each_ms[role].append((cpu_ns_of_tree(pid) - before[role]) / 1e6 / requests)
            spent_s = sum(each_ms["scoring"]) * requests / 1e3
            rested_s = started_s + _SPARE * spent_s / MAX_BUSY
            await asyncio.sleep(max(rested_s - time.monotonic(), _SHORTEST_REST_S))
        passed_s = time.monotonic() - started_s
    return Burst(
        contender=contender.label,
        size=size,
        requests=requests * len(lasts_ms),
        seconds=passed_s,
        cpu_ms={role: float(np.median(ms)) for role, ms in each_ms.items()},
        seldom_ms={role: float(np.mean(ms) - np.median(ms)) for role, ms in each_ms.items()},
        busy={role: sum(ms) * requests / 1e3 / passed_s for role, ms in each_ms.items()},
        last_ms=float(np.median(lasts_ms)),
        asks=asks,
    )


def asks_of(size: int, once_s: float) -> int:
    """Return how often each user of a burst asks, if one request costs the scoring process so many seconds."""
    is_cheap = size * once_s * _CHEAP_ASKS <= _LONGEST_CHEAP_S
    return max(-(-_LEAST_REQUESTS // size), _CHEAP_ASKS if is_cheap else 1)


class _Sender:
    def __init__(self, session: aiohttp.ClientSession, base_url: str, asked: Ask) -> None:
        self._session, self._base_url, self._asked = session, base_url, asked

    async def burst(self, size: int, asks: int) -> float:
        """Have so many users ask at once, and again when they are answered; return the ms until the last answer."""
        sent_s = time.monotonic()
        await asyncio.gather(*(self._user(asks) for _ in range(size)))
        return (time.monotonic() - sent_s) * 1e3

    async def _user(self, asks: int) -> None:
        for _ in range(asks):
            answer = await obtain_async(self._asked.flow(), self._session, self._base_url)
            if answer.error:
                raise LoadError(f"a request of a burst went wrong: {answer.error}")
