"""Which figures of a summary are VALID: all of a contender's, a part of them, or none since the run is not."""

from collections.abc import Mapping
from typing import Any

from benchmark.analysis.reasons import Reason, of_contenders

Entry = Mapping[str, Any]
Entries = Mapping[str, Entry]  # by contender, as in summary.json


def stands(entry: Entry, part: str) -> bool:
    """Whether a part of a contender's figures is VALID: `cpu_reasons` or `wall_reasons`.

    A record that does not say which part is INVALID leaves none VALID.
    """
    if entry["valid"] or "faults" not in entry:
        return bool(entry["valid"])
    return not entry["faults"] and not entry[part]


def run_faults(summary: Mapping[str, Any]) -> list[Reason]:
    """Return why a run is INVALID as a whole. An interruption leaves fewer figures, not wrong ones."""
    reasons = map(Reason.model_validate, of_contenders(summary))
    return [reason for reason in reasons if not reason.contender and reason.code != "interrupted"]


def entries_of(summary: Mapping[str, Any]) -> Entries:
    """Return the contenders; none is VALID in a run that is INVALID as a whole."""
    entries: Entries = summary["contenders"]
    faults = run_faults(summary)
    return {name: {**entry, "valid": False, "faults": faults} for name, entry in entries.items()} if faults else entries
