"""`summary.json` of a selftest: what the generator said beside what was so, and whether that is good enough."""

from enum import StrEnum

from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import Head, SummaryPart


class Verdict(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    UNTOLD = "cannot be told"


class Latencies(SummaryPart):
    """Latencies of some requests, in ms; a percentile is None if there are too few of them."""

    requests: int
    mean_ms: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    longest_ms: float
    over_1s_pct: float = 0.0  # how many of the requests took longer than a second

    @property
    def three(self) -> tuple[float | None, float | None, float | None]:
        return self.mean_ms, self.p50_ms, self.p99_ms


class Errors(SummaryPart):
    """How far what was measured is off what was so, in per cent of it."""

    mean_pct: float
    p50_pct: float | None = None
    p99_pct: float | None = None

    @property
    def three(self) -> tuple[float | None, float | None, float | None]:
        return self.mean_pct, self.p50_pct, self.p99_pct


class LawResult(SummaryPart):
    """One law under an open loop."""

    part: str
    law: str
    truth: Latencies
    measured: Latencies
    errors: Errors
    late_p50_ms: float | None = None
    late_p99_ms: float | None = None
    late_most_ms: float = 0.0


class Overhead(SummaryPart):
    """What is measured at one user, minus what the service says it took."""

    requests: int
    mean_ms: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    held_late_ms: float = 0.0  # by how much the absorber itself was late, at the median


class Step(SummaryPart):
    """One rate on the way to the ceiling."""

    rate_rps: float
    requests: int
    late: int  # sent too late to count
    late_p99_ms: float | None = None
    generator_cpu: float | None = None  # cores
    service_cpu: float | None = None
    on_time: bool


class Dots(SummaryPart):
    """Requests of a picture: when each was due or sent, and how long it took."""

    at_s: tuple[float, ...] = ()
    latency_ms: tuple[float, ...] = ()


class StallResult(SummaryPart):
    """The same stall seen by an open and by a closed loop."""

    rate_rps: float
    service_ms: float
    start_s: float  # of the stall, in the picture's time
    seconds: float
    truth: Latencies
    open: Latencies
    closed: Latencies | None = None
    errors: Errors
    closed_errors: Errors | None = None
    truth_dots: Dots = Dots()
    open_dots: Dots = Dots()
    closed_dots: Dots = Dots()


class OtherResult(SummaryPart):
    """What another generator says of the stall, beside what requests at this rate met."""

    name: str
    loop: str
    overhead_p50_ms: float | None = None
    said: tuple[float, float, float] | None = None  # mean, p50, p99, in ms
    truth: Latencies | None = None
    errors: Errors | None = None
    failed: str = ""


class Check(SummaryPart):
    """One bound; the value is None if it could not be measured."""

    figure: str  # with its unit as a suffix
    says: str
    value: float | None = None
    limit: float
    unit: str

    @property
    def ok(self) -> bool | None:
        return None if self.value is None else self.value <= self.limit


class Entry(SummaryPart):
    """A service that the generator was put in front of."""

    title: str
    valid: bool = True
    reasons: tuple[Reason, ...] = ()


class SelftestSummary(Head):
    """A run of `selftest`."""

    verdict_on_generator: Verdict
    checks: tuple[Check, ...] = ()
    overhead: Overhead | None = None
    laws: tuple[LawResult, ...] = ()
    stall: StallResult | None = None
    steps: tuple[Step, ...] = ()
    ceiling_rps: float | None = None
    fastest_rps: float | None = None  # of a closed loop
    others: tuple[OtherResult, ...] = ()
    contenders: dict[str, Entry]

    @property
    def worst_error_pct(self) -> float | None:
        """The largest error of mean, p50 and p99, under every law and over the stall; None without any."""
        found = [each.errors for each in self.laws] + ([self.stall.errors] if self.stall else [])
        values = [abs(value) for errors in found for value in errors.three if value is not None]
        return max(values, default=None)

    @property
    def late_p99_ms(self) -> float | None:
        """The largest p99 of lateness under the laws."""
        return max((each.late_p99_ms for each in self.laws if each.late_p99_ms is not None), default=None)
