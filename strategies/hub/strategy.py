"""A blocking model in worker processes: how long a burst takes, how long one waits, what a kill costs."""

from collections.abc import Iterator
from statistics import fmean
from typing import Final

from benchmark.experiments.strategies.figure_kinds import (
    CPU,
    FAILURES,
    MAKESPAN,
    MEAN,
    MEMORY,
    RATE,
    WORST,
    counted,
    said,
)
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
    from_floor,
    within,
)
from benchmark.experiments.strategies.observed import Observed
from benchmark.load.arrivals import arrivals_until
from benchmark.load.plan import Arrivals, Level, Waves
from strategies.hub.parameters import FAST_MS, MODEL_MS, OVERLOAD_MS, OVERLOAD_WORKERS, WORKERS
from strategies.laws import closed_rate_rps, makespan_ms, waits_ms

BURST: Final = 10  # requests at once
LOADS_PCT: Final = {"half": 50, "high": 80, "nearly all": 90}  # of what the workers can do
CALLERS: Final = 8  # of the overload, in a closed loop
SEED: Final = 9  # of arrivals whose short window has about the waits of a long one: 2.5, 20 and 50 ms
FAST: Final = ("hub-ours-fast", "hub-executor-fast", "hub-gibbs-fast")
# What a quick run leaves out.
_ONLY_IN_FULL: Final = ("hub-executor", "hub-executor-fast", "hub-executor-naive", "hub-gibbs-fast")
_DISPATCH_MS: Final = 5.0  # HTTP, hub and pipe, there and back
_QUIET_MS: Final = 20.0  # a stall that nobody notices
_RACE_SHARE: Final = 0.05  # of the requests that gibbs lost when this was first tried; how many is a matter of chance
_TICK_S: Final = 0.5  # the harness looks this often whether a kill is due


def _mean_wait_ms(seen: Observed) -> float | None:
    mean_ms = MEAN.of(seen)
    return None if mean_ms is None else mean_ms - FAST_MS


