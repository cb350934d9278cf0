"""What services and laws agree on."""

from typing import Final

MODEL_MS: Final = 45.0  # that the model blocks
SLOW_MODEL_MS: Final = 250.0  # a second one, beside which what the machine adds to a hundred requests is small
FASTAPI_THREADS: Final = 40  # FastAPI's own limit, which is anyio's
RAISED_THREADS: Final = 100
FLASK_THREADS: Final = 64  # those of the sync twin
