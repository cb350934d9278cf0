"""How many worker processes: where "2 x cores + 1" holds, and where it does not."""

from collections.abc import Iterator
from typing import Final

from benchmark.analysis.stats import percentile
from benchmark.experiments.strategies.figure_kinds import FAILURES, MEAN, MEMORY, RATE, WORST, said
from benchmark.experiments.strategies.law import (
    Chart,
    Figure,
    Gain,
    Kill,
    Law,
    Seen,
    Strategy,
    at_most,
    exactly,
    within,
)
from benchmark.experiments.strategies.observed import Observed
from benchmark.load.plan import Level, Waves
from benchmark.record.allowance import whole_cores
from strategies.laws import closed_rate_rps, mean_in_turn_ms, mean_shared_ms
from strategies.workers.parameters import KILLED, MODEL_MS, SYNC_WORKERS

USERS: Final = 16  # more than there are workers, so that none is ever without work
BUSY, AT_ONCE, WITH_KILLS = f"{USERS} users", "five at once", "with kills"
FIVE: Final = 5
CORES: Final = whole_cores()
SLEEPING: Final = {f"workers-sync-{n}": n for n in SYNC_WORKERS}
COMPUTING: Final = {f"workers-cpu-{n}": n for n in SYNC_WORKERS}
SEVERAL_AT_ONCE: Final = ("workers-gthread", "workers-gevent", "workers-uvicorn", "workers-granian")
_LATER_S: Final = 1.5  # after the last kill
NOT_IN_A_QUICK_RUN: Final = {"workers-sync-2", "workers-cpu-1", "workers-cpu-10", "workers-gthread", "workers-uvicorn"}


def _p95_ms(seen: Observed) -> float | None:
    return percentile(seen.good["response_ms"].to_numpy(dtype=float), 95)


P95: Final = Figure("p95_ms", "ms", _p95_ms)  # a p99 needs 459 answers: ten seconds of two cores


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws. A quick run leaves out some numbers of workers."""
    left_out = NOT_IN_A_QUICK_RUN if scale < 1 else set()
    kill = Kill(times=2 if scale >= 1 else 1, every_s=0.8)
    laws = (*_sleeping(), *_computing(), *_several_at_once(), *_killed(kill.times))
    measured = {law.subject for law in laws} - left_out
    lines = {"sleeping": SLEEPING, "computing": COMPUTING}
    points = {name: (line, float(n)) for line, own in lines.items() for name, n in own.items()}
    return Strategy(
        title="More worker processes",
        trouble="One process answers one request at a time, or uses one core.",
        claim="Start 2 x cores + 1 workers, and not more.",
        source="an article on serving models, and gunicorn's documentation as a starting point; neither measures it",
        use_when=(
            "the model computes: a worker for each core. If it waits, as many as requests that are to wait at once, "
            "or threads or an event loop in fewer."
        ),
        loads={
            BUSY: Level(USERS, 0.5 * scale, max(2.5 * scale, 1)),
            AT_ONCE: Waves(FIVE, max(round(6 * scale), 2)),
            WITH_KILLS: Level(USERS, 0.25, kill.times * kill.every_s + _LATER_S),
        },
        laws=tuple(law for law in laws if law.subject in measured),
        seen=tuple(seen for seen in _seen() if seen.subject in measured),
        gain=Gain(
            "times the rate of one worker, for five workers and a model that sleeps",
            RATE, BUSY, "workers-sync-5", "workers-sync-1", less_is_better=False,
        ),
        charts=(
            Chart(
                "A model that sleeps gains from every worker, one that computes from every core",
                RATE, tuple(name for name in points if name in measured), "workers", {BUSY: 0}, point_of=points,
            ),
        ),
        kills={WITH_KILLS: kill},
    )  # fmt: skip


def _sleeping() -> Iterator[Law]:
    for name, workers in SLEEPING.items():
        says = f"{_number(workers, 'sync worker')}, sleeping: {workers} / 45 ms, whatever the cores"
        yield _capped(says, name, closed_rate_rps(workers, MODEL_MS), 0.08)


def _computing() -> Iterator[Law]:
    for name, workers in COMPUTING.items():
        busy = min(workers, CORES)
        limit = ", the cores are the limit" if workers > CORES else ""
        says = f"{_number(workers, 'sync worker')}, computing: {_number(busy, 'core')} / 45 ms{limit}"
        yield _capped(says, name, closed_rate_rps(busy, MODEL_MS), 0.15)
    if CORES in COMPUTING.values():
        in_turn = mean_in_turn_ms(FIVE, CORES, MODEL_MS)
        says = (
            f"five that compute at once, on as many workers as cores: one after the other, {in_turn:.0f} ms on average"
        )
        yield Law(says, f"workers-cpu-{CORES}", AT_ONCE, MEAN, **within(in_turn, 0.15, 10))
    shared = mean_shared_ms(FIVE, CORES, MODEL_MS)
    says = f"the same on five workers: all share the cores and end together, {shared:.0f} ms on average"
    yield Law(says, "workers-cpu-5", AT_ONCE, MEAN, **within(shared, 0.15, 10), contrast=True)


def _several_at_once() -> Iterator[Law]:
    for name in SEVERAL_AT_ONCE:
        says = f"a worker that answers several at once: {USERS} users / 45 ms from one or two processes"
        yield _capped(says, name, closed_rate_rps(USERS, MODEL_MS), 0.15)


def _killed(times: int) -> Iterator[Law]:
    name = f"workers-sync-{KILLED}"
    yield Law("all workers that should be killed were", name, WITH_KILLS, said("killed", "workers"), **exactly(times))
    says = "a sync worker that is killed takes the one request with it that it works on"
    yield Law(says, name, WITH_KILLS, FAILURES, **at_most(times))


def _seen() -> Iterator[Seen]:
    for name in COMPUTING:
        yield Seen(f"p95, {USERS} users", name, BUSY, P95)
        yield Seen(f"longest, {USERS} users", name, BUSY, WORST)
    for name in (*SLEEPING, *SEVERAL_AT_ONCE):
        yield Seen("memory of all processes (PSS)", name, BUSY, MEMORY)


def _capped(says: str, subject: str, cap_rps: float, share: float) -> Law:
    """Return the law of a cap: so much may be missing, and nothing is above it but what a window's edges make."""
    return Law(says, subject, BUSY, RATE, cap_rps, cap_rps * (1 - share), cap_rps * 1.03)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
