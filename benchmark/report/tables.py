"""What all tables of all pages have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmark.analysis.wording import MISSING

NOT_ENOUGH: Final = "n/a*"
NO_PEAK: Final = "no peak"  # at the levels measured, so nothing is said of who carries more


@dataclass(frozen=True)
class TableRow:
    """One row; `why`, reasons or notes, stands below it, over the full width."""

    name: str
    cells: tuple[str, ...]
    invalid: bool = False
    why: Sequence[object] = ()
    state: str = ""


@dataclass(frozen=True)
class GlanceCell:
    """A value in a table to be read in one look: beside the baseline's, and with a bar of a length from 0 to 1."""

    value: str
    times: str = ""
    share: float | None = None


@dataclass(frozen=True)
class GlanceRow:
    """A contender in such a table; `says` is what it is in a few words."""

    name: str
    says: str
    cells: tuple[GlanceCell, ...]
    invalid: bool = False


def flatten(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as (dotted name, value) pairs in their own order."""
    pairs: list[tuple[str, str]] = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            pairs += flatten(value, f"{name}.")
        elif isinstance(value, list | tuple):
            pairs.append((name, ", ".join(map(_item, value)) or MISSING))
        else:
            pairs.append((name, MISSING if value is None else str(value)))
    return pairs


def _item(value: object) -> str:
    """Return an item of a list, `users 8 warmup_s 0.5` if it is a mapping."""
    return " ".join(f"{key} {each}" for key, each in value.items()) if isinstance(value, Mapping) else str(value)