WAIT: Final = Figure("mean_wait_ms", "ms", _mean_wait_ms)


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws. A quick run has no time for every contender."""
    in_full = scale >= 1
    seconds = max(2.0 * scale, 0.7)
    capacity_rps = closed_rate_rps(WORKERS, FAST_MS)
    loads = {
        name: Arrivals(capacity_rps * percent / 100, measure_s=seconds, warmup_s=0.4, seed=SEED)
        for name, percent in LOADS_PCT.items()
    }
    kills = Kill(2, every_s=0.75) if in_full else Kill(1, every_s=0.5)
    killed_s = kills.times * (kills.every_s + _TICK_S) + 0.5
    killed = Arrivals(capacity_rps / 2, measure_s=killed_s, warmup_s=0.4, seed=SEED)
    overload = Level(CALLERS, 0.2, max(1.6 * scale, 0.8))
    laws = (*_bursts(), *_waits(loads), *_kills(killed, kills), *_naive(killed, kills), *_overload(overload))
    chosen = FAST if in_full else FAST[:1]
    return Strategy(
        title="Worker processes behind a hub",
        trouble="A model blocks, and one process answers one request at a time.",
        claim="A hub with four workers answers ten requests of 250 ms in 0.855 s in place of 2.532 s.",
        source="documentation of gibbs, one run",
        use_when=(
            "a model blocks or computes, and fits into memory once per worker. "
            "Bound the queue, set a deadline, and expect workers to die."
        ),
        loads={
            "ten": Waves(BURST, 1, warmup_count=int(in_full)),
            **loads,
            "kills": killed,
            "overload": overload,
        },
        laws=tuple(law for law in laws if in_full or law.subject not in _ONLY_IN_FULL),
        seen=tuple(each for each in _seen() if in_full or each.subject not in _ONLY_IN_FULL),
        kills={"kills": kills},
        gain=Gain(
            "times as fast as no pool, for ten requests of 250 ms at once",
            MAKESPAN, "ten", "hub-ours", "hub-none",
        ),
        charts=(
            Chart(
                "Four workers wait little until they are nearly all busy",
                WAIT, chosen, "load, in % of what four workers can do", LOADS_PCT,
            ),
        ),
    )  # fmt: skip


def _bursts() -> Iterator[Law]:
    alone_ms, floor_ms = BURST * MODEL_MS, makespan_ms(BURST, WORKERS, MODEL_MS)
    yield Law(
        "without a pool, ten requests take 10 x 250 ms",
        "hub-none", "ten", MAKESPAN, **from_floor(alone_ms, 0.0, 100), contrast=True,
    )  # fmt: skip
    for name in ("hub-ours", "hub-executor", "hub-gibbs"):
        yield Law(
            "ten requests on four workers take ceil(10 / 4) rounds of 250 ms",
            name, "ten", MAKESPAN, **from_floor(floor_ms, 0.0, 40),
        )  # fmt: skip
    yield Law("the event loop goes on", "hub-ours", "ten", said("loop_stall_ms", "ms"), **at_most(_QUIET_MS))


def _waits(loads: dict[str, Arrivals]) -> Iterator[Law]:
    """The mean wait of M/D/4, for the very arrivals."""
    for name in FAST:
        for load, arrivals in loads.items():
            says = f"at {LOADS_PCT[load]} % of what four workers can do, a request waits as in M/D/4"
            yield Law(says, name, load, WAIT, **within(expected_wait_ms(arrivals), 0.15, _DISPATCH_MS))
    for load, arrivals in loads.items():
        yield _race(load, arrivals)


def _kills(load: Arrivals, kills: Kill) -> Iterator[Law]:
    ours = "hub-ours-fast"
    for name in (ours, "hub-executor-fast"):
        yield Law("workers are killed, and every request is answered", name, "kills", FAILURES, **exactly(0))
    yield _race("kills", load)
    yield Law(
        "a killed worker costs at most one computation",
        ours, "kills", counted("retried", "requests"), **at_most(kills.times),
    )  # fmt: skip
    worst_wait_ms = max(waits_ms(_due(load), FAST_MS, WORKERS - 1))
    yield Law(
        "with a worker less, the longest answer takes its wait, a lost try and a second one",
        ours, "kills", WORST, **at_most(worst_wait_ms + 2 * FAST_MS + 100),
    )  # fmt: skip


def _naive(load: Arrivals, kills: Kill) -> Iterator[Law]:
    """From the first kill on nothing is answered. It comes when it is due, or a tick later."""
    expected, least, most = (
        float(sum(at_s >= load.warmup_s + kills.every_s + late_s for at_s in _due(load)))
        for late_s in (_TICK_S / 2, _TICK_S + 0.3, -4 * FAST_MS / 1e3)
    )
    yield Law(
        "an executor that is not made again answers nothing from the first kill on",
        "hub-executor-naive", "kills", FAILURES, expected, least, most, contrast=True,
    )  # fmt: skip


def _race(name: str, load: Arrivals) -> Law:
    """What gibbs loses while it is not overloaded: nothing to kills, since it has a timeout and a retry."""
    return Law(
        "one request in ten at most fails, because another took the worker for which it was woken",
        "hub-gibbs-fast", name, FAILURES, **at_most(2 * _RACE_SHARE * load.rate_rps * load.measure_s), contrast=True,
    )  # fmt: skip


def _overload(load: Level) -> Iterator[Law]:
    yield Law(
        "more callers than workers wait their turn, and none fails",
        "hub-ours-overload", "overload", FAILURES, **exactly(0),
    )  # fmt: skip
    requests = closed_rate_rps(OVERLOAD_WORKERS, OVERLOAD_MS) * load.measure_s
    yield Law(
        "a newcomer takes the worker for which a waiting request was woken, and that one fails",
        "hub-gibbs-overload", "overload", FAILURES,
        expected=_RACE_SHARE * requests, at_least=1, at_most=3 * _RACE_SHARE * requests, contrast=True,
    )  # fmt: skip


def _seen() -> Iterator[Seen]:
    for name in FAST:
        yield Seen("CPU per answer, all processes", name, "high", CPU)
        yield Seen("memory of all processes", name, "high", MEMORY)
    for name in (*FAST, "hub-executor-naive"):
        yield Seen("workers that were killed", name, "kills", said("killed", "workers"))
    for name in FAST[1:]:
        yield Seen("longest answer while workers are killed", name, "kills", WORST)
    yield Seen("requests that were computed again", "hub-executor-fast", "kills", counted("retried", "requests"))
    for name in ("hub-ours-overload", "hub-gibbs-overload"):
        yield Seen("answers under overload, where the CPU is the limit", name, "overload", RATE)


def expected_wait_ms(load: Arrivals) -> float:
    """Return how long the requests that are measured wait on average, whatever the order in which they are served."""
    due = _due(load)
    waits = waits_ms(due, FAST_MS, WORKERS)
    return fmean(wait for at_s, wait in zip(due, waits, strict=True) if at_s >= load.warmup_s)


def _due(load: Arrivals) -> list[float]:
    return arrivals_until(load.rate_rps, load.seed, load.warmup_s + load.measure_s)
