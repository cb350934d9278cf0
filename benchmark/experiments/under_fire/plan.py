"""What happens to the contenders, in which order, and what the contract lets them answer."""

import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from benchmark.contenders.answer_law import law_of, scoring_settings
from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import with_overrides
from benchmark.contenders.variant import with_settings
from benchmark.errors import SettingRefused
from benchmark.experiments.experiment import Assignment
from benchmark.load.plan import Arrivals, Level
from benchmark.measure.blocks import levels_for
from benchmark.measure.faults import Fault, behind_proxy

DEFAULT_CONTENDERS: Final = "sync,async,async-aiohttp"
QUICK_CONTENDERS: Final = "sync,async"
PEAK, OVERLOAD = "peak", "overload"  # parts of a run, beside the troubles
RATE_RPS: Final = 50.0  # while something happens: what every contender carries easily
OVERLOAD_TIMES, REST_TIMES = 3.0, 0.25  # of the peak rate
SLACK_S: Final = 1.0  # of the load generator, after a service's deadline
_START_S: Final = 2.5  # to start and stop a contender; only the progress display relies on it
_LONGEST_S: Final = 25.0  # for which an answer can be waited for: the generator gives up after 30 s
_PER_GENERATOR_RPS: Final = 1_000.0
_MOST_GENERATORS: Final = 3

REFUSED, BROKEN = "refused", "broken"  # kinds of no answer
TIMED_OUT, OTHER = "timed out", "other"
SHED: Final = "503"  # with Retry-After


@dataclass(frozen=True)
class Trouble:
    """A fault, and what may be answered besides 200: statuses, and kinds of no answer."""

    name: str
    says: str
    fault: Fault
    statuses: tuple[int, ...] = ()
    no_answers: tuple[str, ...] = ()
    workers: int = 1

    @property
    def is_proxied(self) -> bool:
        return self.fault.kind == "proxy"

    def applied_to(self, contender: Contender) -> Contender:
        """Return the contender with what the fault needs: a proxy, or several workers. Raises BenchmarkError."""
        if self.workers > 1:
            contender = with_settings(contender, {"scoring": {"SERVING_WORKERS": str(self.workers)}})
        return behind_proxy(contender, self.fault.role) if self.is_proxied else contender


# A handler may always shed what is too much (503), so each fault that makes requests pile up allows it.
TROUBLES: Final = (
    Trouble("redis-killed", "Redis is killed, and comes back", Fault("kill", "redis", 1.5), (503,)),
    Trouble("redis-stopped", "Redis stands still for 3 s", Fault("stop", "redis", 3.0), (503,)),
    Trouble("redis-slow", "Redis answers 200 ms late", Fault("proxy", "redis", 2.0, "delay", 200), (503,)),
    Trouble("redis-resets", "Redis resets its connections", Fault("proxy", "redis", 2.0, "reset"), (503,)),
    Trouble("redis-nonsense", "Redis answers nonsense", Fault("proxy", "redis", 2.0, "garbage"), (503,)),
    Trouble("model-killed", "the model is killed, and comes back", Fault("kill", "model", 1.0), (502, 503)),
    Trouble("model-stopped-1s", "the model stands still for 1 s", Fault("stop", "model", 1.0), (503, 504)),
    Trouble("model-stopped-3s", "the model stands still for 3 s", Fault("stop", "model", 3.0), (503, 504)),
    Trouble("model-slow", "the model is ten times as slow", Fault("proxy", "model", 2.0, "delay", 405), (503,)),
    Trouble("model-nonsense", "the model answers nonsense", Fault("proxy", "model", 2.0, "garbage"), (502, 503)),
    Trouble("worker-killed", "one of two workers is killed", Fault("kill-worker", "scoring"), (), (REFUSED, BROKEN), 2),
    Trouble("sigterm", "SIGTERM, and a new process", Fault("end", "scoring"), (503,), (REFUSED,)),
)
QUICK_TROUBLES: Final = ("redis-killed", "model-stopped-1s", "sigterm")


