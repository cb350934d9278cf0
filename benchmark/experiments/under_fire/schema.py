"""The summary of a run under fire as typed values: what is written, and what the page reads."""

from pydantic import Field

from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import Head, SummaryPart


class Course(SummaryPart):
    """What came in each half second, per second, by outcome; the times are those at which one begins."""

    t_s: tuple[float, ...] = ()
    rates: dict[str, tuple[float, ...]] = Field({})


class TroubleResult(SummaryPart):
    """What one contender did under one fault."""

    contender: str
    sent: int = 0
    answers: dict[str, int] = Field({})  # by status
    no_answers: dict[str, int] = Field({})  # by kind
    hanging: int = 0  # without an answer by the deadline
    unexplained: int = 0
    example: str = ""  # of what is unexplained
    before_rps: float | None = None
    during_rps: float | None = None
    after_rps: float | None = None
    longest_ms: float | None = None
    recovery_s: float | None = None  # None: not in the time that it had
    orphans: int = 0
    memory_mb: float | None = None  # most of the scoring handler
    begun_s: float = 0.0  # since the window began
    over_s: float = 0.0
    observed_s: float = 0.0  # after the fault
    course: Course = Course()
    reasons: tuple[Reason, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.reasons

    @property
    def is_measured(self) -> bool:
        return self.sent > 0

    @property
    def lost(self) -> int:
        return sum(self.no_answers.values())


class TroubleSummary(SummaryPart):
    """One fault, and every contender under it."""

    name: str
    says: str
    may: str  # what the contract lets a service answer, in words
    results: tuple[TroubleResult, ...] = ()


class Bound(SummaryPart):
    """A bound of the contract, and what was measured; `held` is None where it cannot be told."""

    name: str
    value: float | None = None
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    held: bool | None = None


class OverloadResult(SummaryPart):
    """What one contender did with three times what it carries."""

    contender: str
    peak_users: int | None = None
    peak_rps: float | None = None
    peak_p50_ms: float | None = None
    peak_p95_ms: float | None = None
    offered_rps: float | None = None  # what was really sent
    good_rps: float | None = None
    accepted_p50_ms: float | None = None
    accepted_p95_ms: float | None = None
    sent: int = 0
    answers: dict[str, int] = Field({})
    no_answers: dict[str, int] = Field({})
    hanging: int = 0
    unexplained: int = 0
    refused_share: float | None = None  # 503 with Retry-After
    full_speed_s: float | None = None  # after the end
    memory_before_mb: float | None = None
    memory_growth_mb: float | None = None
    generators: int = 1
    begun_s: float = 0.0
    over_s: float = 0.0
    bounds: tuple[Bound, ...] = ()
    course: Course = Course()
    reasons: tuple[Reason, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.reasons

    @property
    def is_measured(self) -> bool:
        return self.sent > 0


class Subject(SummaryPart):
    """A contender: whether anything speaks against what was measured of it."""

    valid: bool = True
    reasons: tuple[Reason, ...] = ()


class UnderFireSummary(Head):
    """`summary.json` of a run under fire."""

    rate_rps: float = 0.0
    deadlines_s: dict[str, float] = Field({})
    contenders: dict[str, Subject] = Field({})
    troubles: tuple[TroubleSummary, ...] = ()
    overload: tuple[OverloadResult, ...] = ()

    @property
    def results(self) -> list[TroubleResult]:
        """All that was measured under faults and is VALID."""
        return [each for trouble in self.troubles for each in trouble.results if each.valid and each.is_measured]

    @property
    def loaded(self) -> list[OverloadResult]:
        return [each for each in self.overload if each.valid and each.is_measured]
