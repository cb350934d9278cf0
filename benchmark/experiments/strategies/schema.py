"""The summary of a run of strategies as typed values: what is written, and what the page reads."""

from pydantic import Field

from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import Head, SummaryPart


class Result(SummaryPart):
    """A figure of one contender under one load: the median of the blocks; None where it cannot be told."""

    says: str
    subject: str
    load: str
    figure: str
    unit: str
    value: float | None = None
    by_block: tuple[float | None, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.reasons

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest of the blocks. Raises ValueError without any."""
        known = [value for value in self.by_block if value is not None]
        return min(known), max(known)


class LawResult(Result):
    """A law, and whether what was measured lies within its tolerance: None if that cannot be told."""

    expected: float
    at_least: float
    at_most: float
    contrast: bool = False
    held: bool | None = None

    @property
    def off(self) -> float | None:
        """How far the measurement is off, as a share of what was expected."""
        return self.value / self.expected - 1 if self.value is not None and self.expected else None


class GainResult(SummaryPart):
    """The ratio of two measured figures, oriented so that more than 1 is a gain; low and high over the blocks."""

    says: str
    better: str
    worse: str
    times: float | None = None
    low: float | None = None
    high: float | None = None
    valid: bool = True


class ChartPoint(SummaryPart):
    """A measured point of a chart; `expected` is the law's, if there is one for it."""

    subject: str
    x: float
    value: float
    low: float
    high: float
    expected: float | None = None
    valid: bool = True


class ChartData(SummaryPart):
    """What a chart of a strategy shows."""

    title: str
    figure: str
    unit: str
    x_label: str
    is_log: bool = False
    points: tuple[ChartPoint, ...] = ()


class OverTimeLine(SummaryPart):
    """What one contender said of itself in the course of a load, with the seconds since its window began."""

    subject: str
    t_s: tuple[float, ...]
    values: tuple[float, ...]
    valid: bool = True


class OverTimeData(SummaryPart):
    """What a picture over time shows; `expected` is the law, as corners of a line."""

    title: str
    gauge: str
    unit: str
    lines: tuple[OverTimeLine, ...] = ()
    expected: tuple[tuple[float, float], ...] = ()


class StagePart(SummaryPart):
    """How long one stage of an answer took, on average."""

    name: str
    value: float


class StagesRow(SummaryPart):
    """The stages of one contender's answers, in order."""

    subject: str
    parts: tuple[StagePart, ...]
    valid: bool = True


class StagesData(SummaryPart):
    """What a picture of stages shows."""

    title: str
    unit: str
    rows: tuple[StagesRow, ...] = ()


class StrategySummary(SummaryPart):
    """One strategy: what it claims, and what came of it."""

    title: str
    trouble: str
    claim: str
    source: str
    use_when: str
    laws: tuple[LawResult, ...] = ()
    seen: tuple[Result, ...] = ()
    gain: GainResult | None = None
    charts: tuple[ChartData, ...] = ()
    over_time: tuple[OverTimeData, ...] = ()
    stages: tuple[StagesData, ...] = ()
    not_available: dict[str, str] = Field({})  # by contender, why it was not measured

    @property
    def judged(self) -> list[LawResult]:
        """The laws that can be told."""
        return [law for law in self.laws if law.held is not None]

    @property
    def held(self) -> list[LawResult]:
        return [law for law in self.judged if law.held]


class Subject(SummaryPart):
    """A contender or computation: whether anything speaks against what was measured of it, in any strategy."""

    valid: bool = True
    reasons: tuple[Reason, ...] = ()


class StrategiesSummary(Head):
    """`summary.json` of the strategies."""

    blocks: int = 0
    scale: float = 1.0
    contenders: dict[str, Subject] = Field({})
    strategies: dict[str, StrategySummary] = Field({})

    @property
    def judged(self) -> list[LawResult]:
        return [law for each in self.strategies.values() for law in each.judged]

    @property
    def held(self) -> list[LawResult]:
        return [law for law in self.judged if law.held]

    @property
    def missed(self) -> list[LawResult]:
        return [law for law in self.judged if not law.held]

    @property
    def untold(self) -> list[LawResult]:
        return [law for each in self.strategies.values() for law in each.laws if law.held is None]

    @property
    def not_available(self) -> dict[str, str]:
        """By contender, why its environment could not be built."""
        return {name: why for each in self.strategies.values() for name, why in each.not_available.items()}
