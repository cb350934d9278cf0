"""`python -m benchmark.experiment3_locust.check [RUN]`: the breaking points of a run against an independent generator.

Nothing of Locust, no user classes, no samples on disk: asyncio and aiohttp send Poisson arrivals to fresh
processes of each contender, and count. The rule for a sustained rate and the up-and-down search around the
breaking point that the run found are the same; schedules, processes, generator and moment are others.
Prints a table, and writes check.json into the run's directory.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from benchmark.contenders import Contender, choose, discover
from benchmark.errors import BenchmarkError, LoadError
from benchmark.experiment3_locust.breaking_point import P95_LIMIT, BreakingPoint
from benchmark.experiment3_locust.data import Entry, parse
from benchmark.experiment3_locust.examples import RESPONSE_TIME
from benchmark.experiment3_locust.run import TRY_COUNTED_S, TRY_WARMUP_S
from benchmark.experiment3_locust.staircase import Outcome, Staircase, judge
from benchmark.guard import Guard
from benchmark.load.arrivals import arrivals_until
from benchmark.load.users import check_answer, request_bodies
from benchmark.manifest import service_environment
from benchmark.options import RESULTS
from benchmark.record import Run
from benchmark.stack import running_stack
from contract.errors import BadModelAnswer
from contract.garbage import set_aside_what_is_loaded
from contract.model import quantile_function
from contract.schema import JSON_CONTENT_TYPE
from contract.settings import Settings

_CROSSINGS = 3
_TOLERANCE = 0.1
_SEED = 7001  # of the first schedule; no run has it
_HEADERS = {"Content-Type": JSON_CONTENT_TYPE}


class Sender:
    """Sends requests at their times, and keeps when each was due and how long it took, if its answer was right."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session
        self._bodies: Iterator[str] = request_bodies(_SEED)
        self._bounds_s = quantile_function(Settings()).bounds_s
        self.answered_s: list[float] = []
        self.latency_ms: list[float] = []

    async def send(self, due_s: list[float], patience_s: float) -> None:
        """Send everything, and wait a while for what is still in flight."""
        start_s, tasks = time.monotonic(), set()
        for at_s in due_s:
            await asyncio.sleep(max(start_s + at_s - time.monotonic(), 0))
            tasks.add(asyncio.create_task(self._one(start_s, at_s)))
        _, late = await asyncio.wait(tasks, timeout=patience_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _one(self, start_s: float, at_s: float) -> None:
        try:
            async with self._session.post(self._url, data=next(self._bodies), headers=_HEADERS) as response:
                check_answer(await response.read() if response.status == 200 else b"", self._bounds_s)
        except (aiohttp.ClientError, BadModelAnswer):
            return
        self.answered_s.append(at_s)
        self.latency_ms.append((time.monotonic() - start_s - at_s) * 1e3)


async def offer(url: str, rps: float, seed: int, limit_ms: float) -> Outcome:
    """Offer a rate and return what became of it."""
    until_s = TRY_WARMUP_S + TRY_COUNTED_S
    due_s = arrivals_until(rps, seed, until_s)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sender = Sender(url, session)
        await sender.send(due_s, patience_s=limit_ms / 1e3 + 1)
    answered = np.array(sender.answered_s), np.array(sender.latency_ms)
    return judge(np.array(due_s), *answered, TRY_WARMUP_S, until_s, limit_ms)


def check(run: Run, contender: Contender, entry: Entry, guard: Guard) -> BreakingPoint:
    """Return the breaking point that this generator finds. Raises StackError, or LoadError if the run found none."""
    alone = entry.last(RESPONSE_TIME.name)
    if entry.breaking_point is None or alone is None or alone.p95_ms is None:
        raise LoadError(f"{run.path} has no breaking point of {contender.name}, or no p95 with one user")
    limit_ms = P95_LIMIT * alone.p95_ms
    stairs = Staircase(entry.breaking_point.rps, _CROSSINGS)
    logs = run.path / "logs" / "check"
    logs.mkdir(exist_ok=True)
    env = service_environment(run.manifest["settings"]["services"])
    while (rps := stairs.next_rps()) is not None:
        with running_stack(contender, logs, guard, env) as stack:
            url = stack.base_url + contender.endpoint
            outcome = asyncio.run(offer(url, rps, _SEED + len(stairs.tries), limit_ms))
        print(f"{contender.name:<18}{rps:8.1f} rps: {outcome.in_time:6.1%} in time", flush=True)
        stairs.add(rps, outcome)
    return stairs.point()


def main(argv: list[str]) -> int:
    """Check every contender of a run that has a breaking point; returns 0 if all lie within 10 % of it."""
    run = Run.open(Path(argv[0]) if argv else RESULTS / "latest")
    data, found = parse(run.summary), {}
    set_aside_what_is_loaded()
    with closing(Guard()) as guard:
        for contender in choose(list(data.breaking_points), discover()):
            found[contender.name] = check(run, contender, data.entries[contender.name], guard)
    rows = {name: _row(data.breaking_points[name].rps, point) for name, point in found.items()}
    for name, row in rows.items():
        print(
            f"{name:<18}run {row['run_rps']:7.1f} rps, here {row['check_rps']:7.1f} "
            f"[{row['check_ci95'][0]:.1f}, {row['check_ci95'][1]:.1f}]: {row['run_over_check'] - 1:+.1%}"
        )
    run.write_json("check.json", rows)
    return 0 if all(abs(row["run_over_check"] - 1) <= _TOLERANCE for row in rows.values()) else 1


def _row(run_rps: float, point: BreakingPoint) -> dict[str, Any]:
    return {
        "run_rps": run_rps,
        "check_rps": point.rps,
        "check_ci95": (point.low_rps, point.high_rps),
        "run_over_check": run_rps / point.rps,
    }


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchmarkError as error:
        sys.exit(f"check: {error}")
