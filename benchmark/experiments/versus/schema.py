"""`summary.json` of `versus`: what was measured of each service, and how the two compare."""

from pydantic import Field

from benchmark.analysis.findings import Interval
from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import Head, SummaryPart


class Measured(SummaryPart):
    """One figure of one service: its values by block, and the percentiles of all requests together."""

    values: tuple[float | None, ...]  # None: nothing was answered in that block
    mean: float | None = None
    ci95: Interval | None = None
    p50: float | None = None
    p99: float | None = None
    requests: int = 0
    errors: int = 0
    valid: bool = True


class SideEntry(SummaryPart):
    """One service. A figure that could not be observed is missing: see `not_observed`."""

    title: str
    where: str
    valid: bool = True
    reasons: tuple[Reason, ...] = ()
    figures: dict[str, Measured] = Field({})
    rss_mb: float | None = None  # at most
    first_error: str = ""
    not_observed: tuple[str, ...] = ()  # figures
    not_checked: tuple[str, ...] = ()  # rules of validity
    peak_users: int | None = None


class Compared(SummaryPart):
    """One figure of both: `difference` and `ratio` are the second one's against the first one's, paired by block."""

    figure: str
    blocks: int
    one: float  # the means over these blocks
    other: float
    difference: float
    difference_ci: Interval | None = None
    ratio: float
    ratio_ci: Interval | None = None
    confidence: float = 0.95  # of both intervals
    p_value: float = 1.0
    shown: bool = False
    would_show_pct: float | None = None  # the smallest difference that this run could have shown
    valid: bool = True


class VersusSummary(Head):
    """A run of `versus`."""

    blocks: int
    rate_rps: float
    duet: bool = False
    same_as: str = ""  # whose answers the other one's must be the same as
    answers: int = 0  # right ones
    sides: dict[str, SideEntry]
    compared: tuple[Compared, ...] = ()

    @property
    def pair(self) -> tuple[str, str]:
        """The names of both, the one that is compared with first."""
        one, other = self.sides
        return one, other

    def comparison(self, figure: str) -> Compared | None:
        return next((each for each in self.compared if each.figure == figure), None)
