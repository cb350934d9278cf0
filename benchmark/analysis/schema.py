"""`summary.json` as typed values, which reports read."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol

import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from benchmark.analysis.findings import Finding
from benchmark.analysis.reasons import Reason, because, of_contenders
from benchmark.analysis.wording import Interval
from benchmark.load.peak import why_no_peak

LOAD_GENERATOR = "load"  # the role in cpu_ms_per_request that is not the contender's own
_FIRST_ROLES = ("scoring", "model", "redis")


def _no_half_interval(value: object) -> object:
    """Return None for an interval with an end that could not be computed."""
    return None if isinstance(value, list | tuple) and None in value else value


def _only_numbers(value: object) -> object:
    """Return what was recorded by role, without the roles that have no number."""
    return {role: number for role, number in value.items() if number is not None} if isinstance(value, dict) else {}


MaybeInterval = Annotated[Interval | None, BeforeValidator(_no_half_interval)]
ByRole = Annotated[dict[str, float], BeforeValidator(_only_numbers)]


class RunData(Protocol):
    """A recorded run. A report writes into `path` and changes nothing else."""

    @property
    def path(self) -> Path: ...

    @property
    def manifest(self) -> dict[str, Any]: ...

    @property
    def summary(self) -> dict[str, Any]: ...

    def samples(self) -> pd.DataFrame:
        """Return one row per request.

        Columns: contender, block, users, measured (False during warm-up), start_ns, latency_ms,
        status, ok, detail_s.
        """


class SummaryPart(BaseModel):
    """A part of a summary: read-only, and tolerant of unknown keys. Used for writing and for reading."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class LowLoad(SummaryPart):
    """Latency at the lowest level; a percentile is None if there are too few samples for it."""

    n: int
    mean_ms: float
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    ci95_mean_ms: MaybeInterval = None
    over_floor: float | None = None
    p50_over_floor: float | None = None


class LevelSummary(SummaryPart):
    """The figures of one contender at one number of users."""

    users: int
    valid: bool = True
    reasons: tuple[Reason, ...] = ()
    rps: float
    ci95_rps: MaybeInterval = None
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    errors: int = 0
    n: int = 0
    generator_cpu: float | None = None
    little_n: float | None = None
    cpu_ms_per_request: ByRole = {}
    foreign_share: float | None = None  # of all cores, used by other programs
    steal_share: float | None = None  # of all cores, used by other virtual machines


class HighestRate(SummaryPart):
    """The highest rate of all measured levels, and its number of users; a peak if the levels bracket it."""

    users: int
    rps: float
    ci95_rps: MaybeInterval = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    generator_cpu: float | None = None
    bracketed: bool | None = None  # None in older records
    valid: bool = True


class ContenderSummary(SummaryPart):
    """One contender's figures; unmeasured ones are None or empty, and `reasons` say why."""

    title: str = ""
    floor_ms: float = 0.0
    asked: str = ""  # its models: one after the other (sum), all at once (max), or not at all (none)
    harness_floor: bool = False
    valid: bool = True
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    low_load: LowLoad | None = None
    levels: tuple[LevelSummary, ...] = ()
    peak: HighestRate | None = None
    cpu_users: int | None = None
    cpu_ms_per_request: ByRole = {}
    ci95_cpu_ms: MaybeInterval = None  # of all its processes together
    rss_mb: ByRole = {}

    @property
    def measured(self) -> bool:
        """Whether there is any figure to show."""
        return self.low_load is not None or bool(self.levels) or self.peak is not None

    def level(self, users: int) -> LevelSummary | None:
        """Return the figures at a number of users, or None if it was not measured."""
        return next((level for level in self.levels if level.users == users), None)

    @property
    def faults(self) -> list[Reason]:
        """Why all of its figures are INVALID: the reasons that are not about one INVALID level."""
        if self.valid:
            return []
        levels = {level.users for level in self.levels if not level.valid}
        faults = [reason for reason in self.reasons if reason.users not in levels]
        return faults if faults or levels else [because("unsaid")]

    @property
    def standing_levels(self) -> list[LevelSummary]:
        """The VALID levels, by users."""
        return sorted((level for level in self.levels if self.stands(level.users)), key=lambda level: level.users)

    @property
    def no_peak(self) -> str:
        """Why its VALID levels do not bracket the highest rate, to follow "the rate was"; empty if they do."""
        why = why_no_peak({level.users: level.rps for level in self.levels if level.valid})
        if self.peak is None or self.peak.bracketed is None:
            return why
        return "" if self.peak.bracketed else why or "not shown to be the highest"

    @property
    def at_least(self) -> str:
        """The prefix of the highest rate: empty if it is a peak."""
        return "≥ " if self.no_peak else ""

    def figure_stands(self, figure: str, low_users: int) -> bool:
        """Whether a compared figure is VALID."""
        peak_users = self.peak.users if self.peak else 0
        users = {"low_load_mean_ms": low_users, "peak_rps": peak_users, "cpu_ms_per_request": self.cpu_users or 0}
        return self.stands(users.get(figure, 0))

    def stands(self, users: int) -> bool:
        """Whether a figure taken at this number of users is VALID."""
        level = self.level(users)
        return not self.faults and (level is None or level.valid)


