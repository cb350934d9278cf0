"""What the pods of a plan would do over time: a start from nothing, a day, a region that fails. All simulated.

Every number that goes in and was not measured is in `Assumed`, and is written down beside what comes out.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmark.experiments.prediction.simulation import Network
from benchmark.experiments.sizing.capacity import Capacity, Configuration
from benchmark.experiments.sizing.choose import HEADROOM, MEMORY_ROOM, Pods, Price
from benchmark.experiments.sizing.scaling import FASTEST_PODS, Arrival, Autoscaler, Outcome, Pod, simulate_pods
from benchmark.load.rates import RateShape, expected_counts
from contract.model import QuantileFunction

_DAY_S: Final = 86_400.0
_DAY_PARTS: Final = 24 * 60  # a minute each
_FAILS_AFTER_S: Final = 10.0
_WATCHED_S: Final = 120.0  # after a region has failed


@dataclass(frozen=True)
class Assumed:
    """What no run says."""

    start_s: float = 10.0  # from asking for a pod until it is ready
    period_s: float = 15.0
    window_s: float = 30.0
    cooldown_s: float = 300.0
    patience_s: float = 10.0
    way_ms: float = 30.0  # that the way to the other region adds
    night: float = 0.1  # of the day's highest rate, that is left at night
    apart_h: float = 8.0  # that the second region's day lags behind


@dataclass(frozen=True)
class Sized:
    """A contender's plan, as far as the outlook needs it."""

    pod: Pod
    pods: Pods
    target: float  # of the servers' time
    limit_s: float


def sized(
    network: Network, lone_ms: float, floor_ms: float, configuration: Configuration, capacity: Capacity,
    pods: Pods, limit_ms: float, assumed: Assumed,
) -> Sized:  # fmt: skip
    """Return a pod as the simulation has it: what binds is its server, everything else only takes time."""
    draw_sleep_s = _sleep(network)
    rest_s = max(lone_ms - floor_ms - capacity.cpu_ms, 0.0) / 1e3
    cpu_s = capacity.cpu_ms / 1e3
    if capacity.binds == "threads":
        servers = configuration.threads * configuration.workers
        pod = Pod(servers, lambda draw: draw_sleep_s(draw) + rest_s + cpu_s, lambda _: 0.0, assumed.start_s)
        saturated_rps = servers / (lone_ms / 1e3)
    else:
        servers = configuration.workers
        pod = Pod(servers, lambda _: cpu_s, lambda draw: draw_sleep_s(draw) + rest_s, assumed.start_s)
        saturated_rps = servers / cpu_s
    return Sized(pod, pods, min(pods.carries_rps / saturated_rps, 1.0), limit_ms / 1e3)


def _sleep(network: Network) -> Callable[[random.Random], float]:
    """Return how long the models of one request take together, in seconds."""
    one_ms = QuantileFunction(network.law, *network.sleep_ms, network.sigma)
    join = sum if network.one_by_one else max
    models = range(network.models)
    return lambda draw: join(one_ms(draw.random()) for _ in models) / 1e3


def minima(pods: Pods) -> list[int]:
    """Return how many pods could be kept ready: none, some, as many as the rate needs, one more."""
    needed = pods.needed
    return sorted({0, 1, math.ceil(needed / 2), needed, pods.replicas})


def starts(plan: Sized, shape: RateShape, assumed: Assumed, seed: int) -> list[dict[str, object]]:
    """Return for each minimum of pods what becomes of the requests of a shape."""
    arrivals = [Arrival(at_s) for at_s in shape.arrivals_s(seed)]
    found = []
    for least in minima(plan.pods):
        scaler = _scaler(plan, assumed, least)
        outcome = simulate_pods(plan.pod, arrivals, plan.limit_s, least, scaler, assumed.patience_s, seed)
        found.append({"least": least, **_row(outcome)})
    return found


def _scaler(plan: Sized, assumed: Assumed, least: int) -> Autoscaler:
    return Autoscaler(
        least=least,
        most=plan.pods.most,
        target=plan.target,
        period_s=assumed.period_s,
        window_s=assumed.window_s,
        cooldown_s=assumed.cooldown_s,
    )


def _row(outcome: Outcome) -> dict[str, object]:
    return {
        "requests": outcome.requests,
        "missed": outcome.missed,
        "gave_up": outcome.gave_up,
        "last_missed_s": round(outcome.last_missed_s, 1),
        "most_pods": outcome.most_pods,
        "pod_s": round(outcome.pod_s, 1),
    }


def day_of(shape: RateShape | None, highest_rps: float, assumed: Assumed, lag_h: float, seed: int) -> list[float]:
    """Return a region's rate in each minute of a day: a shape stretched to a day, or one wave from night to noon."""
    if shape is None:
        low = assumed.night * highest_rps
        wave = [(1 - math.cos(2 * math.pi * (minute + 0.5) / _DAY_PARTS)) / 2 for minute in range(_DAY_PARTS)]
        rates = [low + (highest_rps - low) * each for each in wave]
    else:
        bin_s = shape.seconds / _DAY_PARTS
        rates = [count / bin_s for count in expected_counts(shape.pieces(seed), bin_s)[:_DAY_PARTS]]
    lag = round(lag_h * 60) % _DAY_PARTS
    return rates[-lag:] + rates[:-lag] if lag else rates


