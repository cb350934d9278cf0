"""What a folder of strategies/ says of itself, in its `strategy.py`: a law is a prediction with its tolerance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from benchmark.experiments.strategies.observed import Observed
from benchmark.load.plan import Load


@dataclass(frozen=True)
class Figure:
    """A figure of one contender under one load. `of` returns None where it cannot be told."""

    name: str  # with its unit as a suffix
    unit: str
    of: Callable[[Observed], float | None]


@dataclass(frozen=True)
class Law:
    """What a figure must be, computed before the run, and how far it may be off.

    `subject` is a contender or a computation; `load` is a key of the strategy's loads, empty for a computation.
    """

    says: str  # the law in words, such as "ten requests on four workers take three rounds"
    subject: str
    load: str
    figure: Figure
    expected: float
    at_least: float
    at_most: float
    contrast: bool = False  # shows the trouble, or a mistake: the law of what one should not do


class Tolerance(TypedDict):
    """What a law expects, and between which bounds it holds."""

    expected: float
    at_least: float
    at_most: float


def within(expected: float, share: float, more: float = 0.0) -> Tolerance:
    """Return a law's expectation with a tolerance: a share of it on both sides, and so much more above."""
    return {"expected": expected, "at_least": expected * (1 - share), "at_most": expected * (1 + share) + more}


def from_floor(floor: float, share: float, more: float = 0.0) -> Tolerance:
    """Return the tolerance of a floor: nothing is below it, apart from a timer's rounding, and so much is allowed."""
    return {"expected": floor, "at_least": floor * 0.995 - 1e-9, "at_most": floor * (1 + share) + more}


def exactly(value: float) -> Tolerance:
    """Return the tolerance of a count."""
    return {"expected": value, "at_least": value, "at_most": value}


def at_most(bound: float) -> Tolerance:
    """Return the tolerance of a bound, which is its expectation, too."""
    return {"expected": bound, "at_least": 0.0, "at_most": bound}


@dataclass(frozen=True)
class Seen:
    """A figure without a law, shown beside the others: CPU per answer, memory, what a service uses while idle."""

    says: str
    subject: str
    load: str
    figure: Figure


@dataclass(frozen=True)
class Kill:
    """SIGKILL to one of a contender's helper processes, again and again.

    Without a role they are those that the service names in its statistics (`pids`) and has started. With a role they
    are the processes below that one: at `depth` 1 its children, such as workers under their supervisor, at 2 its
    grandchildren, such as what a worker forks, at 0 all of them.
    """

    times: int
    every_s: float = 1.0
    role: str = ""
    depth: int = 0


@dataclass(frozen=True)
class Computation:
    """A measurement without a service: a module, run in a fresh process, that prints its figures as a JSON object."""

    module: str
    args: tuple[str, ...] = ()
    timeout_s: float = 120.0


@dataclass(frozen=True)
class Chart:
    """A picture of a strategy: one figure of several contenders over their loads, beside the law.

    `over` gives the place of each load on the x axis. Contenders that differ in a number, such as that of their
    workers, may be points of one line instead: `point_of` gives the name of the line, and the place on it.
    """

    title: str
    figure: Figure
    subjects: tuple[str, ...]
    x_label: str
    over: Mapping[str, float]
    is_log: bool = False
    point_of: Mapping[str, tuple[str, float]] = field(default_factory=dict)  # by contender


@dataclass(frozen=True)
class OverTime:
    """A picture of what a service says of itself in the course of a load that is watched, such as its backlog.

    `expected` is the law: the value by the seconds since the window began, with straight lines in between.
    """

    title: str
    gauge: str  # in the service's statistics
    unit: str
    subjects: tuple[str, ...]
    load: str
    expected: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Stages:
    """A picture of where the time of an answer goes: durations one after the other, from its submission on."""

    title: str
    subjects: tuple[str, ...]
    load: str
    stages: tuple[tuple[str, Figure], ...]  # by name, in order of time


@dataclass(frozen=True)
class Gain:
    """The one figure of a strategy: how much better it is than doing without, as a ratio of two measured figures."""

    says: str  # follows the number: "times as fast as ..."
    figure: Figure
    load: str
    better: str  # contender
    worse: str
    less_is_better: bool = True


@dataclass(frozen=True)
class Strategy:
    """A way of serving: what it claims, and how that is put to the test."""

    title: str
    trouble: str  # that it is for
    claim: str
    source: str
    use_when: str
    loads: Mapping[str, Load] = field(default_factory=dict)  # by name, in the order in which they are applied
    laws: tuple[Law, ...] = ()
    seen: tuple[Seen, ...] = ()
    gain: Gain | None = None
    charts: tuple[Chart, ...] = ()
    over_time: tuple[OverTime, ...] = ()
    stages: tuple[Stages, ...] = ()
    kills: Mapping[str, Kill] = field(default_factory=dict)  # by load
    watched: tuple[str, ...] = ()  # loads under which the statistics are read all the time
    computations: Mapping[str, Computation] = field(default_factory=dict)  # by name
    group: str = "now"  # `later` if the answer comes in a second step

    @property
    def figures(self) -> tuple[Law | Seen, ...]:
        """Every figure that is asked for, with a law or without."""
        return (*self.laws, *self.seen)

    @property
    def under_one_load(self) -> tuple[OverTime | Stages, ...]:
        """The pictures that show one load."""
        return (*self.over_time, *self.stages)

    def loads_of(self, subject: str) -> list[str]:
        """Return the loads that a contender is put under, in order: those that anything here asks of it."""
        asked = {each.load for each in self.figures if each.subject == subject}
        asked |= {load for chart in self.charts if subject in chart.subjects for load in chart.over}
        asked |= {self.gain.load} if self.gain and subject in (self.gain.better, self.gain.worse) else set()
        asked |= {each.load for each in self.under_one_load if subject in each.subjects}
        return [name for name in self.loads if name in asked]

    @property
    def contenders(self) -> list[str]:
        """The contenders that are measured, in the order in which they are named."""
        named = [each.subject for each in self.figures]
        named += [subject for chart in self.charts for subject in chart.subjects]
        named += [subject for each in self.under_one_load for subject in each.subjects]
        named += [self.gain.better, self.gain.worse] if self.gain else []
        return [name for name in dict.fromkeys(named) if name not in self.computations]