@dataclass(frozen=True)
class UnderFirePlan:
    """Every contender meets every trouble once, in fresh processes; then its peak is measured, and overload."""

    troubles: tuple[Trouble, ...] = TROUBLES
    warmup_s: float = 1.5
    before_s: float = 3.5
    after_s: float = 7.0
    rate_rps: float = RATE_RPS
    levels: tuple[Level, ...] = levels_for((16, 32, 64, 128), 2.5, 2.5, 0.0, warm_s=0.5, warm_per_user_s=0.003)
    overload_s: float = 10.0
    rest_s: float = 5.0
    overload: bool = True
    seed: int = 1

    def arrivals(self, trouble: Trouble) -> Arrivals:
        """Return when requests come in a trial, the same for every contender."""
        measure_s = self.before_s + trouble.fault.seconds + self.after_s
        return Arrivals(self.rate_rps, measure_s, self.warmup_s, seed=self.seed)

    def overload_arrivals(self, peak_rps: float) -> Arrivals:
        """Return a quarter of the peak, three times the peak, and a quarter again, without a break."""
        rest, most = max(REST_TIMES * peak_rps, 1.0), max(OVERLOAD_TIMES * peak_rps, 1.0)
        begins_s = self.warmup_s + self.before_s
        later = ((begins_s, most), (begins_s + self.overload_s, rest))
        return Arrivals(rest, self.before_s + self.overload_s + self.rest_s, self.warmup_s, seed=self.seed, later=later)

    def parts(self, labels: Sequence[str]) -> list[tuple[str, str]]:
        """Return (part, contender) in the order of the run; the contenders of a part in random order."""
        shuffled = random.Random(self.seed)
        names = [trouble.name for trouble in self.troubles]
        order = [(name, label) for name in names for label in shuffled.sample(list(labels), len(labels))]
        loaded = shuffled.sample(list(labels), len(labels)) if self.overload else []
        return order + [(part, label) for label in loaded for part in (PEAK, OVERLOAD)]

    def seconds_of(self, part: str) -> float:
        """Return about how long a trial takes."""
        if part == PEAK:
            return _START_S + sum(level.warmup_s + level.measure_s for level in self.levels)
        if part == OVERLOAD:
            return _START_S + self.warmup_s + self.before_s + self.overload_s + self.rest_s
        load = self.arrivals(next(each for each in self.troubles if each.name == part))
        return _START_S + load.warmup_s + load.measure_s


QUICK: Final = UnderFirePlan(
    troubles=tuple(each for each in TROUBLES if each.name in QUICK_TROUBLES),
    after_s=4.0,
    levels=levels_for((16, 32, 64, 128), 1.5, 1.5, 0.0, warm_s=0.5, warm_per_user_s=0.003),
    overload_s=4.0,
    rest_s=3.0,
)


def choose_troubles(names: str) -> tuple[Trouble, ...]:
    """Return the troubles that are named, separated by commas. Raises SettingRefused."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {trouble.name: trouble for trouble in TROUBLES}
    for name in wanted:
        if name not in known:
            raise SettingRefused(f"there is no fault {name!r}; choose from {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(wanted))


def assign(
    contenders: Sequence[Contender], plan: UnderFirePlan, settings: Mapping[str, str]
) -> Assignment[UnderFirePlan]:
    """Return what one run measures. Its manifest holds what may be answered, and until when. Raises SettingRefused."""
    contenders = with_overrides(contenders, settings)
    for trouble in plan.troubles:
        for contender in contenders:
            trouble.applied_to(contender)
    parts = plan.parts([contender.label for contender in contenders])
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan=asdict(plan),
        trials=len(parts),
        trial_s=sum(plan.seconds_of(part) for part, _ in parts) / max(len(parts), 1),
        seed=plan.seed,
        free_ports=True,  # since proxies stand between the processes
        settings=settings,
        facts={"deadlines_s": {contender.label: deadline_s(contender) for contender in contenders}},
    )


def plan_of(recorded: Mapping[str, Any]) -> UnderFirePlan:
    """Return a plan as a manifest holds it. Raises ValueError."""
    return _PLAN.validate_python(dict(recorded))


_PLAN: Final = TypeAdapter(UnderFirePlan)


def deadline_s(contender: Contender) -> float:
    """Return the seconds after which a request has its answer, whatever becomes of Redis and the models.

    It waits for Redis, then for its models, one after the other or at once, each until its own deadline. In the sync
    twin what is let in waits for a thread before, while all threads are waiting as long.
    """
    settings, law = scoring_settings(contender), law_of(contender)
    rounds = law.models if law.asked == "sum" else 1
    one_s = (settings.redis_timeout_ms + rounds * settings.model_timeout_ms) / 1e3
    queue = math.ceil(settings.max_in_flight / settings.threads) if settings.architecture == "sync" else 1
    return min(one_s * max(queue, 1), _LONGEST_S)


def generators_for(rate_rps: float) -> int:
    """Return how many load generators a rate takes."""
    return min(max(math.ceil(rate_rps / _PER_GENERATOR_RPS), 1), _MOST_GENERATORS)


def kind_of(error: str) -> str:
    """Return why there is no answer: refused, broken off, timed out, or other, from the client's exception."""
    if _has(error, ("ConnectionRefused", "refused")):
        return REFUSED
    if _has(error, ("ConnectionReset", "BrokenPipe", "ConnectionClosed", "ConnectionAborted", "reset by peer")):
        return BROKEN
    return TIMED_OUT if _has(error, ("Timeout", "timed out")) else OTHER


def _has(text: str, parts: Iterable[str]) -> bool:
    return any(part in text for part in parts)
