"""Jobs in huey: whether their order is strict, how long each class waits, and what a kill costs."""

from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Final, NamedTuple

from benchmark.experiments.strategies.figure_kinds import (
    ACCEPTED_MEAN,
    ACCEPTED_WORST,
    CPU,
    FAILURES,
    MEAN,
    MEMORY,
    WORST,
    counted,
    per,
    said,
)
from benchmark.experiments.strategies.law import (
    Computation,
    Figure,
    Gain,
    Kill,
    Law,
    OverTime,
    Seen,
    Stages,
    Strategy,
    at_most,
    exactly,
    from_floor,
    within,
)
from benchmark.experiments.strategies.observed import Observed
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals, Waves
from strategies.job_huey.facts import RETRIES, RETRY_DELAY_S
from strategies.job_huey.features import EVERY_MIN
from strategies.job_huey.parameters import HIGH, LOW, OCCUPIED_MS, STEADY_MODEL_MS
from strategies.job_huey.periodic import MINUTES
from strategies.laws import closed_rate_rps, waits_by_class_ms

FIFO, PRIORITY, NAIVE = "job-huey", "job-huey-priority", "job-huey-naive"
NOTIFIED, POLLED, CACHED = "job-huey-notified", "job-huey-polled", "job-huey-cached"
FACTS, PERIODIC = "job-huey-facts", "job-huey-periodic"  # computations
CLASSES, KILLS, NAIVE_KILLS, ONE = "two classes", "kills", "kills of the naive form", "one at a time"
LOAD: Final = 0.8  # of what the worker can do; a quarter of it is urgent
SEED: Final = 9  # of arrivals whose short window has about the waits of a long one
EVERY_S: Final = 1.6  # between kills: a new consumer needs 0.7 s, and one that lives for a second starts at once
BODIES: Final = 10  # that differ; after as many requests a worker with a cache knows all
_POLLS_MS: Final = (50.0, 1.15)  # the first pause of huey's polling, and how it grows
_DISPATCH_MS: Final = 25.0  # HTTP, Redis, and huey, there and back
_QUICK_MS: Final = 30.0  # what an answer may take that waits for nothing
_TICK_S: Final = 1.0  # huey's scheduler

WAIT: Final = Figure("mean_wait_ms", "ms", per("waited_ms", "started").of)
WAIT_HIGH: Final = Figure("mean_wait_of_urgent_ms", "ms", per("waited_ms_high", "started_high").of)
WAIT_LOW: Final = Figure("mean_wait_of_others_ms", "ms", per("waited_ms_low", "started_low").of)
OCCUPIED: Final = Figure("occupied_ms", "ms", per("occupied_ms", "occupied").of)
AT_WORK: Final = Figure("at_work_ms", "ms", per("worked_ms", "finished").of)


class Queue(NamedTuple):
    """What a law needs to know of a load: its arrivals, the class of each, and whether the classes matter."""

    load: Arrivals
    by_class: bool

    def waits_ms(self, occupied_ms: float, only: str = "") -> list[float]:
        """Return the waits of those, of one priority or of all, whose turn comes within the window."""
        due = times_of(self.load)
        pattern = priorities()
        classes = [pattern[number % len(pattern)] for number in range(len(due))]
        ranks = [int(each != HIGH) if self.by_class else 0 for each in classes]
        waits = waits_by_class_ms(due, ranks, occupied_ms)
        return [
            wait
            for at_s, wait, priority in zip(due, waits, classes, strict=True)
            if at_s + wait / 1e3 >= self.load.warmup_s and only in ("", priority)
        ]


def priorities() -> list[str]:
    """Return the priorities of the requests, in the order in which they are sent, again and again."""
    lines = (Path(__file__).parent / "jobs.jsonl").read_text().splitlines()
    return [HIGH if HIGH in line else LOW for line in lines]


