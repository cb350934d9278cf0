"""How much `profile` measures."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from benchmark.contenders.answer_law import scoring_settings
from benchmark.contenders.discovery import Contender
from benchmark.contenders.service_settings import with_overrides
from benchmark.errors import SettingRefused
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.profiling.recorders import PYINSTRUMENT, SAMPLE_EVERY_S, YAPPI_CLOCKS
from benchmark.load.plan import Level

PROFILERS: Final = ("pyinstrument", "yappi")
SIDES: Final = ("client", "server")
_RUNS: Final = {"pyinstrument": (PYINSTRUMENT,), "yappi": tuple(YAPPI_CLOCKS)}  # yappi has one clock at a time
_WARMUP_CALLS: Final = 10
# What a shortened run keeps.
_FEWEST_CALLS, _FEWEST_WARMUP_CALLS = 10, 3
_SHORTEST_S, _SHORTEST_WARMUP_S = 3.0, 1.5
# The profiling timer counts CPU in ticks of 4 ms or more, by who runs when one comes. By chance the sum of n ticks
# is off by up to their square root: of one second by 6 %, and it is to be right within 10 %.
_SHORTEST_SAMPLED_S = 8.0
_CALL_S: Final = 0.11  # only the progress display relies on it
_STACK_S: Final = 4.0  # to start and stop a contender; the same


@dataclass(frozen=True)
class ProfilePlan:
    """How much is measured."""

    requests: int = 40  # profiled calls, one after the other, per profiler
    users: int = 16  # for CPU by library
    seconds: float = 10.0  # how long these users are kept up
    warmup_s: float = 4.0  # before that; the pool of httpx takes seconds to become as slow as it stays
    profilers: tuple[str, ...] = PROFILERS
    sides: tuple[str, ...] = SIDES
    seed: int = 1
    free_ports: bool = False
    warmup_calls: int = _WARMUP_CALLS
    sample_every_ms: float = SAMPLE_EVERY_S * 1e3
    scale: float = 1.0  # other than 1, the numbers of calls and the times above have been scaled by it

    def scaled(self, scale: float) -> "ProfilePlan":
        """Return the plan with less of all that takes time, but not less than a figure is made of."""

        def at_least(planned: float, least: float) -> float:
            return round(max(planned * scale, min(planned, least)), 2)

        return replace(
            self,
            requests=round(at_least(self.requests, _FEWEST_CALLS)),
            seconds=at_least(self.seconds, _SHORTEST_S),
            warmup_s=at_least(self.warmup_s, _SHORTEST_WARMUP_S),
            warmup_calls=round(at_least(self.warmup_calls, _FEWEST_WARMUP_CALLS)),
            scale=scale,
        )

    @property
    def runs(self) -> list[str]:
        """Each profiler with each of its clocks."""
        return [run for profiler in self.profilers for run in _RUNS[profiler]]

    @property
    def sampled_s(self) -> float:
        """How long many users are kept up under the CPU sampler."""
        return max(self.seconds, min(_SHORTEST_SAMPLED_S, self.seconds / self.scale))

    def levels(self, sampled: bool = False) -> tuple[Level, ...]:
        """Return one user, to split the wall clock of a request; and many, for the CPU that it takes."""
        many_s = self.sampled_s if sampled else self.seconds
        return (Level(1, 0.5, round(0.6 * self.seconds, 2)), Level(self.users, self.warmup_s, many_s))

    @property
    def contender_s(self) -> float:
        """About how long one contender takes."""
        levels = (*self.levels(), *self.levels(sampled=True))
        held_s = sum(level.warmup_s + level.measure_s for level in levels) + 2 * _STACK_S
        calls_s = (self.requests + self.warmup_calls) * _CALL_S
        client = (1 + len(self.runs) * ("client" in self.sides)) * calls_s + _STACK_S
        server = len(self.runs) * (calls_s + _STACK_S) + held_s if "server" in self.sides else 0.0
        return client + server


def assign(contenders: Sequence[Contender], plan: ProfilePlan, settings: Mapping[str, str]) -> Assignment[ProfilePlan]:
    """Return what one run measures. Raises SettingRefused, also for a contender without the stage clock."""
    contenders = with_overrides(contenders, settings)
    for contender in contenders:
        if not scoring_settings(contender).stage_clock:
            raise SettingRefused(f"stage_clock=false: profiling {contender.name} needs the stage clock; leave it out")
    return Assignment(
        contenders=contenders,
        plan=plan,
        recorded_plan={**asdict(plan), "sampled_s": plan.sampled_s},
        trials=len(contenders),
        trial_s=plan.contender_s,
        seed=plan.seed,
        free_ports=plan.free_ports,
        settings=settings,
    )
