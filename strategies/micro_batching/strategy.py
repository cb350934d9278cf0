"""Requests of one item, collected into batches: rates, latencies and sizes against what the rule comes to."""

from collections.abc import Iterator, Mapping
from typing import Final

from benchmark.experiments.strategies.figure_kinds import FAILURES, MEAN, RATE, WORST, per, said
from benchmark.experiments.strategies.law import (
    Chart,
    Computation,
    Gain,
    Law,
    Seen,
    Strategy,
    at_most,
    exactly,
    within,
)
from benchmark.load.arrivals import arrivals_until
from benchmark.load.plan import Arrivals, Level, Load
from strategies.micro_batching.parameters import LARGEST, batch_rate_rps, cost_ms
from strategies.micro_batching.simulation import Batched, aimd_in_the_long_run, batched
from strategies.micro_batching.sizing_figures import DOUBLED_SLO_MS, NOISE, SLOS_MS

NONE, GREEDY, WINDOW = "micro-batching-none", "micro-batching-greedy", "micro-batching-window"
BOUNDED, AIMD, REGRESSION = "micro-batching-bounded", "micro-batching-aimd", "micro-batching-regression"
SIZES, ANSWERS, REAL = "adaptive-sizes", "own-answers", "numpy-model"

MAX_BATCH: Final = {NONE: 1, GREEDY: 16, WINDOW: 16}
TIMEOUT_MS: Final = {NONE: 0.0, GREEDY: 0.0, WINDOW: 20.0}
LIGHT: Final = {"10/s": 10.0, "20/s": 20.0, "30/s": 30.0}  # requests per second
HEAVY: Final = {"100/s": 100.0}
USERS: Final = {"2 users": 2, "8 users": 8, "32 users": 32}
_ONLY_IN_FULL: Final = ("20/s", "2 users", "64 users")
_BOUNDED_BATCH: Final = 8
_SIZE: Final = per("items", "batches", "items")
_LATE: Final = per("late", "batches")
_LIMIT: Final = said("limit", "items")


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws."""
    loads, adaptive = _loads(scale), _adaptive() if scale >= 1 else ()
    return Strategy(
        title="Micro-batching: requests collected into batches",
        trouble="A model takes many items for little more than one, but every request brings one.",
        claim="Above some rate a batch that waits a fixed time pays, and only on a GPU.",
        source="article on ML serving, without figures; AIMD and quantile regression: Clipper, NSDI 2017",
        use_when="a call has a fixed cost. Begin as soon as the model is free; wait for more only if it was measured.",
        loads=loads,
        laws=(*_of_batches(loads), *_bound(loads), *adaptive, *_on_paper(), *_after_doubling(), *_answers()),
        seen=(
            *(_late_batches() if adaptive else ()),
            Seen("a wide NumPy model, mostly arithmetic: 16 rows at once", REAL, "", said("wide_gain", "times")),
        ),
        gain=Gain(
            "times as many requests per second as one item at a time, for 32 users",
            RATE, "32 users", GREEDY, NONE, less_is_better=False,
        ),
        charts=(
            Chart("From which rate a batch pays", MEAN, (NONE, GREEDY, WINDOW), "requests per second", _light(loads)),
            Chart("The more users, the larger the batches", RATE, (GREEDY,), "users in a closed loop", _users(loads)),
        ),
        computations={
            SIZES: Computation("strategies.micro_batching.sizing_figures"),
            ANSWERS: Computation("strategies.micro_batching.own_answers"),
            REAL: Computation("strategies.micro_batching.numpy_model"),
        },
    )  # fmt: skip


def _loads(scale: float) -> dict[str, Load]:
    """Return the loads; a short run leaves out some, since each contender takes seconds to start."""
    open_s, closed_s, warm_s = max(2.4 * scale, 0.8), max(1.6 * scale, 0.8), max(0.5 * scale, 0.2)
    loads: dict[str, Load] = {
        **{name: Arrivals(rate, open_s, warm_s) for name, rate in (LIGHT | HEAVY).items()},
        **{name: Level(users, warm_s, closed_s) for name, users in USERS.items()},
        "64 users": Level(64, 2.0, closed_s),  # the sizes settle in the warm-up
        "200/s": Arrivals(200.0, open_s, warm_s),
    }
    return loads if scale >= 1 else {name: load for name, load in loads.items() if name not in _ONLY_IN_FULL}


def _light(loads: Mapping[str, Load]) -> dict[str, float]:
    return {name: rate for name, rate in LIGHT.items() if name in loads}


def _users(loads: Mapping[str, Load]) -> dict[str, float]:
    return {name: users for name, users in USERS.items() if name in loads}


def _simulated(load: Load, contender: str, places: float = float("inf")) -> tuple[Batched, list[float], float]:
    """Return what the rule does with the very arrivals of a load, these, and when the measured window begins."""
    assert isinstance(load, Arrivals)
    arrivals_s = arrivals_until(load.rate_rps, load.seed, load.warmup_s + load.measure_s)
    size = MAX_BATCH.get(contender, _BOUNDED_BATCH)
    return batched(arrivals_s, cost_ms, size, TIMEOUT_MS.get(contender, 0.0), places), arrivals_s, load.warmup_s


def _of_batches(loads: Mapping[str, Load]) -> Iterator[Law]:
    yield from _rates(loads)
    yield from _latencies(loads)
    yield from _batch_sizes(loads)


def _rates(loads: Mapping[str, Load]) -> Iterator[Law]:
    says = "32 users, one at a time: 1 / (a + b)"
    yield Law(says, NONE, "32 users", RATE, **within(batch_rate_rps(1), 0.05), contrast=True)
    for load in _users(loads):
        half = USERS[load] // 2
        says = f"{load}, of whom half wait for the others' batch: {half} / (a + {half} b)"
        yield Law(says, GREEDY, load, RATE, **within(batch_rate_rps(half), 0.05))


def _latencies(loads: Mapping[str, Load]) -> Iterator[Law]:
    says = {
        NONE: "one at a time: the wait for all before",
        GREEDY: "no timeout: the wait for the batch before",
        WINDOW: "20 ms: the wait for company, or for the batch before",
    }
    for contender, why in says.items():
        for load in [*_light(loads), *([] if contender == NONE else HEAVY)]:
            found, arrivals_s, from_s = _simulated(loads[load], contender)
            mean_ms = found.mean_ms(arrivals_s, from_s)
            yield Law(f"{load}, {why}", contender, load, MEAN, **within(mean_ms, 0.08, 3), contrast=contender == NONE)


def _batch_sizes(loads: Mapping[str, Load]) -> Iterator[Law]:
    for contender in (GREEDY, WINDOW):
        found, _, from_s = _simulated(loads["100/s"], contender)
        says = "100/s: the mean batch; in the long run rate x a / (1 - rate x b) = 4"
        yield Law(says, contender, "100/s", _SIZE, **within(found.mean_size(from_s), 0.15))
    yield Law("32 users: batches of 16", GREEDY, "32 users", _SIZE, **within(16, 0.03))


def _bound(loads: Mapping[str, Load]) -> Iterator[Law]:
    found, arrivals_s, from_s = _simulated(loads["200/s"], BOUNDED, places=_BOUNDED_BATCH)
    latest_ms = 2 * cost_ms(_BOUNDED_BATCH)
    yield Law(
        "200/s, room for one batch: nobody waits longer than for two batches of 8",
        BOUNDED, "200/s", WORST, expected=latest_ms, at_least=latest_ms * 0.9, at_most=latest_ms + 10,
    )  # fmt: skip
    yield Law(
        "200/s, room for one batch: who finds it taken is refused",
        BOUNDED, "200/s", FAILURES, **within(found.refused(arrivals_s, from_s), 0.15, 2),
    )  # fmt: skip


def _adaptive() -> Iterator[Law]:
    for contender, size, why in (
        (AIMD, 15, "64 users: AIMD stays at a batch of 95 ms, above 90 % of 102 ms"),
        (REGRESSION, 16, "64 users: the fit finds the largest batch below 102 ms, of 100 ms"),
    ):
        yield Law(why, contender, "64 users", _LIMIT, expected=size, at_least=size - 2, at_most=size + 1)
        says = f"64 users: the rate of batches of {size}"
        yield Law(says, contender, "64 users", RATE, **within(batch_rate_rps(size), 0.05))


def _late_batches() -> tuple[Seen, ...]:
    return (
        Seen("AIMD: share of late batches", AIMD, "64 users", _LATE),
        Seen("quantile regression: share of late batches", REGRESSION, "64 users", _LATE),
    )


def _on_paper() -> Iterator[Law]:
    """The adaptive sizes when more waits than a batch may hold, for three objectives."""
    for slo_ms, stays in zip(SLOS_MS, (7, 15, 33), strict=True):
        says = f"AIMD, {slo_ms} ms, exact cost: where it stays"
        yield Law(says, SIZES, "", said(f"aimd_exact_size_{slo_ms}", "items"), **exactly(stays))
        mean, late = aimd_in_the_long_run(slo_ms, cost_ms, NOISE, LARGEST)
        says = f"AIMD, {slo_ms} ms, cost ± 5 %: mean size, by its Markov chain"
        yield Law(says, SIZES, "", said(f"aimd_size_{slo_ms}", "items"), **within(mean, 0.01))
        says = f"AIMD, {slo_ms} ms, cost ± 5 %: late batches, by its Markov chain"
        yield Law(says, SIZES, "", said(f"aimd_late_pct_{slo_ms}", "%"), **within(100 * late, 0.1))
        fits = largest_that_fits(slo_ms)
        yield Law(
            f"regression, {slo_ms} ms, cost ± 5 %: the size whose 99th percentile fits",
            SIZES, "", said(f"fit_size_{slo_ms}", "items"), expected=fits, at_least=fits - 1, at_most=fits + 1,
        )  # fmt: skip
    says = "AIMD, exact cost: late batches, for the worst objective"
    yield Law(says, SIZES, "", said("aimd_exact_late_pct", "%"), **exactly(0))
    says = "regression, cost ± 5 %: late batches, for the worst objective"
    yield Law(says, SIZES, "", said("fit_late_pct", "%"), **at_most(1))
    yield Law(
        "AIMD that never holds, 100 ms: late batches of its saw-tooth of three",
        SIZES, "", said("no_band_late_pct", "%"), **within(100 / 3, 0.02), contrast=True,
    )  # fmt: skip


def _after_doubling() -> Iterator[Law]:
    says = f"the fixed cost doubles, {DOUBLED_SLO_MS} ms: AIMD is late twice"
    yield Law(says, SIZES, "", said("aimd_late_of_100_after_doubling", "of 100 batches"), **exactly(2))
    yield Law(
        f"the fixed cost doubles, {DOUBLED_SLO_MS} ms: what was fitted once is late for ever",
        SIZES, "", said("fit_late_of_100_after_doubling", "of 100 batches"), **exactly(100), contrast=True,
    )  # fmt: skip


def largest_that_fits(slo_ms: float) -> float:
    """Return the size whose 99th percentile of latency is the objective, for a cost that varies uniformly."""
    quantile = 1 + NOISE * (2 * 0.99 - 1)
    fixed_ms, item_ms = cost_ms(0), cost_ms(1) - cost_ms(0)
    return round((slo_ms / quantile - fixed_ms) / item_ms)


def _answers() -> Iterator[Law]:
    for key, why in (
        ("wrong", "10,000 items: answers to somebody else's item"),
        ("unanswered", "items that never got an answer"),
        ("failed_beyond_batches", "items that failed although no batch of theirs did"),
    ):
        yield Law(why, ANSWERS, "", said(key, "items"), **exactly(0))
    yield Law(
        "a small NumPy model on the CPU is nearly all fixed cost: 16 rows at once",
        REAL, "", said("small_gain", "times"), expected=16, at_least=4, at_most=17,
    )  # fmt: skip
