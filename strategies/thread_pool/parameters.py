"""What service and laws agree on."""

from typing import Final

CALL_MS: Final = 20.0  # that one blocking call takes
PER_REQUEST: Final = 5  # threads of a pool that is made for one request
SHARED: Final = 40  # threads of the pool that all requests share
