"""What the experiment sees, one observation after the other: the only writer and the only reader of findings.jsonl.

Each is appended as soon as it is made, so that an interrupted run keeps what it had.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from benchmark.load.shapes import PACING_S, Example
from benchmark.load.slo import FOLLOWS, P95_LIMIT, BreakingPoint
from benchmark.record.run import Run

FINDINGS: Final = "findings.jsonl"
_KIND: Final = "example"  # the key that tells observations apart; of a Locust run, it names the example


@dataclass(frozen=True)
class LocustRun:
    """What one Locust run saw between its warm-up and the end of its plan."""

    contender: str
    example: str  # or open-loop, closed-at-rate
    stem: str  # how the names of its files begin
    start_ns: int  # of the first request, on the monotonic clock
    generator_cpu: float  # cores, mean
    late: int  # arrivals
    dropped: int
    n: int  # checked answers
    errors: int
    first_error: str
    rps: float
    mean_ms: float | None  # a figure is None where there are not enough answers for it
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    users: int | None = None
    plan: Example | None = None
    rate_rps: float | None = None  # that both loops were to issue
    # Shares of all cores, from the first request to the last answer; None where a record does not tell.
    foreign_share: float | None = None  # that other programs used
    steal_share: float | None = None  # that the hypervisor gave to others
    # Of what is counted, seconds since the first request: the planned end, or when the generator stopped before it.
    until_s: float | None = None
    # The smallest latency, since it was sent, above what an answer implies. Both are None in records that had none yet.
    fastest_excess_ms: float | None = None

    @property
    def duration_s(self) -> float | None:
        return self.plan.duration_s if self.plan else None

    def to_json(self) -> dict[str, Any]:
        """Return the observation as it stands in findings.jsonl and in summary.json."""
        optional = (
            *("users", "plan", "rate_rps", "until_s", "fastest_excess_ms"),
            *("foreign_share", "steal_share"),
        )
        return {key: value for key, value in asdict(self).items() if key not in optional or value is not None}


@dataclass(frozen=True)
class Broke:
    """Where the load test of a contender broke: a first guess at the breaking point."""

    contender: str
    point: BreakingPoint

    def to_json(self) -> dict[str, Any]:
        return {"contender": self.contender, _KIND: "load-test-broke", **asdict(self.point)}


@dataclass(frozen=True)
class Tried:
    """What became of a rate that was tried."""

    contender: str
    rps: float
    answered: float  # shares of the arrivals
    in_time: float
    sustained: bool

    def to_json(self) -> dict[str, Any]:
        return {_KIND: "tried", **asdict(self)}


@dataclass(frozen=True)
class Breaks:
    """The breaking point of a contender, from its tries."""

    contender: str
    point: BreakingPoint

    def to_json(self) -> dict[str, Any]:
        return {"contender": self.contender, _KIND: "breaking-point", **asdict(self.point)}


@dataclass(frozen=True)
class Held:
    """Whether a contender held a number of users for the whole of the third example."""

    contender: str
    users: int
    held: bool
    attempt: int

    def to_json(self) -> dict[str, Any]:
        return {"contender": self.contender, _KIND: "held", **asdict(self)}


Observation = LocustRun | Broke | Tried | Breaks | Held
_F = TypeVar("_F", LocustRun, Broke, Tried, Breaks, Held)

_LOCUST_RUN: Final = TypeAdapter(LocustRun)
_POINT: Final = TypeAdapter(BreakingPoint)
_TRIED: Final = TypeAdapter(Tried)
_HELD: Final = TypeAdapter(Held)


def append_observation(run: Run, observation: Observation) -> None:
    """Add an observation to the record. Raises RecordError."""
    run.append_line(FINDINGS, observation.to_json())


def read_observations(run: Run) -> list[Observation]:
    """Return the observations of a run, in the order in which they were made."""
    return [_read(document) for document in run.lines(FINDINGS)]


def read_locust_runs(documents: Iterable[Mapping[str, Any]]) -> tuple[LocustRun, ...]:
    """Return what `to_json` has made of Locust runs. Raises pydantic.ValidationError naming what does not fit."""
    return tuple(_LOCUST_RUN.validate_python(document) for document in documents)


def of_kind(observations: Iterable[Observation], kind: type[_F]) -> Iterator[_F]:
    """Yield the observations of a kind, in order."""
    return (each for each in observations if isinstance(each, kind))


def _read(document: Mapping[str, Any]) -> Observation:
    match document[_KIND]:
        case "load-test-broke":
            return Broke(document["contender"], _POINT.validate_python(document))
        case "breaking-point":
            return Breaks(document["contender"], _POINT.validate_python(document))
        case "tried":
            return _TRIED.validate_python(document)
        case "held":
            return _HELD.validate_python(document)
        case _:
            return _LOCUST_RUN.validate_python(document)


def was_held(found: LocustRun, users: int, low_p95_ms: float) -> bool:
    """Whether so many paced users got the rate that they offered, in time."""
    in_time = found.p95_ms is not None and found.p95_ms <= P95_LIMIT * low_p95_ms
    return in_time and found.rps >= FOLLOWS * users / PACING_S
