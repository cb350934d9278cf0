"""What a run measures: which strategies, how often, in which order."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from benchmark.contenders.discovery import Contender, choose, discover
from benchmark.experiments.experiment import Assignment
from benchmark.experiments.strategies.law import Strategy
from benchmark.experiments.strategies.recorded import predictions
from benchmark.load.plan import Arrivals, Level, Load, Pause, Scheduled, Waves
from benchmark.load.scenario_requests import refuse_unknown

FULL_BLOCKS, QUICK_BLOCKS = 3, 1
QUICK_SCALE: Final = 0.25
_START_S: Final = 3.0  # to start and stop a contender; only the progress display relies on these
_WAVE_S: Final = 0.3


class Job(NamedTuple):
    """A contender or a computation of a strategy: a trial in each block."""

    strategy: str
    subject: str


@dataclass(frozen=True)
class StrategiesPlan:
    """Every block measures each contender and each computation of the strategies once, in random order."""

    strategies: Mapping[str, Strategy]
    blocks: int
    scale: float
    seed: int = 1

    @property
    def jobs(self) -> list[Job]:
        return [
            Job(name, subject)
            for name, strategy in self.strategies.items()
            for subject in (*strategy.contenders, *strategy.computations)
        ]

    def order(self, block: int) -> list[Job]:
        """Return the jobs in the random order of a block, the same for the same seed."""
        jobs = self.jobs
        random.Random(f"{self.seed}-{block}").shuffle(jobs)
        return jobs

    def expected_s(self) -> float:
        """Return about how long one block takes."""
        return sum(self.job_s(job) for job in self.jobs)

    def job_s(self, job: Job) -> float:
        """Return about how long one trial takes."""
        strategy = self.strategies[job.strategy]
        return _START_S + sum(seconds_of(strategy.loads[name]) for name in strategy.loads_of(job.subject))


def assign(plan: StrategiesPlan, free_ports: bool = False) -> Assignment[StrategiesPlan]:
    """Return what one run measures; its manifest holds every law. Raises UnknownContender."""
    trials = plan.blocks * len(plan.jobs)
    return Assignment(
        contenders=contenders_of(plan),
        plan=plan,
        recorded_plan={"strategies": list(plan.strategies), "blocks": plan.blocks, "scale": plan.scale},
        trials=trials,
        trial_s=plan.blocks * plan.expected_s() / max(trials, 1),
        seed=plan.seed,
        free_ports=free_ports,
        facts={"laws": {name: predictions(strategy) for name, strategy in plan.strategies.items()}},
    )


def contenders_of(plan: StrategiesPlan) -> Sequence[Contender]:
    """Return every contender of the strategies once. Raises UnknownContender, ContenderError or ScenarioError."""
    names = dict.fromkeys(name for strategy in plan.strategies.values() for name in strategy.contenders)
    chosen = choose(names, discover())
    refuse_unknown(chosen)
    return chosen


def seconds_of(load: Load) -> float:
    """Return about how long a load takes."""
    match load:
        case Level():
            return load.warmup_s + load.measure_s
        case Arrivals():
            return load.warmup_s + load.measure_s
        case Waves():
            return (load.count + load.warmup_count) * _WAVE_S
        case Scheduled():
            return load.at_s[-1] if load.at_s else 0.0
        case Pause():
            return load.pause_s
