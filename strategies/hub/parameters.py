"""What service and laws agree on."""

from typing import Final

WORKERS: Final = 4
MODEL_MS: Final = 250.0  # that the model takes for one request
FAST_MS: Final = 50.0  # the same, of the contenders that are asked at random times
OVERLOAD_WORKERS: Final = 2
OVERLOAD_MS: Final = 5.0  # the same, of the contenders that are asked more than they can do
WAITING: Final = 64  # requests that may wait for a worker; one more is answered 503
DEADLINE_MS: Final = 2000.0  # after which a request is answered 504
