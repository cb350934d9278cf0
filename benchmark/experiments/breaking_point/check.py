"""`python -m benchmark.experiments.breaking_point.check [RUN [CONTENDER ...]]`: breaking points, by two generators.

One is Locust, as in the run. The other has nothing of it, no user classes, no samples on disk: asyncio and
aiohttp send Poisson arrivals to fresh processes, and count. What is asked, which answer is right, the rule for a
sustained rate and the search around the breaking point that the run found are the same. Prints a table, and
writes check.json into the run's directory.
"""

import asyncio
import random
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import numpy as np
from rich.console import Console

from benchmark.cli_options import RESULTS
from benchmark.contenders.discovery import Contender, choose, discover
from benchmark.contenders.service_settings import with_overrides
from benchmark.errors import BenchmarkError, LoadError
from benchmark.experiments.breaking_point.measure import Examples
from benchmark.experiments.breaking_point.observations import LocustRun, of_kind, read_observations
from benchmark.experiments.breaking_point.plan import TRY_COUNTED_S, TRY_WARMUP_S, BreakingPointPlan
from benchmark.experiments.breaking_point.schema import Entry, parse
from benchmark.experiments.breaking_point.summarise import run_reasons
from benchmark.load.arrivals import arrivals_until
from benchmark.load.breaking_point_search import TryOutcome, judge
from benchmark.load.plain_clients import obtain_async
from benchmark.load.protocols import Ask
from benchmark.load.rate_search import Staircase
from benchmark.load.scenario_requests import ask_contender
from benchmark.load.shapes import LOAD_TEST, RESPONSE_TIME
from benchmark.load.slo import P95_LIMIT, BreakingPoint
from benchmark.measure.interruptible import run_async
from benchmark.measure.progress import Progress
from benchmark.measure.session import Session
from benchmark.measure.trial import ParityError
from benchmark.record.run import Run
from benchmark.stack.watchdog import Guard
from contract.garbage_collection import freeze_startup_objects

_CROSSINGS = 3
_TOLERANCE = 0.1
_SEED = 7001  # of the first schedule; no run has it


