"""What a load generator process is told to do, and what it reports while it does so."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SAMPLE_COLUMNS = (
    "users",  # how many users there were when the request was sent
    "scheduled_ns",  # monotonic clock: when it should have been sent; in a closed loop, when it was
    "start_ns",  # monotonic clock
    "latency_ns",
    "status",  # 0 if there was no answer
    "bytes",  # of the answer's body
    "ok",  # 1 if status and content are what the contract says
    "detail_s",  # the answer, empty if not ok
    "server_timing",  # the answer's Server-Timing header, as it came
    "error",
)


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
