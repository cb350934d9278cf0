"""The plan of a load generator process: levels, endpoint, files."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from benchmark.load.checks import Expected
from benchmark.scenarios.spec import Scenario


@dataclass(frozen=True)
class Level:
    """A number of users, held for a warm-up and then for a measured window."""

    users: int
    warmup_s: float
    measure_s: float


@dataclass(frozen=True)
class Waves:
    """So many requests at the same moment; the next wave follows the last answer of this one.

    Waves of one request are one user, with a number of requests that is known beforehand.
    """

    size: int
    count: int
    warmup_count: int = 1  # waves before the first that is measured; they open the connections
    every_s: float = 0.0  # from one wave to the next, at least


@dataclass(frozen=True)
class Bound:
    """The rest of a load is not sent once more than `most` requests have failed, or taken `limit_ms` or longer."""

    most: int
    limit_ms: float | None = None  # None: only failures count


@dataclass(frozen=True)
class Arrivals:
    """An open loop: Poisson arrivals at a rate, from a seed of their own, so that their times are known beforehand.

    With a ramp the rate rises linearly from 0 within its seconds, which begin with the warm-up, if there is one.
    `later` are other rates, each with the second, counted in the same way, from which on it holds. `bounds` end the
    load early.
    """

    rate_rps: float
    measure_s: float
    warmup_s: float = 1.0
    seed: int = 1
    ramp_s: float = 0.0
    later: tuple[tuple[float, float], ...] = ()
    bounds: tuple["Bound", ...] = ()


@dataclass(frozen=True)
class LoggedBodies:
    """From the request with the number `first` on, `count` requests send the bodies of a log, one after the other.

    They are read where they are sent, and never written into the record: a log may hold what concerns nobody else.
    """

    first: int
    count: int
    log: str  # absolute path


@dataclass(frozen=True)
class Scheduled:
    """An open loop whose requests are due at these times, in seconds since it began, in order."""

    at_s: tuple[float, ...]
    warmup_s: float = 0.0
    bodies: tuple[LoggedBodies, ...] = ()  # of these requests; the others send those of the scenario


@dataclass(frozen=True)
class Pause:
    """No requests, to see what a contender uses while it is idle."""

    pause_s: float


Load = Level | Waves | Arrivals | Scheduled | Pause
_LOADS: Final = TypeAdapter(tuple[Load, ...])  # a load is recognised by its required fields


def loads_from_json(documents: list[dict[str, Any]]) -> tuple[Load, ...]:
    """Return loads from what `asdict` made of them. Raises pydantic.ValidationError."""
    return _LOADS.validate_python(documents)


def _expected(document: dict[str, Any] | None) -> Expected | None:
    return Expected(**{**document, "digests": tuple(document["digests"])}) if document else None


@dataclass(frozen=True)
class LoadPlan:
    """The work of one generator process against one endpoint: ascending closed-loop levels, then further loads."""

    url: str
    endpoint: str
    scenario: Scenario
    seed: int
    stage_clock: bool
    levels: tuple[Level, ...]
    climb: tuple[Level, ...]  # further levels, for as long as the rate still grows
    answer_bounds_s: tuple[float, float]
    samples: Path
    locust: Path  # prefix of the files that Locust writes
    loads: tuple[Load, ...] = ()  # in this order
    receiver: str = ""  # base URL of the process that receives callbacks
    expected: Expected | None = None  # answers

    def to_json(self) -> dict[str, Any]:
        scenario, samples, locust = self.scenario.to_json(), str(self.samples), str(self.locust)
        return {**asdict(self), "scenario": scenario, "samples": samples, "locust": locust}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "LoadPlan":
        return cls(
            **{
                **document,
                "scenario": Scenario(**document["scenario"]),
                "levels": tuple(Level(**level) for level in document["levels"]),
                "climb": tuple(Level(**level) for level in document["climb"]),
                "expected": _expected(document.get("expected")),
                "loads": loads_from_json(document["loads"]),
                "answer_bounds_s": tuple(document["answer_bounds_s"]),
                "samples": Path(document["samples"]),
                "locust": Path(document["locust"]),
            }
        )
