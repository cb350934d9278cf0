"""`python -m tests.capacity.simulate [SEARCHES]`: how often the interval holds the truth, on simulated servers.

The search, the estimate and the schedule of every try are those of the command; instead of HTTP there is a queue.
Prints the table that `python -m tests.capacity.check` prints of real searches.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.experiments.capacity.observed import observe
from benchmark.experiments.capacity.plan import CapacityPlan, make_plan
from benchmark.experiments.capacity.search import Capacity, Offer, Search, Tried, conclude
from benchmark.load.arrivals import times_of
from benchmark.record.run import Window
from tests.capacity.laws import LAWS, Floats, latencies_s
from tests.capacity.outcomes import HEAD, Outcome
from tests.capacity.truths import true_capacity_rps

_START_S = 3.0  # to start and stop the processes of a try
_LOOK_S = 0.1
_NS = 1e9


def search(name: str, seed: int) -> tuple[Capacity, float]:
    """Return what a search finds, and how many minutes it would take."""
    plan, spent_s = make_plan([LAWS[name].promise], seed=seed), 0.0
    searching = Search(plan.objectives, plan.limits)

    def take(offer: Offer) -> None:
        nonlocal spent_s
        tried, lasted_s = attempt(name, plan, offer, len(searching.tries), seed)
        spent_s += _START_S + lasted_s
        searching.add(tried)

    for block in range(-1, plan.blocks):
        if block >= 0:
            searching.begin_block(block)
        while offer := searching.offer():
            take(offer)
    while offer := searching.confirming():
        take(offer)
    return conclude(searching.tries, plan.objectives, plan.blocks), spent_s / 60


def attempt(name: str, plan: CapacityPlan, offer: Offer, number: int, seed: int) -> tuple[Tried, float]:
    """Return what becomes of a try, and how many seconds it lasts: its bounds end it as they would in a run."""
    law, load = LAWS[name], plan.load(offer, number)
    due_s = np.array(times_of(load))
    latency_s, refused = latencies_s(law, due_s.tolist(), seed * 1000 + number)
    inside = due_s >= load.warmup_s
    end_s = max(load.warmup_s + load.measure_s, float((due_s + latency_s).max(initial=0.0)))
    for bound in load.bounds:
        # A request counts as missed when its limit has passed, or when it is refused.
        limit_s = np.inf if bound.limit_ms is None else bound.limit_ms / 1e3
        missed = inside & (refused | (latency_s >= limit_s))
        known_s = np.sort(np.where(refused, due_s + latency_s, due_s + np.minimum(latency_s, limit_s))[missed])
        if len(known_s) > bound.most:
            end_s = min(end_s, float(known_s[bound.most]) + _LOOK_S)
    done = due_s + latency_s <= end_s
    samples = _frame(due_s[done], latency_s[done], refused[done])
    start_ns = int(load.warmup_s * _NS)
    window = Window(0, start_ns, int(min(end_s, load.warmup_s + load.measure_s) * _NS))
    return observe(offer, load, samples, window, plan.objectives), end_s


def _frame(due_s: Floats, latency_s: Floats, refused: NDArray[np.bool_]) -> pd.DataFrame:
    due_ns = (due_s * _NS).astype(np.int64)
    return pd.DataFrame(
        {
            "scheduled_ns": due_ns,
            "start_ns": due_ns,
            "end_ns": due_ns + (latency_s * _NS).astype(np.int64),
            "response_ms": latency_s * 1e3,
            "ok": ~refused,
            "status": np.where(refused, 503, 200),
        }
    )


def outcome_of(name: str, searches: int) -> Outcome:
    """Return what so many searches find, each with a seed of its own: as many at a time as there are cores."""
    outcome, seeds = Outcome(name, true_capacity_rps(name)), range(1, searches + 1)
    with ProcessPoolExecutor() as pool:
        for found, minutes in pool.map(search, repeat(name), seeds, chunksize=5):
            outcome.found.append(found.estimate)
            outcome.minutes.append(minutes)
    return outcome


def main(searches: int) -> None:
    """Print the table."""
    print(HEAD)
    for name in LAWS:
        print(outcome_of(name, searches).row, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
