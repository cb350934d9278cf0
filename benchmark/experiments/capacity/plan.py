"""What is promised, and how the rate that keeps it is searched."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import with_overrides
from benchmark.errors import ObjectiveError
from benchmark.experiments.capacity.observed import bounds_of, due_in_window
from benchmark.experiments.capacity.search import COARSE_STEPS, MOST_COARSE, Kind, Offer, SearchLimits
from benchmark.experiments.experiment import Assignment
from benchmark.load.objectives import Objective, parse_objective
from benchmark.load.plan import Arrivals
from benchmark.load.rate_search import HIGHEST_RPS

DEFAULT_OBJECTIVES: Final = ("p99<100ms", "errors<0.1%")
FIRST_RPS: Final = 100.0
_BLOCKS, _QUICK_BLOCKS = 3, 1
_LOWEST_RPS: Final = 10.0  # or a tenth of the first rate
_START_S: Final = 3.5  # to start and stop a contender; only the progress display relies on these
_BROKEN_S: Final = 3.0
_COARSE_TRIES: Final = 7
_COARSE_WARMUP: Final = 2 / 3
_SEEDS: Final = 1000  # between those of two runs


@dataclass(frozen=True)
class CapacityPlan:
    """How long rates are tried, and how many."""

    objectives: tuple[Objective, ...]
    blocks: int = _BLOCKS
    first_rps: float = FIRST_RPS
    warmup_s: float = 3.0  # two thirds of it where a try is coarse
    coarse_s: float = 5.0
    fine_s: float = 12.0
    confirm_s: float = 30.0
    coarse_steps: tuple[float, ...] = COARSE_STEPS
    generators: int = 1
    seed: int = 1

    @property
    def limits(self) -> SearchLimits:
        lowest_rps = min(_LOWEST_RPS, self.first_rps / 10)
        return SearchLimits(
            self.first_rps, self.blocks, lowest_rps, HIGHEST_RPS, coarse_steps=self.coarse_steps, seed=self.seed
        )

    def load(self, offer: Offer, number: int) -> Arrivals:
        """Return the load of a contender's try, by its number; every try has its own schedule."""
        seconds = {Kind.COARSE: self.coarse_s, Kind.FINE: self.fine_s, Kind.CONFIRM: self.confirm_s}[offer.kind]
        warmup_s = self.warmup_s * (_COARSE_WARMUP if offer.kind is Kind.COARSE else 1)
        load = Arrivals(offer.rate_rps, seconds, warmup_s, seed=self.seed * _SEEDS + number)
        return replace(load, bounds=bounds_of(self.objectives, due_in_window(load, self.generators)))

    @property
    def expected_s(self) -> float:
        """About how long one contender takes: half of the tries are kept, the others end early."""
        around = len(self.limits.around) * self.blocks
        kept_s = (_COARSE_TRIES * self.coarse_s + around * (self.fine_s + self.warmup_s)) * 0.6
        return kept_s + self.tries * (_START_S + _BROKEN_S) + self.warmup_s + self.confirm_s

    @property
    def tries(self) -> int:
        """About how many tries there are."""
        return _COARSE_TRIES + len(self.limits.around) * self.blocks + 1


def make_plan(
    objectives: Sequence[str],
    seed: int = 1,
    blocks: int | None = None,
    first_rps: float = FIRST_RPS,
    generators: int = 1,
    quick: bool = False,
) -> CapacityPlan:
    """Return the plan of a run; without a number of blocks, the usual one. Raises ObjectiveError."""
    parsed = tuple(parse_objective(written) for written in objectives or DEFAULT_OBJECTIVES)
    twice = [one.written for one in parsed if [other.written for other in parsed].count(one.written) > 1]
    if twice:
        raise ObjectiveError(f"the objective {twice[0]!r} is given twice")
    usual = _QUICK_BLOCKS if quick else _BLOCKS
    plan = CapacityPlan(parsed, blocks or usual, first_rps, generators=generators, seed=seed)
    if quick:
        return replace(plan, warmup_s=1.0, coarse_s=2.0, fine_s=5.0, confirm_s=8.0)
    return plan


def assign(
    contenders: Sequence[Contender], plan: CapacityPlan, settings: Mapping[str, str], free_ports: bool
) -> Assignment[CapacityPlan]:
    """Return what one run measures. Raises SettingRefused."""
    contenders = with_overrides(contenders, settings)
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan=_recorded(plan),
        trials=len(contenders) * plan.tries,
        trial_s=plan.expected_s / plan.tries,
        seed=plan.seed,
        free_ports=free_ports,
        settings=settings,
    )


def _recorded(plan: CapacityPlan) -> dict[str, Any]:
    return {**asdict(plan), "around": list(plan.limits.around), "most_coarse": MOST_COARSE}
