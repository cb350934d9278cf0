"""What is promised, and under which load: the rate over time, and when each request is due."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import with_overrides
from benchmark.errors import ObjectiveError, ShapeError, UnknownContender
from benchmark.experiments.experiment import Assignment
from benchmark.load.objectives import Objective, parse_objective
from benchmark.load.plan import Arrivals, Load, Scheduled
from benchmark.load.rates import RateShape, expected_counts, parse_shape

DEFAULT_SHAPE = "0 -> 12000/min in 1min, hold 1min"
QUICK_SHAPE = "0 -> 200 in 10s, hold 5s"
DEFAULT_OBJECTIVES = ("p99<100ms", "errors<0.1%")
_RATE_FOR_S = 60
_START_S = 4.0  # to start and stop a contender; only the progress display relies on it
_WARMUP = Arrivals(20.0, measure_s=2.0, warmup_s=0.0, seed=0)  # opens connections; its answers do not count


@dataclass(frozen=True)
class PromisePlan:
    """One trial per contender."""

    shape: RateShape
    objectives: tuple[Objective, ...]
    seed: int = 1
    required: tuple[str, ...] = ()  # contenders that must keep the promise, or the command fails

    @property
    def peak_rps(self) -> float:
        """The highest rate of the shape."""
        return max(piece.peak_rps for piece in self.shape.pieces(self.seed))

    @property
    def loads(self) -> tuple[Load, ...]:
        due_s, bodies = self.shape.arrivals_s(self.seed), self.shape.logged_bodies(self.seed)
        return _WARMUP, Scheduled(tuple(due_s), bodies=bodies)


def written_shape(shape: str, rate_rps: float | None, seed: int, quick: bool) -> str:
    """Return the shape of what a command was given. Raises ShapeError if it never reaches the rate that is promised."""
    if not shape:
        return f"{rate_rps:g} for {_RATE_FOR_S}s" if rate_rps is not None else QUICK_SHAPE if quick else DEFAULT_SHAPE
    if rate_rps and (peak_rps := parse_shape(shape).peak_rps(seed)) < rate_rps:
        raise ShapeError(
            f"the shape {shape!r} reaches {peak_rps:g} requests/s, but {rate_rps:g} are promised: "
            "expected a shape that reaches them"
        )
    return shape


def make_plan(shape: RateShape, objectives: Sequence[str], seed: int, required: Sequence[str]) -> PromisePlan:
    """Return the plan of a run. Raises ObjectiveError."""
    parsed = tuple(parse_objective(written) for written in objectives or DEFAULT_OBJECTIVES)
    twice = [one.written for one in parsed if [other.written for other in parsed].count(one.written) > 1]
    if twice:
        raise ObjectiveError(f"the objective {twice[0]!r} is given twice")
    return PromisePlan(shape, parsed, seed, tuple(required))


def assign(
    contenders: Sequence[Contender], plan: PromisePlan, settings: Mapping[str, str], free_ports: bool
) -> Assignment[PromisePlan]:
    """Return what one run measures. Raises SettingRefused, or UnknownContender for a required one."""
    labels = [contender.label for contender in contenders]
    if missing := [name for name in plan.required if name not in labels]:
        raise UnknownContender(f"--require {missing[0]}: it is not measured, expected one of {', '.join(labels)}")
    contenders = with_overrides(contenders, settings)
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan=_recorded(plan),
        trials=len(contenders),
        trial_s=_START_S + _WARMUP.measure_s + plan.shape.seconds,
        seed=plan.seed,
        free_ports=free_ports,
        settings=settings,
    )


def _recorded(plan: PromisePlan) -> dict[str, Any]:
    """Return the plan as the manifest holds it: with all that a page needs, so that it needs no log to replay."""
    return {
        "shape": plan.shape.written,
        "phases": [{"words": phase.words, "seconds": phase.seconds} for phase in plan.shape.phases],
        "expected": [round(count, 6) for count in expected_counts(plan.shape.pieces(plan.seed))],
        "objectives": [asdict(objective) for objective in plan.objectives],
        "required": list(plan.required),
    }
