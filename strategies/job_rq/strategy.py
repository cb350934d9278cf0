"""Jobs on RQ: how long they wait, how many there are, what kills cost, and whether each callback comes."""

from collections.abc import Iterator
from statistics import fmean
from typing import Final

from benchmark.experiments.strategies.figure_kinds import (
    ACCEPTED_MEAN,
    ACCEPTED_P99,
    CPU,
    FAILURES,
    MEMORY,
    WORST,
    counted,
    said,
)
from benchmark.experiments.strategies.law import (
    Chart,
    Gain,
    Kill,
    Law,
    Seen,
    Stages,
    Strategy,
    at_most,
    exactly,
    within,
)
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals
from strategies.job_rq.figures import AT_WORK, DONE, LITTLE, OCCUPIED, QUEUED, SOJOURN, TOLD, wait_by_law
from strategies.job_rq.parameters import ABSENT_S, LONGEST_MS, LOOK_EVERY_S, SHORTEST_MS
from strategies.laws import closed_rate_rps, waits_ms

LOADS_PCT: Final = {"half": 50, "high": 80, "nearly all": 90}  # of what the worker that forks can do
SEED: Final = 9
KILLS: Final = 7  # in each block; 21 in three
MODEL_MS: Final = (SHORTEST_MS + LONGEST_MS) / 2
# That a job occupies its worker: the model's time at least, about so long when this was tried, and so long at most,
# where it takes 4 ms until a write is on disk. Rates and the chart of times rely on it; every other law about waits is
# told how long it really was.
FORKS_MS: Final = (MODEL_MS, 70.0, 90.0)
SIMPLE_MS: Final = (MODEL_MS, 54.0, 80.0)
AWAY_S: Final = 10.0  # the receiver, once it is killed
_DISPATCH_MS: Final = 5.0  # from the acceptance of a job until an idle worker has it
_POLITE_MS: Final = 50.0  # a response that nobody waits for
_TICK_S: Final = 0.5  # the harness looks this often whether a kill is due
_WORK_HORSES: Final = 2  # generations below the supervisor
_START_S: Final = 3.0  # of a process, on a busy machine
_ONLY_IN_FULL: Final = (
    "job-rq-simple",
    "job-rq-flood",
    "job-rq-flood-flask",
    "job-rq-killed-simple",
    "job-rq-told-once",
)


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws. A quick run has no time for every contender."""
    in_full = scale >= 1
    capacity_rps = closed_rate_rps(1, FORKS_MS[1])
    rates = {name: capacity_rps * percent / 100 for name, percent in LOADS_PCT.items()}
    seconds = 4.0 if in_full else 3.0
    open_loads = {name: Arrivals(rate, seconds, warmup_s=0, seed=SEED) for name, rate in rates.items()}
    kills = _kills(KILLS if in_full else 2)
    killed = {name: Arrivals(rate, _killed_s(kills[name]), 0, SEED) for name, rate in _KILLED_RPS.items()}
    away = {"receiver away": Arrivals(4.0, 4.0 if in_full else 3.0, warmup_s=0, seed=SEED)}
    loads = {**open_loads, "flood": Arrivals(130.0, 4.0, warmup_s=0, seed=SEED), **killed, **away}
    laws = (*_waits(open_loads), *_little(open_loads), *_accepts(), *_survives(kills), *_tells(away["receiver away"]))
    chosen = [
        law for law in laws if in_full or (law.subject not in _ONLY_IN_FULL and law.load not in ("half", "nearly all"))
    ]
    asked = {law.load for law in chosen}
    return Strategy(
        title="Jobs on a queue, with RQ",
        trouble="The answer takes longer than a client, or a proxy, will wait.",
        claim="Put it into a queue, answer with an id, and notify the client in a background task when it is done.",
        source="a talk, which gives no figure",
        use_when=(
            "work takes longer than a request may, and a job is worth several times what it costs to keep it: "
            "every step is written to disk."
        ),
        group="later",
        loads={name: load for name, load in loads.items() if name in asked},
        laws=tuple(chosen),
        seen=tuple(each for each in _seen() if in_full or each.subject not in _ONLY_IN_FULL),
        kills=kills,
        gain=Gain(
            "times as soon as when the request waits for its result",
            ACCEPTED_MEAN, "high", "job-rq-forks", "job-rq-waits",
        ),
        charts=_charts() if in_full else (),
        stages=(
            Stages(
                "Where the time of a job goes",
                ("job-rq-forks", *(["job-rq-simple"] if in_full else [])), "high",
                (("accepted", ACCEPTED_MEAN), ("in the queue", QUEUED), ("at work", AT_WORK), ("told", TOLD)),
            ),
        ),
    )  # fmt: skip


_KILLED_RPS: Final = {"workers killed": 8.0, "horses killed": 16.0}


def _kills(times: int) -> dict[str, Kill]:
    return {
        "workers killed": Kill(times, every_s=0.8, role="workers", depth=1),
        "horses killed": Kill(times, every_s=0.5, role="workers", depth=_WORK_HORSES),
        "receiver away": Kill(1, every_s=0.5, role="receiver", depth=1),
    }


def _killed_s(kill: Kill) -> float:
    # Now and then there is no work-horse when one is due to be killed.
    missed_s = 4.0 if kill.depth == _WORK_HORSES else 0.0
    return kill.times * max(kill.every_s, _TICK_S) + 1.0 + missed_s


def _waits(loads: dict[str, Arrivals]) -> Iterator[Law]:
    for name, occupied_ms in (("job-rq-forks", FORKS_MS), ("job-rq-simple", SIMPLE_MS)):
        for load, arrivals in loads.items():
            more = _DISPATCH_MS / _mean_wait_ms(arrivals, occupied_ms[1])
            yield Law(
                "a job waits as long as the queue M/G/1 says, for the very arrivals and the time that a job takes",
                name, load, wait_by_law(arrivals), **within(1.0, 0.15, more),
            )  # fmt: skip
        for load, arrivals in loads.items():
            least_ms, expected_ms, most_ms = (_mean_wait_ms(arrivals, each_ms) + each_ms for each_ms in occupied_ms)
            yield Law(
                f"the result is there as soon as with jobs of {occupied_ms[0]:g} to {occupied_ms[2]:g} ms each",
                name, load, SOJOURN, expected_ms, least_ms, most_ms,
            )  # fmt: skip
        yield Law(
            "a job occupies its worker for the model's time, and for what RQ writes",
            name, "high", OCCUPIED, occupied_ms[1], occupied_ms[0], occupied_ms[2],
        )  # fmt: skip


def _mean_wait_ms(load: Arrivals, occupied_ms: float) -> float:
    return fmean(waits_ms(times_of(load), occupied_ms))


def _little(loads: dict[str, Arrivals]) -> Iterator[Law]:
    for name in ("job-rq-forks", "job-rq-simple"):
        for load in loads:
            yield Law(
                "Little's law: as many jobs are in the system as their rate times their time there",
                name, load, LITTLE, **within(1.0, 0.05),
            )  # fmt: skip


def _accepts() -> Iterator[Law]:
    for name in ("job-rq-flood", "job-rq-flood-flask"):
        yield Law(
            "with a growing backlog, 99 of 100 jobs are accepted at once",
            name, "flood", ACCEPTED_P99, **at_most(_POLITE_MS),
        )  # fmt: skip
        yield Law("every job is accepted", name, "flood", FAILURES, **exactly(0))
        yield Law(
            "a worker does at most 1000 / 45 jobs per second, and RQ takes its share",
            name, "flood", DONE, closed_rate_rps(1, MODEL_MS), 0.35 * closed_rate_rps(1, MODEL_MS),
            closed_rate_rps(1, MODEL_MS),
        )  # fmt: skip


def _survives(kills: dict[str, Kill]) -> Iterator[Law]:
    cases = (("job-rq-killed", "workers killed"), ("job-rq-killed", "horses killed"))
    for name, load in (*cases, ("job-rq-killed-simple", "workers killed")):
        yield Law(f"{load}, and no job is lost", name, load, FAILURES, **exactly(0))
        yield Law(f"{load}, and no job has two effects", name, load, said("duplicate_effects", "jobs"), **exactly(0))
        yield Law(
            f"{load}, and each time at most one job runs again",
            name, load, counted("reruns", "jobs"), **at_most(kills[load].times),
        )  # fmt: skip
        again_ms = 1e3 * (ABSENT_S + 2 * LOOK_EVERY_S + _START_S)
        yield Law(f"{load}, and the last result comes soon", name, load, WORST, **at_most(again_ms))


def _tells(load: Arrivals) -> Iterator[Law]:
    name = "receiver away"
    yield Law(
        "the receiver is away for ten seconds, and every callback comes", "job-rq-told", name, FAILURES, **exactly(0)
    )
    away_ms = 1e3 * (AWAY_S + _START_S)
    yield Law(
        "the last callback comes when the receiver is back: doubled pauses miss it by as long as it was away",
        "job-rq-told", name, WORST, expected=1.5e3 * AWAY_S, at_least=0.7e3 * AWAY_S, at_most=2 * away_ms + 2e3,
    )  # fmt: skip
    due = times_of(load)
    kill_s, late_s = 0.5, _TICK_S + 0.3
    most = sum(at_s >= kill_s - 0.3 for at_s in due)
    least = sum(kill_s + late_s <= at_s <= load.measure_s - 0.5 for at_s in due)
    yield Law(
        "callbacks that are sent once are lost while the receiver is away",
        "job-rq-told-once", name, counted("callbacks_lost", "callbacks"),
        (least + most) / 2, least, most, contrast=True,
    )  # fmt: skip
    yield Law("the results themselves are there", "job-rq-told-once", name, FAILURES, **exactly(0))


def _seen() -> Iterator[Seen]:
    for name in ("job-rq-forks", "job-rq-simple"):
        yield Seen("CPU per answer, all processes", name, "high", CPU)
        yield Seen("memory of all processes", name, "high", MEMORY)
    for name, load in (("job-rq-killed", "workers killed"), ("job-rq-killed", "horses killed")):
        yield Seen("processes that were killed", name, load, said("killed", "processes"))
    yield Seen("processes that were killed", "job-rq-killed-simple", "workers killed", said("killed", "processes"))
    yield Seen("deliveries that failed", "job-rq-told", "receiver away", counted("callbacks_failed", "attempts"))
    yield Seen("a job is accepted within", "job-rq-waits", "high", ACCEPTED_MEAN)


def _charts() -> tuple[Chart, ...]:
    over = {name: closed_rate_rps(1, FORKS_MS[1]) * percent / 100 for name, percent in LOADS_PCT.items()}
    subjects = ("job-rq-forks", "job-rq-simple")
    return (Chart("A result takes longer, the more jobs come", SOJOURN, subjects, "jobs per second, one worker", over),)
