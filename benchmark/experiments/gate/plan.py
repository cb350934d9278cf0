"""What is compared: figures, how much worse each may become, under which load, and how long it may take."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmark.analysis.level_figures import CPU_USERS, LOW_USERS, LevelFigures
from benchmark.analysis.stats import percentile, samples_needed
from benchmark.contenders.discovery import Contender
from benchmark.errors import ObjectiveError
from benchmark.experiments.experiment import Assignment
from benchmark.load.plan import Level
from benchmark.measure.levels import Levels
from benchmark.record.columns import GENERATOR_ROLE

BASE, HEAD = "base", "head"
DEFAULT_ALLOWED: Final = ("p50_ms=5%", "cpu_ms=5%")
MAX_PAIRS: Final = 1_000
_WARMUP_S: Final = 0.5
_FULL: Final = ("generator_saturated",)  # what a request takes of the service does not depend on who asks
_START_S: Final = 4.0  # to start and stop a contender; only the progress display relies on it


@dataclass(frozen=True)
class Figure:
    """A figure of a trial, at one number of users."""

    called: str
    unit: str
    users: int
    value: Callable[[LevelFigures], float | None]  # None if it cannot be told
    is_rate: bool = False  # better if it is higher
    needs: int = 1  # answers in a window
    unharmed_by: tuple[str, ...] = ()  # codes of what makes other figures INVALID


def _percentile(percent: int) -> Figure:
    return Figure(
        f"p{percent} latency alone", "ms", LOW_USERS,
        lambda level: percentile(level.latencies_ms, percent), needs=samples_needed(percent),
    )  # fmt: skip


def _cpu_ms(level: LevelFigures) -> float | None:
    used = [ms for role, ms in level.cpu_ms_per_request.items() if not role.startswith(GENERATOR_ROLE)]
    return sum(used) if used else None


def _rss_mb(level: LevelFigures) -> float | None:
    used = [mb for role, mb in level.rss_mb.items() if not role.startswith(GENERATOR_ROLE)]
    return sum(used) if used else None


FIGURES: Final[Mapping[str, Figure]] = {
    "mean_ms": Figure("mean latency alone", "ms", LOW_USERS, lambda level: level.mean_ms if level.n else None),
    "p50_ms": _percentile(50),
    "p95_ms": _percentile(95),
    "p99_ms": _percentile(99),
    "rps": Figure(f"rate of {CPU_USERS} users", "rps", CPU_USERS, lambda level: level.rps or None, is_rate=True),
    "cpu_ms": Figure(f"CPU per request of {CPU_USERS} users", "ms", CPU_USERS, _cpu_ms, unharmed_by=_FULL),
    "rss_mb": Figure(f"memory with {CPU_USERS} users", "MB", CPU_USERS, _rss_mb, unharmed_by=_FULL),
}


@dataclass(frozen=True)
class GatePlan:
    """Pairs of blocks until every figure is decided, or the time is over."""

    allowed: Mapping[str, float]  # by figure, a share
    budget_s: float
    window_s: float
    max_pairs: int = MAX_PAIRS
    seed: int = 1

    @property
    def load(self) -> Levels:
        users = sorted({FIGURES[name].users for name in self.allowed})
        return Levels(tuple(Level(n, _WARMUP_S, self.window_s) for n in users), stage_clock=False)

    @property
    def pair_s(self) -> float:
        """About how long a pair takes; only the progress display relies on it."""
        return 2 * (_START_S + len(self.load.levels) * (_WARMUP_S + self.window_s))


def parse_allowed(written: Sequence[str]) -> dict[str, float]:
    """Return by figure the share by which it may become worse, from `p50_ms=2%`. Raises ObjectiveError."""
    allowed: dict[str, float] = {}
    for each in written:
        name, equals, percent = each.partition("=")
        if not equals or name not in FIGURES:
            raise ObjectiveError(
                f"--allow {each!r}: expected FIGURE=PERCENT such as p50_ms=2%, FIGURE one of {_names()}"
            )
        if name in allowed:
            raise ObjectiveError(f"--allow {name} is given twice")
        allowed[name] = _share(each, percent)
    return allowed


def assign(
    sides: Mapping[str, Contender], plan: GatePlan, revisions: Mapping[str, str], free_ports: bool
) -> Assignment[GatePlan]:
    """Return what one run measures; `sides` are the contenders BASE and HEAD, in their places."""
    return Assignment(
        contenders=[contender.model_copy(update={"label": side}) for side, contender in sides.items()],
        plan=plan,
        recorded_plan=_recorded(plan),
        trials=2 * min(max(int(plan.budget_s / plan.pair_s), 1), plan.max_pairs),
        trial_s=plan.pair_s / 2,
        seed=plan.seed,
        free_ports=free_ports,
        facts={"revisions": dict(revisions)},
    )


def _recorded(plan: GatePlan) -> dict[str, Any]:
    return {**asdict(plan), "allowed": dict(plan.allowed), "levels": [asdict(level) for level in plan.load.levels]}


def _names() -> str:
    return ", ".join(FIGURES)


def _share(each: str, percent: str) -> float:
    try:
        share = float(percent.strip().removesuffix("%")) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share < 10:
        raise ObjectiveError(f"--allow {each!r}: {percent!r} is no percentage, expected such as 2%")
    return share
