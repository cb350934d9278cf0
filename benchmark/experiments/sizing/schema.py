"""`summary.json` of a plan: what is foretold of each contender, and what of that was measured."""

from collections.abc import Mapping
from typing import Final

from benchmark.analysis.reasons import Reason
from benchmark.analysis.schema import Head, SummaryPart

UNKNOWN: Final = "unknown"  # a machine whose CPU is not recorded


class ChoiceRow(SummaryPart):
    """One configuration of a pod, or of the machine, and the rate that it is predicted to carry."""

    threads: int
    workers: int
    rps: float
    bound_rps: float
    binds: str
    cpu_ms: float


class PodsRow(SummaryPart):
    """The pods of one Deployment; CPU in thousandths of a core, memory in MiB."""

    needed: int
    replicas: int
    in_an_update: int
    most: int
    carries_rps: float
    cpu_m: int
    cpu_limit_m: int
    memory_mi: int
    target_m: int


class StartRow(SummaryPart):
    """What became of the requests of the shape with so many pods kept ready."""

    least: int
    requests: int
    missed: int
    gave_up: int
    last_missed_s: float
    most_pods: int
    pod_s: float


class RegionsRow(SummaryPart):
    """Two regions over a day, and the minutes after one has failed at its worst hour."""

    names: tuple[str, str]
    highest_rps: tuple[float, float]
    lowest_rps: tuple[float, float]
    day_cost: float
    ready_cost: float
    left: str
    hour: float
    stays_rps: float
    takes_rps: float
    way_misses: float
    failing_requests: int
    failing_missed: int
    failing_gave_up: int
    failing_last_missed_s: float
    failing_most_pods: int
    failing_pod_s: float


class VerifiedRow(SummaryPart):
    """A configuration on this machine: predicted, and measured between the rates that it kept and broke."""

    threads: int
    workers: int
    predicted_rps: float
    bound_rps: float
    measured_rps: float | None = None  # None: not between two of the rates that were offered
    kept_rps: float | None = None  # the highest that was offered and kept; None: none was
    broken_rps: float | None = None  # the lowest that was broken; None: none was
    error: float | None = None  # predicted / measured - 1
    reasons: tuple[Reason, ...] = ()


class PlanEntry(SummaryPart):
    """One contender. Without `chosen`, no rate keeps the promise."""

    title: str = ""
    floor_ms: float = 0.0
    lone_ms: float = 0.0
    harness_floor: bool = False
    valid: bool = True
    reasons: tuple[Reason, ...] = ()
    choices: tuple[ChoiceRow, ...] = ()
    chosen: ChoiceRow | None = None
    scoring: PodsRow | None = None
    models: PodsRow | None = None
    hourly: float | None = None
    per_million: float | None = None
    starts: tuple[StartRow, ...] = ()
    regions: RegionsRow | None = None
    deployment: str = ""  # how its Deployments in docker/kubernetes begin; empty if it has none there
    environment: Mapping[str, str] = {}  # of its scoring handler, besides what the base has
    verified: tuple[VerifiedRow, ...] = ()

    @property
    def why_not(self) -> str:
        """Why no rate keeps the promise, as a limit; empty if one does."""
        return "" if self.chosen else next((each.binds for each in self.choices), "")


class PriceRow(SummaryPart):
    core_hour: float
    gib_hour: float = 0.0


class SourceRow(SummaryPart):
    """The run that the plan rests on."""

    path: str
    started_utc: str = ""
    machine: str = ""
    cores: int = 1


class PlanSummary(Head):
    """A run of `plan`."""

    rate_rps: float
    objectives: tuple[str, ...]
    price: PriceRow
    source: SourceRow
    shape: str
    predicted_utc: str = ""
    assumptions: tuple[tuple[str, str], ...] = ()
    refused: Mapping[str, str] = {}  # by contender, why there is no plan for it
    within: int = 0  # verified configurations whose prediction was close enough
    verified: int = 0  # those whose capacity was measured
    contenders: dict[str, PlanEntry]

    @property
    def measured_elsewhere(self) -> str:
        """The machine that this was measured on, if the run that it rests on was recorded on another; else empty."""
        machine = self.environment.get("machine") or {}
        here = (str(machine.get("cpu_model") or UNKNOWN), int(machine.get("cores") or 1))
        there = (self.source.machine, self.source.cores)
        return "" if here == there or UNKNOWN in (here[0], there[0]) else f"{here[0]}, {here[1]} cores"

    @property
    def planned(self) -> dict[str, PlanEntry]:
        """The contenders that keep the promise at the rate, the cheapest first."""
        found = {name: each for name, each in self.contenders.items() if each.chosen}
        return dict(sorted(found.items(), key=lambda item: item[1].hourly or 0.0))
