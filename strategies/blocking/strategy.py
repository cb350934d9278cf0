"""A model that blocks its caller: what each way of writing the endpoint makes of it."""

from collections.abc import Iterator, Mapping
from typing import Final

from benchmark.experiments.strategies.figure_kinds import CPU, MAKESPAN, WORST, said
from benchmark.experiments.strategies.law import Chart, Figure, Gain, Law, Seen, Strategy, at_most, from_floor
from benchmark.experiments.strategies.observed import Observed
from benchmark.load.plan import Level, Load, Waves
from strategies.blocking.parameters import (
    FASTAPI_THREADS,
    FLASK_THREADS,
    MODEL_MS,
    RAISED_THREADS,
    SLOW_MODEL_MS,
)
from strategies.laws import closed_rate_rps, makespan_ms

ON_LOOP, IN_THREADS = "blocking-async", "blocking-def"
SLOW_ON_LOOP: Final = "blocking-async-250"
THREADS: Final = {  # of the contenders with the slow model
    "blocking-def-250": FASTAPI_THREADS,
    "blocking-raised": RAISED_THREADS,
    "blocking-flask-250": FLASK_THREADS,
}
TEN: Final = 10  # requests at once, as in the documentation of gibbs
FEW: Final = 8  # users whose requests leave the cores free
_STALL: Final = said("loop_stall_ms", "ms")
_QUIET_MS: Final = 20.0  # a stall that nobody notices
_EACH_MS: Final = 0.5  # that a request costs the machine at most, which counts where a hundred come at once


def _answers_per_s(seen: Observed) -> float | None:
    """Return the correct answers that came in the window, per second.

    The harness's own rate counts an answer by its share of the window, which presumes that latencies are alike. On a
    blocked event loop they are not: some users wait for seconds while others are answered again and again.
    """
    window_s = (seen.end_ns - seen.start_ns) / 1e9
    return len(seen.good) / window_s if window_s > 0 else None


RATE: Final = Figure("answers_per_s", "answers/s", _answers_per_s)


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws. A quick run has fewer users, and looks at each step alone."""
    is_full = scale >= 1
    many = 32 if is_full else 16  # one after the other, 32 need 1.4 s for each round
    users = {"one user": 1, **({"eight users": 8} if is_full else {}), f"{many} users": many}
    sizes = sorted({size + more for size in (*THREADS.values(), 2 * FASTAPI_THREADS) for more in (0, 1)})
    waves = {f"{size} at once": size for size in sizes}
    count = 2 if is_full else 1
    loads: dict[str, Load] = {name: Level(n, 0.5 * scale, max(3 * scale, 1)) for name, n in users.items()}
    loads["ten at once"] = Waves(TEN, count, warmup_count=0)
    loads |= {name: Waves(size, count) for name, size in waves.items()}
    return Strategy(
        title="A blocking model: async def, def, or Flask",
        trouble="The model, or a client library, blocks whoever calls it.",
        claim="Ten requests for a model of 250 ms, called in an async def endpoint, take 2.5 s.",
        source="documentation of gibbs 0.2, which measures 2.532 s",
        use_when="anything blocks: write def, not async def, and set the number of threads to what you want at once.",
        loads=loads,
        laws=(*_rates(users), *_stalls(f"{many} users"), *_ten(), *_steps(waves, is_full)),
        seen=tuple(
            Seen(f"{says}, {many} users", name, f"{many} users", figure)
            for says, figure in (("longest wait", WORST), ("CPU per answer", CPU))
            for name in (ON_LOOP, IN_THREADS)
        ),
        gain=Gain(
            f"times the rate of the same code in async def, {many} users",
            RATE, f"{many} users", IN_THREADS, ON_LOOP, less_is_better=False,
        ),
        charts=(
            Chart("On the event loop, more users are not more answers", RATE, (ON_LOOP, IN_THREADS), "users", users),
            *([_step_chart(waves)] if is_full else ()),
        ),
    )  # fmt: skip


def _step_chart(waves: Mapping[str, int]) -> Chart:
    title = "One request more than threads waits a whole round"
    return Chart(title, MAKESPAN, tuple(THREADS), "requests at once", waves)


def _rates(users: Mapping[str, int]) -> Iterator[Law]:
    cap = closed_rate_rps(1, MODEL_MS)
    for load, n in users.items():
        says = f"in async def one after the other, {load}: 1 / 45 ms"
        yield _capped(says, ON_LOOP, load, cap, 0.1, contrast=True)
        says = f"in def all at once, {load}: {n} / 45 ms" + (", if the cores keep up" if n > FEW else "")
        share = 0.3 if n > FEW else 0.1
        yield _capped(says, IN_THREADS, load, closed_rate_rps(n, MODEL_MS), share)


def _capped(says: str, subject: str, load: str, cap_rps: float, share: float, contrast: bool = False) -> Law:
    """Return the law of a cap: so much may be missing, and nothing is above it but what a window's edges make."""
    return Law(says, subject, load, RATE, cap_rps, cap_rps * (1 - share), cap_rps * 1.03, contrast)


def _stalls(many: str) -> Iterator[Law]:
    most = TEN * SLOW_MODEL_MS
    yield Law(
        "in async def a health check waits for all requests that came before it, as many as the ten at once",
        SLOW_ON_LOOP, "ten at once", _STALL,
        expected=most, at_least=most / 2, at_most=most * 1.04, contrast=True,
    )  # fmt: skip
    yield Law("in def a health check does not wait", "blocking-def-250", "ten at once", _STALL, **at_most(_QUIET_MS))
    yield Law(f"in def a health check does not wait, {many}", IN_THREADS, many, _STALL, **at_most(_QUIET_MS))


def _ten() -> Iterator[Law]:
    floor = makespan_ms(TEN, 1, SLOW_MODEL_MS)
    says = "ten requests of 250 ms at once take 2.5 s in async def"
    yield Law(says, SLOW_ON_LOOP, "ten at once", MAKESPAN, **from_floor(floor, 0.04), contrast=True)
    floor = makespan_ms(TEN, FASTAPI_THREADS, SLOW_MODEL_MS)
    says = "ten requests of 250 ms at once take 250 ms in def"
    yield Law(says, "blocking-def-250", "ten at once", MAKESPAN, **from_floor(floor, 0.15, 10))


def _steps(waves: Mapping[str, int], is_full: bool) -> Iterator[Law]:
    for name, threads in THREADS.items():
        for load, size in waves.items():
            if is_full or size in (threads, threads + 1):
                says = f"{size} requests on {threads} threads take ceil({size} / {threads}) rounds"
                floor = makespan_ms(size, threads, SLOW_MODEL_MS)
                yield Law(says, name, load, MAKESPAN, **from_floor(floor, 0.15, 10 + size * _EACH_MS))
