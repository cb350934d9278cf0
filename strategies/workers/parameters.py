"""What services and laws agree on."""

from typing import Final

MODEL_MS: Final = 45.0  # that the model sleeps, or computes
SYNC_WORKERS: Final = (1, 2, 5, 10)  # 5 is "2 x cores + 1" on two cores
KILLED: Final = 5  # workers of the contender whose workers are killed
