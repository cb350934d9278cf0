"""A contender's figures as values by block, the form in which two runs are compared."""

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
    plan: str = ""  # the part of the plan that must be the same in both runs for the figure to mean the same
    absent: str = "not measured"  # what it means if the other run has no such figure

    @property
    def key(self) -> str:
        return f"{self.name} {self.plan}"


def contender_stands(run: Run, entry: Mapping[str, Any]) -> bool:
    """Whether a contender's figures are VALID, apart from single INVALID levels."""
    invalid = {level["users"] for level in entry.get("levels", []) if not level["valid"]}
    faults = [reason for reason in map(Reason.model_validate, entry["reasons"]) if reason.users not in invalid]
    return not faults and not run_reasons(run.manifest["busy_before_start"])


def planned_users(manifest: Mapping[str, Any]) -> str:
    """Return the planned numbers of users as text, empty for a command without levels."""
    plan = manifest["plan"]
    return ", ".join(str(level["users"]) for part in ("levels", "climb") for level in plan.get(part, []))
