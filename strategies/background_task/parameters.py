"""What service and laws agree on."""

from typing import Final

THREADS: Final = 40  # FastAPI's own limit, which is anyio's
TASK_MS: Final = 250.0  # that a task takes under load
LONG_TASK_MS: Final = 1_000.0  # the same, where tasks are counted one by one
PENDING: Final = (39, 40, 80)  # tasks beside which the endpoints are asked
PROBED_MS: Final = 500.0  # after the first of these tasks began, the endpoints are asked
KILLED: Final = 50  # tasks that are pending when the service is ended
PLAIN_PATH: Final = "/api/v1/plain"  # a trivial endpoint that is `def`
LOOP_PATH: Final = "/api/v1/loop"  # one that is `async def`
JOBS_PATH: Final = "/api/v1/jobs"
