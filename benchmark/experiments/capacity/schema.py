"""`summary.json` of capacities: which rate each contender carries within the promise, and from which tries that is."""

from benchmark.analysis.findings import Interval
from benchmark.analysis.promises import Verdict
from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import Head, SummaryPart
from benchmark.experiments.capacity.search import Kind, Standing


class TryEntry(SummaryPart):
    """A rate that was tried: of `due` requests so many `missed` each objective; `at_least` if it was ended early."""

    kind: Kind
    block: int
    rate_rps: float
    due: int
    missed: tuple[int, ...]
    at_least: bool
    kept: bool
    offered: bool  # False: the generator fell behind, and the try says nothing
    verdict: Verdict | None = None

    def missed_pct(self, place: int) -> float:
        return 100 * self.missed[place] / self.due if self.due else 0.0


class Ratio(SummaryPart):
    """A capacity over the baseline's, paired by block."""

    versus: str
    ratio: float
    ci95: Interval | None
    shown: bool


class CapacityEntry(SummaryPart):
    """One contender."""

    title: str = ""
    floor_ms: float = 0.0
    harness_floor: bool = False
    valid: bool = True
    reasons: tuple[Reason, ...] = ()
    standing: Standing | None = None  # None if it was not measured
    capacity_rps: float | None = None
    ci95: Interval | None = None
    rate_rps: float | None = None  # "at least": the highest rate kept; "kept at no rate": the lowest tried
    by_generator: bool = False
    binding: str = ""  # the objective that is broken first
    confirmed: Verdict | None = None
    confirmed_rps: float | None = None
    by_block_rps: tuple[float, ...] = ()
    ratio: Ratio | None = None
    tries: tuple[TryEntry, ...] = ()


class CapacitySummary(Head):
    """A run of `capacity`."""

    objectives: tuple[str, ...]
    limits_ms: tuple[float | None, ...] = ()
    allowed_pct: tuple[float, ...] = ()  # of the requests may miss each
    baseline: str | None = None
    contenders: dict[str, CapacityEntry]

    def place_of(self, objective: str) -> int:
        """Return which of the objectives that is; the first if it is none."""
        return self.objectives.index(objective) if objective in self.objectives else 0
