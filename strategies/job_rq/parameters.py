"""What service, workers and laws agree on."""

from typing import Final

SHORTEST_MS, LONGEST_MS = 40.0, 50.0  # that the model takes
JOBS, CALLBACKS = "jobs", "callbacks"  # queues; a worker has one, since RQ loses no job only then
BACKLOG: Final = 1024  # jobs that may wait; one more is answered 503
ATTEMPTS: Final = 6  # of a job whose worker or work-horse is killed
BACKOFF_S: Final = (1, 2, 4, 8, 16, 32, *[60] * 12)  # between the attempts to deliver a callback
RESULT_TTL_S: Final = 600
KEPT_S: Final = 24 * 3600  # that an id is known at all; until then the answer is 410, and a key is the same job
WAIT_S: Final = 30.0  # for a result, where the request waits for it
LOOK_EVERY_S: Final = 1  # for jobs whose worker is gone
ABSENT_S: Final = 2.0  # after which a worker that is not connected is gone
SAMPLE_S: Final = 0.02  # between two looks at how many jobs there are
