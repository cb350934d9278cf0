"""One contender's figures, each as its values by block: what two runs are compared by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.analysis.reasons import Reason
from benchmark.analysis.validity import run_reasons
from benchmark.record.run import Run

PEAK_RATE = "peak rate"


@dataclass(frozen=True)
class Comparable:
    """A quantity of one contender: one value per block of fresh processes."""

    name: str  # the same in both runs
    unit: str
    lower_is_better: bool
    values: tuple[float, ...]
    valid: bool = True
    plan: str = ""  # what both runs must have planned alike for the figure to mean the same
    absent: str = "not measured"  # what it means if the other run has no such figure

    @property
    def key(self) -> str:
        return f"{self.name} {self.plan}"


def contender_stands(run: Run, entry: Mapping[str, Any]) -> bool:
    """Whether a contender's figures are VALID, but for what is said about single levels."""
    invalid = {level["users"] for level in entry.get("levels", []) if not level["valid"]}
    faults = [reason for reason in map(Reason.model_validate, entry["reasons"]) if reason.users not in invalid]
    return not faults and not run_reasons(run.manifest["busy_before_start"])


def planned_users(manifest: Mapping[str, Any]) -> str:
    """Return the numbers of users that a run was to try, empty for a command that has none."""
    plan = manifest["plan"]
    return ", ".join(str(level["users"]) for part in ("levels", "climb") for level in plan.get(part, []))
