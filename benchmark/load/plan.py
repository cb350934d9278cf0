"""What a load generator process is told to do, and what it reports while it does so."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Level:
    """A number of users, held for a warm-up that is not counted and a window that is."""

    users: int
    warmup_s: float
    measure_s: float


@dataclass(frozen=True)
class LoadPlan:
    """One generator process's work: closed-loop levels in ascending order, against one endpoint."""

    url: str
    endpoint: str
    protocol: str
    seed: int
    stage_clock: bool
    levels: tuple[Level, ...]
    climb: tuple[Level, ...]  # held after the levels, one by one, while the rate still grows
    answer_bounds_s: tuple[float, float]
    samples: Path
    locust: Path  # prefix of Locust's own files

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "samples": str(self.samples), "locust": str(self.locust)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "LoadPlan":
        levels = tuple(Level(**level) for level in document.pop("levels"))
        climb = tuple(Level(**level) for level in document.pop("climb"))
        samples, locust = Path(document.pop("samples")), Path(document.pop("locust"))
        bounds = tuple(document.pop("answer_bounds_s"))
        return cls(**document, levels=levels, climb=climb, samples=samples, locust=locust, answer_bounds_s=bounds)
