"""What a folder of strategies/ says of itself, in its `strategy.py`: a law is a prediction with its tolerance."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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


def within(expected: float, share: float, more: float = 0.0) -> dict[str, float]:
    """Return a law's expectation with a tolerance: a share of it on both sides, and so much more above."""
    return {"expected": expected, "at_least": expected * (1 - share), "at_most": expected * (1 + share) + more}


def from_floor(floor: float, share: float, more: float = 0.0) -> dict[str, float]:
    """Return the tolerance of a floor: nothing is below it, apart from a timer's rounding, and so much is allowed."""
    return {"expected": floor, "at_least": floor * 0.995 - 1e-9, "at_most": floor * (1 + share) + more}


def exactly(value: float) -> dict[str, float]:
    """Return the tolerance of a count."""
    return {"expected": value, "at_least": value, "at_most": value}


def at_most(bound: float) -> dict[str, float]:
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
    """SIGKILL to one of the helper processes that a service names in its statistics (`pids`), again and again."""

    times: int
    every_s: float = 1.0


@dataclass(frozen=True)
class Computation:
    """A measurement without a service: a module, run in a fresh process, that prints its figures as a JSON object."""

    module: str
    args: tuple[str, ...] = ()
    timeout_s: float = 120.0


@dataclass(frozen=True)
class Chart:
    """A picture of a strategy: one figure of several contenders over their loads, beside the law.

    `over` gives the place of each load on the x axis.
    """

    title: str
    figure: Figure
    subjects: tuple[str, ...]
    x_label: str
    over: Mapping[str, float]
    is_log: bool = False


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
    kills: Mapping[str, Kill] = field(default_factory=dict)  # by load
    computations: Mapping[str, Computation] = field(default_factory=dict)  # by name

    def loads_of(self, subject: str) -> list[str]:
        """Return the loads that a contender is put under, in order: those that anything here asks of it."""
        asked = {each.load for each in (*self.laws, *self.seen) if each.subject == subject}
        asked |= {load for chart in self.charts if subject in chart.subjects for load in chart.over}
        asked |= {self.gain.load} if self.gain and subject in (self.gain.better, self.gain.worse) else set()
        return [name for name in self.loads if name in asked]

    @property
    def contenders(self) -> list[str]:
        """The contenders that are measured, in the order in which they are named."""
        named = [each.subject for each in (*self.laws, *self.seen)]
        named += [subject for chart in self.charts for subject in chart.subjects]
        named += [self.gain.better, self.gain.worse] if self.gain else []
        return [name for name in dict.fromkeys(named) if name not in self.computations]
