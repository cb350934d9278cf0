"""What service and laws agree on."""

from typing import Final

FIXED_MS: Final = 20.0  # that the simulated GPU takes for a batch, however small
ITEM_MS: Final = 5.0  # that it takes for each item in addition
SLO_MS: Final = 102.0  # a batch of 16 takes 100 ms, and a timer may be late
LARGEST: Final = 64  # batch that an adaptive size may reach
FIT_SAMPLES: Final = 20  # batches that the service observes before it fits their latency


def cost_ms(items: int) -> float:
    """Return how long a batch takes."""
    return FIXED_MS + ITEM_MS * items


def batch_rate_rps(items: int) -> float:
    """Return the rate of a service whose batches all hold so many items."""
    return items / cost_ms(items) * 1e3
