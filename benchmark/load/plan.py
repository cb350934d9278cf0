"""The plan of a load generator process: levels, endpoint, files."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.scenarios.spec import Scenario


@dataclass(frozen=True)
class Level:
    """A number of users, held for a warm-up and then for a measured window."""

    users: int
    warmup_s: float
    measure_s: float


@dataclass(frozen=True)
class LoadPlan:
    """The work of one generator process: ascending closed-loop levels against one endpoint."""

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
                "answer_bounds_s": tuple(document["answer_bounds_s"]),
                "samples": Path(document["samples"]),
                "locust": Path(document["locust"]),
            }
        )