class Comparison(SummaryPart):
    """A figure of one contender over the baseline's: ratio = contender / baseline.

    `ci` is the interval, at the level `confidence`, that decides whether a difference is shown.
    """

    figure: str
    baseline: str
    contender: str
    ratio: float | None = None
    ci: MaybeInterval = None
    confidence: float | None = None  # older records have neither
    ci95: MaybeInterval = None
    difference_shown: bool = False

    @property
    def interval(self) -> Interval | None:
        """The interval that decides, or in an older record the one of 95 %."""
        return self.ci95 if self.confidence is None else self.ci


class Head(SummaryPart):
    """The fields that the summaries of all experiments share: which run it is, whether it is VALID, its findings."""

    schema_version: Literal[1, 2] = Field(alias="schema")
    command: str = ""
    started_utc: str = ""
    finished_utc: str | None = None
    complete: bool = True
    valid: bool = True
    reasons: tuple[Reason, ...] = ()
    findings: tuple[Finding, ...] = ()
    environment: dict[str, Any] = {}


class Summary(Head):
    """`summary.json` of contenders under load."""

    blocks: int = 0
    baseline: str | None = None
    levels: tuple[int, ...] = ()
    contenders: dict[str, ContenderSummary] = {}
    comparisons: tuple[Comparison, ...] = ()
    faults: tuple[Reason, ...] = Field(default=(), exclude=True)  # why the whole run is INVALID; set by parse_summary

    @property
    def low_users(self) -> int:
        """The lowest number of users, where latency is compared with the floor."""
        return min(self.levels, default=1)

    @property
    def high_users(self) -> int:
        """The highest number of users that every contender was measured at, or else that any was."""
        measured = [{level.users for level in each.levels} for each in self.rivals.values() if each.levels]
        shared = set.intersection(*measured) if measured else set()
        return max(shared - {self.low_users} or self.levels, default=1)

    @property
    def rivals(self) -> dict[str, ContenderSummary]:
        """The contenders without those that measure the limit of the load generator."""
        return {name: each for name, each in self.contenders.items() if not each.harness_floor}

    @property
    def harness_floors(self) -> dict[str, ContenderSummary]:
        """The contenders that measure the limit of the load generator, since they answer at once."""
        return {name: each for name, each in self.contenders.items() if each.harness_floor}

    def comparison(self, figure: str, contender: str) -> Comparison | None:
        """Return the comparison of a contender's figure with the baseline's, or None if there is none."""
        return next((c for c in self.comparisons if (c.figure, c.contender) == (figure, contender)), None)


def parse_summary(summary: Mapping[str, Any]) -> Summary:
    """Return the summary as typed values. If the whole run is INVALID, so is every contender.

    Raises pydantic.ValidationError naming what does not fit.
    """
    parsed = Summary.model_validate({**summary, "reasons": of_contenders(summary)})
    faults = _run_faults(parsed)
    if not faults:
        return parsed
    condemned = {name: _condemn(contender) for name, contender in parsed.contenders.items()}
    return parsed.model_copy(update={"faults": tuple(faults), "contenders": condemned})


def _run_faults(summary: Summary) -> list[Reason]:
    """Return why all figures of a run are INVALID.

    A reason about one contender concerns that one only, and an interruption means fewer figures, not wrong ones.
    """
    if summary.valid:
        return []
    faults = [reason for reason in summary.reasons if not reason.contender]
    if not summary.complete:
        faults = [fault for fault in faults if fault.code != "interrupted"]
    explained = bool(summary.reasons) or any(not contender.valid for contender in summary.contenders.values())
    return faults if explained else [because("unsaid")]


def _condemn(contender: ContenderSummary) -> ContenderSummary:
    reasons = (*contender.reasons, because("run_invalid")) if contender.measured else contender.reasons
    return contender.model_copy(update={"valid": False, "reasons": reasons})


def in_order(roles: Iterable[str]) -> list[str]:
    """Return each role once: in the order of a request's path, then any others, the load generator last."""
    rank = {role: place for place, role in enumerate(_FIRST_ROLES)}
    return sorted(set(roles), key=lambda role: (role == LOAD_GENERATOR, rank.get(role, len(rank)), role))


def service_cpu_ms(cpu_ms_per_request: Mapping[str, float]) -> float | None:
    """Return the CPU time per request of the contender's own processes, in ms, without the load generator.

    None if none of them was observed, as when the services run on another machine.
    """
    own = [ms for role, ms in cpu_ms_per_request.items() if role != LOAD_GENERATOR]
    return sum(own) if own else None


SMALLEST_CLAIM: Final = 0.02  # a smaller difference is not claimed, however narrow the intervals