def over_law(figure: Figure, queue: Queue, only: str = "") -> Figure:
    """Return a mean wait as a multiple of what it is in the queue of the very arrivals.

    For how long a job occupies the worker is measured: the model, and all that huey and Redis add. The way to an idle
    worker is taken off: the shortest wait of all.
    """

    def ratio(seen: Observed) -> float | None:
        wait_ms, occupied_ms, least_ms = figure.of(seen), OCCUPIED.of(seen), seen.after.get("least_wait_ms")
        if wait_ms is None or occupied_ms is None or least_ms is None:
            return None
        expected_ms = fmean(queue.waits_ms(occupied_ms, only))
        return (wait_ms - float(least_ms)) / expected_ms if expected_ms else None

    return Figure(figure.name.replace("_ms", "_over_law"), "", ratio)


def _fetched_ms(seen: Observed) -> float | None:
    """Return the time from the stored result to the client that asks for it every 50 ms, and all of HTTP."""
    parts = [figure.of(seen) for figure in (MEAN, WAIT, AT_WORK)]
    return None if None in parts else parts[0] - parts[1] - parts[2]  # type: ignore[operator]


def _again(seen: Observed) -> float | None:
    """Return how often a job was worked on again."""
    runs, effects = counted("started").of(seen), counted("effects").of(seen)
    return None if runs is None or effects is None else runs - effects


