"""What the services and their laws agree on. Standard library only, as every environment reads it."""

from typing import Final

MAX_BATCH: Final = 8  # rows that are computed together
WINDOW_MS: Final = 10.0  # that a batch is collected for, where a framework has such a window
BASE_MS: Final = 20.0  # of a batch
ROW_MS: Final = 5.0  # of each row in it


def batch_ms(rows: int) -> float:
    """Return how long the simulated GPU computes a batch."""
    return BASE_MS + ROW_MS * rows
