"""The push worker: how fast the API answers, when the backlog stays, what kills and a poisonous message cost."""

from collections.abc import Iterator
from typing import Final

from benchmark.experiments.strategies.figure_kinds import (
    ACCEPTED_MEAN,
    CPU,
    FAILURES,
    MEAN,
    MEDIAN,
    MEMORY,
    P99,
    WORST,
    counted,
    said,
)
from benchmark.experiments.strategies.law import (
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
from benchmark.load.arrivals import times_of
from benchmark.load.plan import Arrivals, Load, Waves
from strategies.push_worker.law_figures import (
    GAPS,
    LOST,
    PUSHED,
    QUEUED,
    REST,
    UNEXPLAINED,
    backlog_on_paper,
    growth,
    growth_on_paper,
    new_s,
    poison_of,
    worked_off,
)
from strategies.push_worker.parameters import ATTEMPTS, IN_FLIGHT, MODEL_MS, NEW_EVERY, SLOW_MS

RATE_RPS: Final = 200.0  # that is demanded
DEMANDED_MS: Final = 100.0  # the 99th percentile, at that rate
SAME: Final = 64  # requests for one new summary at once
_SQLITE: Final = ("push-worker-known", "push-worker-new")
_POSTGRES: Final = ("push-worker-postgres-known", "push-worker-postgres-new")
_MIXED, _KILLED, _SAME = "push-worker-mixed", "push-worker-killed", "push-worker-same"
_POISON, _DIRECT, _NEW = "push-worker-poison", "push-worker-direct", "push-worker-new"
_STABLE_RPS: Final = 80.0  # of the mixed requests: four fifths of what the slot can do
_KILLED_RPS: Final = 25.0
_KILLED_ROLES: Final = {"worker": 1.4, "dispatcher": 1.2, "scoring": 1.6, "broker": 1.2}  # seconds between two kills
_CALLED: Final = {"scoring": "API"}
_AFTER_S: Final = 1.8  # for what is killed last to come back
_STARTS_S: Final = 0.6  # that the API needs to be there again
# What a quick run leaves out.
_ONLY_IN_FULL: Final = (*_POSTGRES, _MIXED, _SAME)
_ROLES_IN_FULL: Final = ("scoring", "broker")


def strategy(scale: float) -> Strategy:
    """Return the strategy with its laws. A quick run has no time for every contender, nor for every kill."""
    in_full = scale >= 1
    steady = {
        "ramp": Arrivals(RATE_RPS, measure_s=10.0 * scale, warmup_s=0.0, ramp_s=10.0 * scale, seed=3),
        "minute": Arrivals(RATE_RPS, measure_s=60.0 if in_full else 2.7, warmup_s=0.5, seed=4),
        "few": Arrivals(50.0, measure_s=max(2.5 * scale, 1.0), warmup_s=0.3, seed=5),
        "seconds": Arrivals(RATE_RPS, measure_s=4.0, warmup_s=0.5, seed=6),
    }
    mixed = {
        "stable": Arrivals(_STABLE_RPS, measure_s=5.0, warmup_s=0.0, seed=7),
        "overload": Arrivals(RATE_RPS, measure_s=5.0, warmup_s=0.0, seed=8),
    }
    kills = {
        f"{_called(role)} killed": Kill(7 if in_full else 1, every_s, role, depth=1 if role != "broker" else 0)
        for role, every_s in _KILLED_ROLES.items()
        if in_full or role not in _ROLES_IN_FULL
    }
    killed = {
        load: Arrivals(_KILLED_RPS, kill.times * (kill.every_s + 0.1) + _AFTER_S, warmup_s=0.3, seed=10 + number)
        for number, (load, kill) in enumerate(kills.items())
    }
    calm = {"calm": Arrivals(_KILLED_RPS, measure_s=max(3.0 * scale, 1.0), warmup_s=0.3, seed=9)}
    poison = {"poison": Arrivals(15.0, measure_s=3.5 if in_full else 2.0, warmup_s=0.0, seed=20)}
    same = {"same": Waves(SAME, 1, warmup_count=0)}
    loads: dict[str, Load] = {**steady, **mixed, **calm, **killed, **same, **poison}
    laws = (
        *_demanded(in_full),
        *_stability(mixed["stable"], mixed["overload"]),
        *_kills(kills, killed),
        *_one_for_all(),
        *_dead_letters(poison["poison"]),
        _waited_for(),
    )
    chosen = tuple(law for law in laws if in_full or law.subject not in _ONLY_IN_FULL)
    seen = tuple(each for each in _seen(kills) if in_full or each.subject not in _ONLY_IN_FULL)
    asked = {"calm", *(law.load for law in chosen), *(each.load for each in seen)}
    return Strategy(
        title="A push worker behind an API that answers at once",
        trouble="A model takes longer than clients may wait, and nothing that was accepted may be lost.",
        claim=(
            "p99 below 100 ms at up to 200 requests/s, and from 0 to 200 in a minute: "
            "what is known is answered at once, what is new is accepted, and pushed to a worker."
        ),
        source="talk at PyCon CZ and its repository, which state it as a requirement and report no result",
        use_when=(
            "a result may come later, must not get lost, and is asked for again. "
            "Keep arrivals times share of new ones times model time below the number of slots."
        ),
        loads={name: load for name, load in loads.items() if name in asked},
        laws=chosen,
        seen=seen,
        gain=Gain("times as soon answered as when the client waits for the model", MEAN, "few", _NEW, _DIRECT),
        over_time=(_backlog_picture(mixed["stable"], mixed["overload"]),) if in_full else (),
        stages=(
            Stages(
                "A new summary on its way through the system",
                (_KILLED,), "calm",
                (
                    ("accepted", ACCEPTED_MEAN),
                    ("in the stream", QUEUED),
                    ("at the worker", PUSHED),
                    ("outbox, and until it is asked for again", REST),
                ),
            ),
        ),
        kills=kills,
        watched=("stable", "overload") if in_full else (),
        group="later",
    )  # fmt: skip


def _called(role: str) -> str:
    return _CALLED.get(role, role)


def _demanded(in_full: bool) -> Iterator[Law]:
    """What the talk demands: of known and of new summaries, with both databases."""
    for name in (*_SQLITE, *_POSTGRES):
        kind = "a known summary is answered" if name.endswith("known") else "a new summary is accepted"
        loads = ("seconds",) if name in _POSTGRES else ("ramp", "minute") if in_full else ("minute",)
        for load in loads:
            rate = "from 0 to 200 requests/s in ten seconds" if load == "ramp" else "at 200 requests/s"
            yield Law(f"{rate}, {kind} within 100 ms, 99 times in 100", name, load, P99, **at_most(DEMANDED_MS))
            yield Law(f"{rate}, no request fails", name, load, FAILURES, **exactly(0))
    busy = RATE_RPS * MODEL_MS / 1e3
    for name in (_NEW, _POSTGRES[1]):
        load = "seconds" if name in _POSTGRES else "minute"
        says = f"the worker keeps up: {busy:g} jobs are at work, and few wait"
        yield Law(says, name, load, said("backlog", "jobs"), **at_most(4 * IN_FLIGHT))


def _stability(stable: Arrivals, overload: Arrivals) -> Iterator[Law]:
    """The backlog stays if λ u S < c, and otherwise grows by λ u - c / S. On paper, of the very arrivals."""
    per_s = 1e3 / SLOW_MS
    before = len(times_of(stable))
    expected = growth_on_paper(new_s(stable), stable.measure_s)
    yield Law(
        f"λ u S = {_STABLE_RPS:g} / {NEW_EVERY} x 0.3 < 1: the backlog stays as it is",
        _MIXED, "stable", growth(stable.measure_s), expected, expected - 0.5, expected + 0.5,
    )  # fmt: skip
    expected = growth_on_paper(new_s(overload, before), overload.measure_s)
    yield Law(
        f"λ u S = {RATE_RPS:g} / {NEW_EVERY} x 0.3 > 1: it grows by λ u - c / S per second",
        _MIXED, "overload", growth(overload.measure_s), **within(expected, 0.1, 0.2),
    )  # fmt: skip
    yield Law(
        "after the overload, it is worked off by c / S per second",
        _MIXED, "overload", worked_off(overload.measure_s), **within(per_s, 0.1),
    )  # fmt: skip
    for load in ("stable", "overload"):
        yield Law("every summary comes, sooner or later", _MIXED, load, FAILURES, **exactly(0))
    yield Law(
        "known summaries do not wait for those that are worked on",
        _MIXED, "overload", MEDIAN, **at_most(20.0),
    )  # fmt: skip


def _backlog_picture(stable: Arrivals, overload: Arrivals) -> OverTime:
    expected = dict(backlog_on_paper(new_s(overload, len(times_of(stable)))))
    return OverTime(
        "The backlog through an overload of five seconds, and back",
        "backlog", "jobs", (_MIXED,), "overload", expected,
    )  # fmt: skip


def _kills(kills: dict[str, Kill], loads: dict[str, Arrivals]) -> Iterator[Law]:
    yield Law("every summary comes", _KILLED, "calm", FAILURES, **exactly(0))
    for load, kill in kills.items():
        if kill.role == "scoring":
            away = kill.times * _STARTS_S * loads[load].rate_rps
            yield Law(
                "while the API is away, requests are refused: about as many as come within its starts",
                _KILLED, load, FAILURES, expected=away, at_least=0.0, at_most=2 * away,
            )  # fmt: skip
        else:
            yield Law(f"the {kill.role} is killed, and no request fails", _KILLED, load, FAILURES, **exactly(0))
        yield Law("what was accepted is not lost", _KILLED, load, LOST, **exactly(0))
        yield Law("none is given up", _KILLED, load, counted("error", "jobs"), **exactly(0))
        yield Law("each summary has one effect", _KILLED, load, counted("duplicate_effects", "effects"), **exactly(0))
        yield Law(
            "a job is worked on twice at most where its message was delivered again, or its process was killed",
            _KILLED, load, UNEXPLAINED, **at_most(kill.times),
        )  # fmt: skip


def _one_for_all() -> Iterator[Law]:
    says = f"{SAME} requests at once for one new summary: one"
    yield Law(f"{says} message", _SAME, "same", said("messages", "messages"), **exactly(1))
    yield Law(f"{says} effect", _SAME, "same", said("effects", "effects"), **exactly(1))
    yield Law(f"{says} answer for all", _SAME, "same", FAILURES, **exactly(0))


def _dead_letters(load: Arrivals) -> Iterator[Law]:
    """Of poisonous messages. The contender is fresh, so what it says is of this load alone."""
    jobs, poison = len(times_of(load)), poison_of(load)
    yield Law("a poisonous message fails, and its neighbours do not", _POISON, "poison", FAILURES, **exactly(poison))
    yield Law("it becomes a dead letter, once", _POISON, "poison", said("dead", "messages"), **exactly(poison))
    yield Law(
        f"it is tried {ATTEMPTS} times, any other once",
        _POISON, "poison", said("attempts", "attempts"), **exactly(jobs + poison * (ATTEMPTS - 1)),
    )  # fmt: skip
    for figure, pause_ms in GAPS.items():
        says = f"the pauses between its attempts double: {pause_ms:g} ms"
        yield Law(says, _POISON, "poison", figure, **within(pause_ms, 0.2))


def _waited_for() -> Law:
    return Law(
        "a client that waits for the model waits as long as it takes",
        _DIRECT, "few", MEAN, **from_floor(MODEL_MS * 0.98, 0.3), contrast=True,
    )  # fmt: skip


def _seen(kills: dict[str, Kill]) -> Iterator[Seen]:
    for name in (*_SQLITE, *_POSTGRES):
        load = "seconds" if name in _POSTGRES else "minute"
        yield Seen("CPU per answer, all processes", name, load, CPU)
        yield Seen("memory of all processes", name, load, MEMORY)
    yield Seen("time until the result", _KILLED, "calm", MEAN)
    for load in kills:
        yield Seen("processes that were killed", _KILLED, load, said("killed", "processes"))
        yield Seen("messages that were delivered again", _KILLED, load, counted("redelivered", "messages"))
        yield Seen("longest time until a result", _KILLED, load, WORST)