FETCHED: Final = Figure("until_fetched_ms", "ms", _fetched_ms)
AGAIN: Final = Figure("again", "jobs", _again)


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws. A quick run looks at order, waits and kills, and at what needs no service."""
    in_full = scale >= 1
    rate_rps = LOAD * closed_rate_rps(1, OCCUPIED_MS)
    classes = Arrivals(rate_rps, measure_s=11.5 if in_full else 4.0, warmup_s=1.0, seed=SEED)
    kill, naive = _kill(7 if in_full else 1), _kill(3)
    laws = (
        *_order(), *_waits(classes), *_kept(kill),
        *((*_lost(naive), *_gets()) if in_full else ()),
        *_facts(), *_periodic(),
    )  # fmt: skip
    return Strategy(
        title="Jobs in a queue: huey",
        trouble="Work takes longer than a client wants to wait, and some of it is urgent.",
        claim="A lightweight task queue: priorities, retries, expiry and periodic tasks, with Redis alone.",
        source="an article on serving models, which measures nothing",
        use_when=(
            "jobs are short, one language is enough, and a row for each job is kept beside it. "
            "huey alone loses what a dead consumer was working on."
        ),
        loads={
            CLASSES: classes,
            KILLS: Arrivals(5.0, measure_s=_killed_s(kill), warmup_s=0.4),
            **({NAIVE_KILLS: Arrivals(20.0, measure_s=_killed_s(naive), warmup_s=0.4)} if in_full else {}),
            **({ONE: Waves(1, 3, warmup_count=BODIES)} if in_full else {}),
        },
        laws=laws,
        seen=tuple(_seen()),
        kills={KILLS: kill, **({NAIVE_KILLS: naive} if in_full else {})},
        gain=Gain(
            "times as short a wait for the urgent jobs as first come, first served",
            WAIT_HIGH, CLASSES, PRIORITY, FIFO,
        ),
        stages=(
            Stages(
                "The way of a job, at 80 % of what the worker can do",
                (FIFO, PRIORITY), CLASSES,
                (("in the queue", WAIT), ("at work", AT_WORK), ("until it is fetched", FETCHED)),
            ),
        ),
        over_time=(
            OverTime(
                "After each kill the jobs wait for a new consumer, and none is forgotten",
                "backlog", "jobs", (FIFO,), KILLS,
            ),
        ),
        watched=(KILLS,),
        computations={
            FACTS: Computation("strategies.job_huey.facts", timeout_s=60.0),
            PERIODIC: Computation("strategies.job_huey.periodic", timeout_s=60.0),
        },
        group="later",
    )  # fmt: skip


def _kill(times: int) -> Kill:
    return Kill(times, every_s=EVERY_S, role="workers", depth=1)


def _killed_s(kill: Kill) -> float:
    """Return how long a load with kills takes: until the last dead consumer is known to be dead, too."""
    return kill.times * kill.every_s + 2.6


def _order() -> Iterator[Law]:
    yield Law(
        "one worker, first come, first served: not one job is overtaken",
        FIFO, CLASSES, counted("out_of_order", "jobs"), **exactly(0),
    )  # fmt: skip
    yield Law(
        "with priorities, the same within each class",
        PRIORITY, CLASSES, counted("out_of_order_within", "jobs"), **exactly(0),
    )  # fmt: skip
    for name in (FIFO, PRIORITY):
        yield Law("every job is answered", name, CLASSES, FAILURES, **exactly(0))
        says = "the 202 does not wait for the work"
        yield Law(says, name, CLASSES, ACCEPTED_MEAN, **at_most(_QUICK_MS))


def _waits(load: Arrivals) -> Iterator[Law]:
    """Mean waits as multiples of those of the very arrivals."""
    fifo, classes = Queue(load, by_class=False), Queue(load, by_class=True)
    one = within(1.0, 0.15)
    yield Law("at 80 %, jobs wait as in the queue M/D/1", FIFO, CLASSES, over_law(WAIT, fifo), **one)
    says = "the urgent ones wait there as long as all others"
    yield Law(says, FIFO, CLASSES, over_law(WAIT_HIGH, fifo, HIGH), **one, contrast=True)
    says = "with priorities the urgent ones wait for each other, and for the rest of one job: Cobham"
    yield Law(says, PRIORITY, CLASSES, over_law(WAIT_HIGH, classes, HIGH), **within(1.0, 0.2))
    says = "the others pay for it: Cobham"
    yield Law(says, PRIORITY, CLASSES, over_law(WAIT_LOW, classes, LOW), **one)
    says = "all together wait as long as without priorities: no order creates or saves work"
    yield Law(says, PRIORITY, CLASSES, over_law(WAIT, fifo), **one)


def _kept(kill: Kill) -> Iterator[Law]:
    says = "the consumer was killed as often as it should be"
    yield Law(says, FIFO, KILLS, said("killed", "consumers"), **exactly(kill.times))
    yield Law("with a row for each job, a kill loses none", FIFO, KILLS, FAILURES, **exactly(0))
    says = "and no effect is written twice"
    yield Law(says, FIFO, KILLS, counted("duplicate_effects", "effects"), **exactly(0))
    says = "a kill costs at most one job that is worked on again"
    yield Law(says, FIFO, KILLS, AGAIN, **at_most(kill.times))


def _lost(kill: Kill) -> Iterator[Law]:
    times = kill.times
    yield Law("huey alone accepts all the same", NAIVE, NAIVE_KILLS, FAILURES, **exactly(0))
    yield Law(
        "at most once: each kill loses the job that the worker had",
        NAIVE, NAIVE_KILLS, said("lost", "jobs"), expected=times, at_least=times - 1, at_most=times, contrast=True,
    )  # fmt: skip
    says = "and no more than once"
    yield Law(says, NAIVE, NAIVE_KILLS, counted("duplicate_effects", "effects"), **exactly(0))


def _gets() -> Iterator[Law]:
    """A client that waits for its result in one request."""
    says = "a blocking get that is woken up takes as long as the job"
    yield Law(says, NOTIFIED, ONE, MEAN, **from_floor(STEADY_MODEL_MS, 0.0, _DISPATCH_MS))
    floor_ms = polled_ms(STEADY_MODEL_MS)
    says = f"one that polls, as it does by default, looks after 50 ms and then after {floor_ms:g} ms"
    yield Law(says, POLLED, ONE, MEAN, **from_floor(floor_ms, 0.0, _DISPATCH_MS), contrast=True)
    says = "a prediction that the worker keeps needs no model"
    yield Law(says, CACHED, ONE, counted("misses", "jobs"), **exactly(0))
    yield Law("it takes the way through the queue alone", CACHED, ONE, MEAN, **at_most(_DISPATCH_MS))


def _facts() -> Iterator[Law]:
    def fact(says: str, key: str, value: float, contrast: bool = False) -> Law:
        return Law(says, FACTS, "", said(key), **exactly(value), contrast=contrast)

    yield fact("a task that fails is tried retries + 1 times", "attempts", RETRIES + 1)
    yield fact("and its result is that of the last try", "succeeded", 1)
    least_s, most_s = RETRY_DELAY_S, RETRY_DELAY_S + _TICK_S
    for key, expected in (("least_gap_s", least_s), ("longest_gap_s", most_s)):
        says = "between two tries lie the delay and up to one second more, since the scheduler looks once a second"
        yield Law(says, FACTS, "", said(key, "s"), expected, least_s, most_s + 0.1)
    says = "by default a blocking get raises at the first failure, though the next try would succeed"
    yield fact(says, "raised_at_first_failure", 1, contrast=True)
    yield fact("a result is there half a second before its expiry", "before_expiry", 1)
    yield fact("and gone half a second after it", "after_expiry", 0)
    yield fact("without expiry, the first read takes the result away", "second_read", 0, contrast=True)
    says = "a get that does not block finds nothing before the job is done"
    yield fact(says, "read_before_ready", 0)
    yield Law("and says so at once", FACTS, "", said("nonblocking_ms", "ms"), **at_most(5))


def _periodic() -> Iterator[Law]:
    due = -(-MINUTES // EVERY_MIN)
    says = f"in {MINUTES} minutes, features are due to be refreshed every {EVERY_MIN} minutes"
    yield Law(says, PERIODIC, "", said("due", "times"), **exactly(due))
    yield Law("no refresh is missed", PERIODIC, "", said("missed", "times"), **exactly(0))
    says = "two consumers refresh them twice"
    yield Law(says, PERIODIC, "", said("refreshed_by_two", "times"), **exactly(2 * due), contrast=True)
    says = "unless one of them runs with -n"
    yield Law(says, PERIODIC, "", said("enqueued_with_n", "times"), **exactly(due))


def _seen() -> Iterator[Seen]:
    for name in (FIFO, PRIORITY):
        yield Seen("wait of the urgent jobs", name, CLASSES, WAIT_HIGH)
        yield Seen("wait of the others", name, CLASSES, WAIT_LOW)
        yield Seen("for how long a job occupies the worker", name, CLASSES, OCCUPIED)
    yield Seen("longest time to a 202", FIFO, CLASSES, ACCEPTED_WORST)
    yield Seen("CPU per job, all processes", FIFO, CLASSES, CPU)
    yield Seen("memory of all processes", FIFO, CLASSES, MEMORY)
    yield Seen("longest time to a result while consumers are killed", FIFO, KILLS, WORST)


def polled_ms(ready_ms: float) -> float:
    """Return when huey's polling sees a result that is there after `ready_ms`."""
    pause_ms, growth = _POLLS_MS
    at_ms = 0.0
    while at_ms < ready_ms:
        at_ms += pause_ms
        pause_ms *= growth
    return at_ms


def expected_waits_ms(load: Arrivals, occupied_ms: float = OCCUPIED_MS) -> dict[str, float]:
    """Return the mean waits that a load has in both orders, if a job occupies the worker for so long."""
    fifo, classes = Queue(load, by_class=False), Queue(load, by_class=True)
    found = {"fifo": fifo.waits_ms(occupied_ms), "together": classes.waits_ms(occupied_ms)}
    found |= {each: classes.waits_ms(occupied_ms, each) for each in (HIGH, LOW)}
    return {name: fmean(waits) for name, waits in found.items()}
