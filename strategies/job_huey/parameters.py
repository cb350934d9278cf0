"""What service, workers and laws agree on."""

from typing import Final

JOBS_PATH: Final = "/api/v1/jobs"
MODEL_MS: Final = (40.0, 50.0)  # between which the model takes, drawn for each job from its number
STEADY_MODEL_MS: Final = 60.0  # the same, where what a blocking get adds is measured
OCCUPIED_MS: Final = 50.0  # about for how long a job occupies the worker; only the rates of the loads rely on it
HIGH, LOW = "high", "low"
PRIORITIES: Final = {HIGH: 10, LOW: 0}

BACKLOG: Final = 500  # jobs that are accepted and not finished; one more is answered 503
WAITERS: Final = 24  # requests that may wait for their result at once: each takes one of FastAPI's 40 threads
WAIT_S: Final = 5.0  # for which such a request waits at most; then it is answered 202

EXPIRE_S: Final = 600  # for which a result is kept
REMEMBER_S: Final = 3_600  # for which it is known after that that there was a job: 410 in place of 404

HEARTBEAT_S: Final = 0.3  # of a consumer
DEAD_S: Final = 1.5  # without one, after which it counts as dead
SWEEP_S: Final = 0.3  # between two looks for jobs that nobody works on
STALE_S: Final = 2.0  # after which a job that waits must be in huey's queue
LONGEST_S: Final = 10.0  # that a job may take; one that takes longer is worked on again
