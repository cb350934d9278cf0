"""Which examples of load are issued, and for how long."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import with_overrides
from benchmark.experiments.breaking_point.summarise import OPEN_LOOP
from benchmark.experiments.experiment import Assignment
from benchmark.load import shapes as ex
from benchmark.load.rate_search import STEPS
from benchmark.load.rates import parse_shape

OPEN_DURATION_S = 60.0
SHORTEST_S = 4.0  # of what is counted after a warm-up
# Tries of a rate. Crossings wanted at full scale, and where all is shortened.
TRY_WARMUP_S, TRY_COUNTED_S, _SHORTEST_TRY_S = 2.0, 10.0, 3.0
_CROSSINGS, _FEWEST_CROSSINGS = 5, 1
_TRIES, _TRY_OVERHEAD_S = 5, 2.5  # expected; only the progress display relies on it


@dataclass(frozen=True)
class BreakingPointPlan:
    """What is issued: which examples, and how much shorter than their own times."""

    examples: tuple[str, ...]
    scale: float = 1.0
    seed: int = 1
    free_ports: bool = False
    shape: str = ""  # a rate over time that is offered, too; it has times of its own

    def duration_s(self) -> float:
        """Return the planned time of one contender, if it holds its breaking point at once."""
        planned = [ex.EXAMPLES[name].duration_s for name in self.examples if name in ex.EXAMPLES]
        tries_s = _TRIES * (self.try_s + _TRY_OVERHEAD_S) if self.finds_breaking_point else 0
        shape_s = parse_shape(self.shape).seconds if self.shape else 0
        both_s = 2 * OPEN_DURATION_S if OPEN_LOOP in self.examples else 0
        return self.scale * (sum(planned) + both_s) + tries_s + shape_s

    @property
    def finds_breaking_point(self) -> bool:
        """Whether any example needs to know it."""
        return bool({ex.LOAD_TEST.name, ex.MAX_PERFORMANCE.name, OPEN_LOOP} & set(self.examples))

    @property
    def try_s(self) -> float:
        """The time that a rate is offered to see whether it is sustained: warm-up and what is counted."""
        return TRY_WARMUP_S + max(TRY_COUNTED_S * min(self.scale, 1.0), _SHORTEST_TRY_S)

    @property
    def crossings(self) -> int:
        return _CROSSINGS if self.scale >= 1 else _FEWEST_CROSSINGS

    @property
    def steps(self) -> Sequence[float]:
        """From one rate that is tried to the next; a shortened run does without the finer ones."""
        return STEPS if self.scale >= 1 else STEPS[:2]


def most_users(plan: BreakingPointPlan) -> int:
    """Return the most users that the examples of a plan are known to have beforehand."""
    issued = {ex.RESPONSE_TIME.name, *plan.examples} | ({ex.LOAD_TEST.name} if plan.finds_breaking_point else set())
    return max(ex.EXAMPLES[name].users for name in issued if name in ex.EXAMPLES)


def assign(
    contenders: Sequence[Contender], plan: BreakingPointPlan, settings: Mapping[str, str]
) -> Assignment[BreakingPointPlan]:
    """Return what one run measures, the contenders in random order. Raises SettingRefused."""
    contenders = with_overrides(contenders, settings)
    order = [contender.label for contender in random.Random(plan.seed).sample(contenders, len(contenders))]
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan=asdict(plan),
        trials=len(contenders),
        trial_s=plan.duration_s(),
        seed=plan.seed,
        free_ports=plan.free_ports,
        settings=settings,
        facts={"order": order},
    )
