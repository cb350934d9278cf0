"""FastAPI's BackgroundTasks: how soon it answers, what it holds up, and what it loses."""

from collections.abc import Iterator
from typing import Final

from benchmark.experiments.strategies.figure_kinds import FAILURES, MEAN, WORST, said
from benchmark.experiments.strategies.law import (
    Computation,
    Figure,
    Gain,
    Law,
    OverTime,
    Seen,
    Strategy,
    at_most,
    exactly,
    from_floor,
    within,
)
from benchmark.experiments.strategies.observed import Observed
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals, Waves
from strategies.background_task.parameters import KILLED, LONG_TASK_MS, PENDING, PROBED_MS, TASK_MS, THREADS
from strategies.laws import closed_rate_rps, makespan_ms, waits_ms

BEHIND, WITHIN = "background-task", "background-task-request"
PENDING_TASKS: Final = "background-task-pending"  # the computation
ALONE, TOO_MANY = "alone", "more than the threads can do"
OVERLOAD: Final = 1.25  # times what the threads can do
_QUICK_MS: Final = 50.0  # what a trivial endpoint may take while the machine is busy
_LATE_MS: Final = 100.0  # by which the first task may start late, with the answer of the endpoint
_STEP_S: Final = 0.25  # between the points of a line


def _done_per_s(seen: Observed) -> float | None:
    window_s = (seen.end_ns - seen.start_ns) / 1e9
    done = seen.after.get("done"), seen.before.get("done")
    return None if None in done or window_s <= 0 else (float(done[0]) - float(done[1])) / window_s  # type: ignore[arg-type]


DONE_RATE: Final = Figure("done_per_s", "tasks/s", _done_per_s)


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws."""
    capacity_rps = closed_rate_rps(THREADS, TASK_MS)
    overload = Arrivals(OVERLOAD * capacity_rps, measure_s=2.0 if scale >= 1 else 1.0, warmup_s=0.5)
    return Strategy(
        title="FastAPI's BackgroundTasks",
        trouble="An answer waits for work that the client does not wait for, such as a mail.",
        claim="The client need not wait: the work is done after the response has been sent.",
        source="FastAPI's documentation, and a talk that notifies so when a job is done; neither measures it",
        use_when="the work is short, and may be lost. Whatever must be done needs a queue that outlives the process.",
        loads={ALONE: Waves(1, 3), TOO_MANY: overload},
        laws=(*_answers(), *_overload(overload), *_endpoints(), *_ends()),
        seen=(
            Seen("how long SIGTERM takes", PENDING_TASKS, "", said("sigterm_ms", "ms")),
            Seen("longest answer while tasks pile up", BEHIND, TOO_MANY, WORST),
        ),
        gain=Gain("times as fast to the answer as the same work within the request", MEAN, ALONE, BEHIND, WITHIN),
        over_time=(
            OverTime(
                "Nothing bounds the tasks that are pending",
                "pending", "tasks", (BEHIND,), TOO_MANY, expected=pending_over_time(overload),
            ),
        ),
        watched=(TOO_MANY,),
        computations={PENDING_TASKS: Computation("strategies.background_task.pending", timeout_s=60.0)},
        group="later",
    )  # fmt: skip


def _answers() -> Iterator[Law]:
    yield Law("the answer does not wait for the work", BEHIND, ALONE, MEAN, **at_most(_QUICK_MS))
    says = "within the request, it waits for all of it"
    yield Law(says, WITHIN, ALONE, MEAN, **from_floor(TASK_MS, 0.1, 10), contrast=True)


def _overload(load: Arrivals) -> Iterator[Law]:
    """What is accepted, and what is done of it."""
    expected = pending_at(load, load.measure_s)
    rate_rps = closed_rate_rps(THREADS, TASK_MS)
    yield Law("everything is accepted, however much is pending", BEHIND, TOO_MANY, FAILURES, **exactly(0))
    says = f"no more is done than {THREADS} threads can do, in tasks of 250 ms"
    yield Law(says, BEHIND, TOO_MANY, DONE_RATE, **within(rate_rps, 0.1))
    says = "what is accepted beyond that piles up in memory"
    yield Law(says, BEHIND, TOO_MANY, said("pending", "tasks"), **within(expected, 0.2), contrast=True)


def _endpoints() -> Iterator[Law]:
    """What other endpoints wait for: the tasks were all submitted at once, and they are asked half a second later."""
    for pending in PENDING:
        says = f"beside {pending} pending tasks of 1 s, an async def endpoint does not wait"
        yield Law(says, PENDING_TASKS, "", said(f"loop_{pending}_ms", "ms"), **at_most(_QUICK_MS))
        figure, wait_ms = said(f"plain_{pending}_ms", "ms"), plain_wait_ms(pending)
        if not wait_ms:
            says = f"beside {pending}, a def endpoint takes the last thread, and does not wait"
            yield Law(says, PENDING_TASKS, "", figure, **at_most(_QUICK_MS))
            continue
        rounds = "the rest of the running second" if pending < 2 * THREADS else "that and one more second"
        says = f"beside {pending}, a def endpoint waits for {rounds}"
        yield Law(says, PENDING_TASKS, "", figure, **from_floor(wait_ms, 0.0, _LATE_MS), contrast=True)


def _ends() -> Iterator[Law]:
    yield Law(
        f"kill -9 loses all of {KILLED} pending tasks: a new process knows nothing of them",
        PENDING_TASKS, "", said("lost_at_kill", "tasks"), **exactly(KILLED), contrast=True,
    )  # fmt: skip
    yield Law(
        f"SIGTERM waits for {KILLED} pending tasks, and loses none",
        PENDING_TASKS, "", said("lost_at_sigterm", "tasks"), **exactly(0),
    )  # fmt: skip
    rounds_ms = makespan_ms(KILLED, THREADS, LONG_TASK_MS)
    yield Law(
        "so ending takes as long as the tasks: two rounds",
        PENDING_TASKS, "", said("sigterm_ms", "ms"), **from_floor(rounds_ms, 0.0, 1_500), contrast=True,
    )  # fmt: skip


def plain_wait_ms(pending: int) -> float:
    """Return how long an endpoint waits for a thread that is asked `PROBED_MS` after all these tasks began.

    It is one more task in the queue of the threads, which are free again after each whole round.
    """
    rounds = pending // THREADS
    return max(rounds * LONG_TASK_MS - PROBED_MS, 0.0)


def pending_at(load: Arrivals, t_s: float) -> float:
    """Return how many tasks are accepted and not done, so many seconds after the window began."""
    due, now_s = times_of(load), load.warmup_s + t_s
    waits = waits_ms(due, TASK_MS, THREADS)
    ends = [at_s + (wait_ms + TASK_MS) / 1e3 for at_s, wait_ms in zip(due, waits, strict=True)]
    return float(sum(at_s <= now_s < end_s for at_s, end_s in zip(due, ends, strict=True)))


def pending_over_time(load: Arrivals) -> dict[float, float]:
    """Return the law's line for the window."""
    steps = round(load.measure_s / _STEP_S)
    return {step * _STEP_S: pending_at(load, step * _STEP_S) for step in range(steps + 1)}