class Sender:
    """Sends requests at their times, and keeps when each was due and how long it took, if its answer was right."""

    def __init__(self, base_url: str, session: aiohttp.ClientSession, asked: Ask) -> None:
        self._base_url, self._session, self._asked = base_url, session, asked
        self.answered_s: list[float] = []
        self.latency_ms: list[float] = []

    async def send(self, due_s: list[float], patience_s: float) -> None:
        """Send everything, and wait a while for what is still in flight.

        Raises LoadError if an answer came too early to be the contender's.
        """
        start_s, tasks = time.monotonic(), set()
        for at_s in due_s:
            await asyncio.sleep(max(start_s + at_s - time.monotonic(), 0))
            tasks.add(asyncio.create_task(self._one(start_s, at_s)))
        answered, late = await asyncio.wait(tasks, timeout=patience_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for task in answered:
            task.result()

    async def _one(self, start_s: float, at_s: float) -> None:
        answer = await obtain_async(self._asked.flow(), self._session, self._base_url)
        if answer.is_early:
            raise LoadError(answer.error)
        if not answer.error:
            self.answered_s.append(at_s)
            self.latency_ms.append(answer.done_ns / 1e6 - (start_s + at_s) * 1e3)


async def offer(base_url: str, asked: Ask, rps: float, seed: int, limit_ms: float) -> TryOutcome:
    """Offer a rate and return what became of it. Raises LoadError if an answer came too early to be the contender's."""
    until_s = TRY_WARMUP_S + TRY_COUNTED_S
    due_s = arrivals_until(rps, seed, until_s)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sender = Sender(base_url, session, asked)
        await sender.send(due_s, patience_s=limit_ms / 1e3 + 1)
    answered = np.array(sender.answered_s), np.array(sender.latency_ms)
    return judge(np.array(due_s), *answered, TRY_WARMUP_S, until_s, limit_ms)


def check(run: Run, contender: Contender, entry: Entry, guard: Guard, scratch: Path) -> dict[str, BreakingPoint]:
    """Return the breaking point by generator: Locust's anew, and this one's.

    Raises ParityError before anything is offered, StackError, or LoadError: also where a figure would be INVALID.
    Both search at once, a try of the one beside a try of the other in random order: on a shared machine
    what a contender carries moves by tens of percent within minutes.
    """
    alone = entry.last(RESPONSE_TIME.name)
    if entry.breaking_point is None or alone is None or alone.p95_ms is None:
        raise LoadError(f"{run.path} has no breaking point of {contender.name}, or no p95 with one user")
    limit_ms = P95_LIMIT * alone.p95_ms
    record = Run.create(scratch, "locust", run.manifest)
    session = Session(record, guard, Progress(Console(quiet=True)), _SEED)
    examples = Examples(session, BreakingPointPlan((LOAD_TEST.name,), seed=_SEED))

    def by_locust(rps: float, number: int) -> TryOutcome:
        return examples.try_rate(contender, rps, number, limit_ms)

    def independently(rps: float, number: int) -> TryOutcome:
        with session.trial(contender, part=f"independent-{number + 1}") as trial:
            asked = ask_contender(trial.contender, trial.law, _SEED, receiver=trial.stack.receiver_url)
            return run_async(offer(trial.stack.base_url, asked, rps, _SEED + 500 + number, limit_ms))

    searches = {
        name: (Staircase[TryOutcome](entry.breaking_point.rps, _CROSSINGS), attempt)
        for name, attempt in (("locust", by_locust), ("independent", independently))
    }
    draw = random.Random(_SEED)
    while any(stairs.next_rps() for stairs, _ in searches.values()):
        for name in draw.sample(list(searches), len(searches)):
            stairs, attempt = searches[name]
            if rps := stairs.next_rps():
                outcome = attempt(rps, len(stairs.tries))
                print(f"{contender.name:<18}{name:<12}{rps:8.1f} rps: {outcome.in_time:6.1%} in time", flush=True)
                stairs.add(rps, outcome)
    for found in of_kind(read_observations(record), LocustRun):
        for reason in run_reasons(found):
            raise LoadError(f"{contender.name}: Locust's breaking point is INVALID: {reason}")
    return {name: stairs.point() for name, (stairs, _) in searches.items()}


def main(argv: list[str]) -> int:
    """Check the breaking points of a run, of all contenders or of those named; returns 0 if all generators agree.

    A contender that fails parity is left out, with the reason, and makes it 1.
    """
    run = Run.open(Path(argv[0]) if argv else RESULTS / "latest")
    data, rows, refused = parse(run.summary), {}, []
    wanted = argv[1:] or list(data.breaking_points)
    freeze_startup_objects()
    with closing(Guard()) as guard:
        services = run.manifest["settings"]["services"]
        for contender in with_overrides(choose(wanted, discover()), services):
            try:
                with TemporaryDirectory() as scratch:
                    found = check(run, contender, data.entries[contender.name], guard, Path(scratch))
            except ParityError as error:
                refused.append(f"{contender.name}: {error}")
                continue
            rows[contender.name] = _row(data.breaking_points[contender.name].rps, found)
    for name, row in rows.items():
        ratio = row["locust_over_independent"] - 1
        print(f"{name:<18}{_told(row, 'locust')}, {_told(row, 'independent')}: {ratio:+.1%}; run {row['run_rps']:.1f}")
    for reason in refused:
        print(reason)
    run.write_json("check.json", rows)
    agree = all(abs(row["locust_over_independent"] - 1) <= _TOLERANCE for row in rows.values())
    return 0 if agree and not refused else 1


def _row(run_rps: float, found: Mapping[str, BreakingPoint]) -> dict[str, Any]:
    points = {name: {"rps": point.rps, "ci95": (point.low_rps, point.high_rps)} for name, point in found.items()}
    ratio = found["locust"].rps / found["independent"].rps
    return {"run_rps": run_rps, **points, "locust_over_independent": ratio}


def _told(row: Mapping[str, Any], name: str) -> str:
    point = row[name]
    return f"{name} {point['rps']:.1f} [{point['ci95'][0]:.1f}, {point['ci95'][1]:.1f}] rps"


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BenchmarkError as error:
        sys.exit(f"check: {error}")
