"""The text alternative of a chart: short enough to be listened to."""

from collections.abc import Sequence
from typing import Final

LONGEST: Final = 250  # characters
_REST: Final = "; the table has the others"


def alt_text(what: str, rows: Sequence[str]) -> str:
    """Return `what: row; row; row.`, with as many rows as there is room for."""
    text = f"{what}: {'; '.join(rows)}"
    shown = len(rows)
    while len(text) >= LONGEST and shown:
        shown -= 1
        text = f"{what}: {'; '.join(rows[:shown])}{_REST}"
    return f"{text}."