def regions(
    plan: Sized, days: Mapping[str, Sequence[float]], scoring: Pods, models: Pods, price: Price,
    assumed: Assumed, seed: int,
) -> dict[str, object]:  # fmt: skip
    """Return what two regions cost in a day, and what it costs that one of them may fail."""
    (first, ours), (second, theirs) = days.items()
    both = [a + b for a, b in zip(ours, theirs, strict=True)]
    own = sum(_day_cost(rates, scoring, models, price) for rates in (ours, theirs))
    ready = 2 * _day_cost(both, scoring, models, price)  # each could take everything at any time
    worst = max(range(len(both)), key=lambda minute: both[minute] - min(ours[minute], theirs[minute]))
    left = second if ours[worst] > theirs[worst] else first
    stays_rps = min(ours[worst], theirs[worst])
    outcome = _fail_over(plan, stays_rps, both[worst], assumed, seed)
    return {
        "names": [first, second],
        "highest_rps": [round(max(ours), 2), round(max(theirs), 2)],
        "lowest_rps": [round(min(ours), 2), round(min(theirs), 2)],
        "day_cost": own,
        "ready_cost": ready,
        "left": left,
        "hour": round(worst / 60, 2),
        "stays_rps": round(stays_rps, 2),
        "takes_rps": round(both[worst], 2),
        "way_misses": _way_misses(plan, assumed, seed),
        **{f"failing_{name}": value for name, value in _row(outcome).items()},
    }


def _pods_for(rate_rps: float, pods: Pods) -> int:
    return max(math.ceil(rate_rps / pods.carries_rps - 1e-9), 1) + 1


def _day_cost(rates: Sequence[float], scoring: Pods, models: Pods, price: Price) -> float:
    """Return what a day costs whose pods follow the rate, minute by minute, with one to spare."""
    cores_h = gib_h = 0.0
    for rate_rps in rates:
        for pods in (scoring, models):
            count = _pods_for(rate_rps, pods)
            cores_h += count * pods.cpu_m / 1000 / 60
            gib_h += count * pods.memory_mi / 1024 / 60
    return cores_h * price.core_hour + gib_h * price.gib_hour


def _fail_over(plan: Sized, before_rps: float, after_rps: float, assumed: Assumed, seed: int) -> Outcome:
    """Return what becomes of the requests of the minutes after a region has failed, with pods for the other alone."""
    draw = random.Random(f"{seed}-failing")
    arrivals, at_s = [], 0.0
    while at_s < _FAILS_AFTER_S + _WATCHED_S:
        failed = at_s >= _FAILS_AFTER_S
        far = failed and draw.random() * after_rps >= before_rps
        arrivals.append(Arrival(at_s, assumed.way_ms / 1e3 if far else 0.0))
        at_s += draw.expovariate(after_rps if failed else before_rps)
    ready = _pods_for(before_rps, plan.pods)
    scaler = _scaler(plan, assumed, ready)
    most = max(scaler.most, 2 * _pods_for(after_rps, plan.pods))
    scaler = replace(scaler, most=most)
    return simulate_pods(plan.pod, arrivals, plan.limit_s, ready, scaler, assumed.patience_s, seed)


def _way_misses(plan: Sized, assumed: Assumed, seed: int, draws: int = 2000) -> float:
    """Return the share of the requests from the other region that are too late even if nobody waits."""
    draw = random.Random(f"{seed}-way")
    way_s = assumed.way_ms / 1e3
    late = [plan.pod.service_s(draw) + plan.pod.beside_s(draw) + way_s >= plan.limit_s for _ in range(draws)]
    return sum(late) / draws


def assumptions(assumed: Assumed) -> list[tuple[str, str]]:
    """Return every assumption of the outlook, in words and with its number."""
    return [
        ("A core", "is as fast as one of the machine of the run, and no network is between the pods"),
        ("A pod is planned to carry", f"{HEADROOM:.0%} of its predicted capacity"),
        ("Of each kind there is", "one pod more than the rate needs, and two at least"),
        ("A pod asks for", f"the CPU of its share of the rate with one down, and {MEMORY_ROOM:g} times the memory"),
        ("A pod is ready", f"{assumed.start_s:g} s after it was asked for"),
        ("The autoscaler looks", f"every {assumed.period_s:g} s, at the mean of the last {assumed.window_s:g} s"),
        ("It aims at", "what a pod is planned to carry, and leaves 10 % of that alone"),
        ("At one look it adds", f"at most {FASTEST_PODS} pods, or as many as there are"),
        ("It removes pods", f"that were not needed for {assumed.cooldown_s:g} s"),
        ("With no pod ready", "a request that waits is seen at its next look, and takes one pod"),
        ("A request waits", f"in one queue for all pods, and gives up after {assumed.patience_s:g} s"),
        ("Models and Redis", "are ready, and as large as planned"),
        (
            "A day",
            f"is one wave, at night {assumed.night:.0%} of its highest rate, unless --region says otherwise",
        ),
        ("The second region", f"has its day {assumed.apart_h:g} h later"),
        ("The way to the other region", f"adds {assumed.way_ms:g} ms"),
    ]
