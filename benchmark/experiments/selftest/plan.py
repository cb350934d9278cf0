"""What the load generator is put in front of: services that take a known time, and one that answers at once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmark.contenders.absorber.serve import LAW, SEED, STALL
from benchmark.contenders.discovery import Contender, choose, discover
from benchmark.contenders.variant import with_settings
from benchmark.experiments.experiment import Assignment
from benchmark.load.plan import Arrivals, Level
from benchmark.measure.levels import Levels

ABSORBER, AT_ONCE = "absorber", "null"
ALONE, EXPONENTIAL, BIMODAL, OPEN, CLOSED, FASTEST, CEILING = (
    "alone", "exponential", "bimodal", "stall-open", "stall-closed", "fastest", "ceiling",
)  # fmt: skip
ALONE_LAW: Final = "constant 5"  # short, so that there are many answers
_OTHER_STALL: Final = "stall"
_START_S: Final = 2.0  # to start and stop the processes of a trial; only the progress display relies on it
_SERVICE_MS: Final = 50  # under the stall


@dataclass(frozen=True)
class SelftestPlan:
    """Seconds and rates of all parts."""

    alone_s: float = 3.2
    law_s: float = 4.5
    law_rps: float = 120.0
    stall_after_s: float = 4.0  # from the first request on
    stall_s: float = 2.0
    around_s: float = 10.5  # what is measured around the stall: so long that a closed loop has enough for a p99, too
    users: int = 3  # of the closed loop
    warmup_s: float = 1.0
    fastest_users: int = 32
    fastest_s: float = 1.5
    steps: tuple[float, ...] = (0.2, 0.3, 0.35, 0.4, 0.45, 0.55)  # of the fastest closed loop
    step_s: float = 1.5
    seed: int = 1
    others: tuple[str, ...] = ()  # other generators

    @property
    def stall_law(self) -> str:
        return f"constant {_SERVICE_MS}"

    @property
    def stall_rps(self) -> float:
        """What the closed loop asks for while nothing stalls, and the open loop at all times."""
        return self.users * 1e3 / _SERVICE_MS

    @property
    def laws(self) -> dict[str, str]:
        """The law of each part with the absorber that has no stall."""
        return {ALONE: ALONE_LAW, EXPONENTIAL: "exponential 80", BIMODAL: "bimodal 50 150 0.1"}

    @property
    def loads(self) -> dict[str, Levels]:
        """What is asked of the absorber, by part, in the order of measuring."""
        law = Arrivals(self.law_rps, self.law_s, warmup_s=0.5, seed=self.seed)
        stall = Arrivals(self.stall_rps, self.around_s, self.warmup_s, seed=self.seed)
        return {
            ALONE: Levels((Level(1, 0.5, self.alone_s),)),
            EXPONENTIAL: Levels((), loads=(law,)),
            BIMODAL: Levels((), loads=(law,)),
            OPEN: Levels((), loads=(stall,)),
            CLOSED: Levels((Level(self.users, self.warmup_s, self.around_s),)),
        }

    @property
    def fastest(self) -> Levels:
        return Levels((Level(self.fastest_users, 0.5, self.fastest_s),))

    def ceiling(self, fastest_rps: float) -> Levels:
        """Return rates up to nearly that of the fastest closed loop, one after the other."""
        return Levels(
            (),
            loads=tuple(
                Arrivals(round(share * fastest_rps, 1), self.step_s, warmup_s=0.3, seed=self.seed + place)
                for place, share in enumerate(self.steps)
            ),
        )

    def absorber(self, contender: Contender, part: str) -> Contender:
        """Return the absorber with the law and the stall of a part."""
        law, stall = self.laws.get(part, self.stall_law), "0 0"
        if part not in self.laws:
            stall = f"{self.stall_after_s:g} {self.stall_s:g}"
        return with_settings(contender, {"scoring": {LAW: law, SEED: str(self.seed), STALL: stall}})

    @property
    def trials(self) -> int:
        return 7 + 2 * len(self.others)

    @property
    def seconds(self) -> float:
        """How long all of it takes, about."""
        ours = self.alone_s + 2 * self.law_s + 2 * (self.around_s + self.warmup_s) + self.fastest_s
        ours += len(self.steps) * (self.step_s + 0.3) + 2.0
        others = len(self.others) * (self.alone_s + self.around_s + self.warmup_s)
        return ours + others + self.trials * _START_S


QUICK: Final = SelftestPlan(
    alone_s=0.5, law_s=0.5, stall_after_s=0.5, stall_s=0.5, around_s=1.2, warmup_s=0.2, fastest_s=0.4,
    steps=(0.1, 0.2), step_s=0.4,
)  # fmt: skip


def other_part(name: str, is_alone: bool) -> str:
    """Return the part in which another generator is measured."""
    return f"{name}-{ALONE if is_alone else _OTHER_STALL}"


def assign(plan: SelftestPlan, free_ports: bool) -> Assignment[SelftestPlan]:
    """Return what a run measures: the absorber under its laws, and the contender that answers at once."""
    contenders: Sequence[Contender] = choose([ABSORBER, AT_ONCE], discover())
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan=_recorded(plan),
        trials=plan.trials,
        trial_s=plan.seconds / plan.trials,
        seed=plan.seed,
        free_ports=free_ports,
    )


def _recorded(plan: SelftestPlan) -> dict[str, Any]:
    facts = {
        "laws": {**plan.laws, OPEN: plan.stall_law, CLOSED: plan.stall_law},
        "stall_rps": plan.stall_rps,
        "trials": plan.trials,
    }
    return {**asdict(plan), **facts}
