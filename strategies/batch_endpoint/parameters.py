"""What service and laws agree on."""

from typing import Final

FIXED_MS: Final = 20.0  # that the simulated GPU takes for a call
ROW_MS: Final = 5.0  # that it takes for each row in addition
MAX_ROWS: Final = 10_000  # in one request
FEATURES: Final = 4  # numbers in a row


def cost_ms(rows: int) -> float:
    """Return how long a call with so many rows takes."""
    return FIXED_MS + ROW_MS * rows


def rate_of_rows(rows: int, modelled: int) -> float:
    """Return the rows per second of requests of so many, of which the model is asked some."""
    return rows / cost_ms(modelled) * 1e3
