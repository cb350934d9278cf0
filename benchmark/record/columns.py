"""The column names of the record's tables."""

from typing import NamedTuple

SAMPLE_COLUMNS = (  # a sample is one answer, or the failure to get one
    "users",  # number of users at that time
    "scheduled_ns",  # monotonic clock: when the request should have been sent; in a closed loop, when it was
    "start_ns",  # monotonic clock
    "latency_ns",
    "status",  # 0 if there was no answer
    "bytes",  # size of the answer's body
    "ok",  # 1 if status and content follow the contract
    "detail_s",  # the duration in the answer, empty if not ok
    "server_timing",  # the answer's Server-Timing header, unchanged
    "error",
    "requests",  # HTTP requests for this answer
    "items",  # rows in the answer
    "first_ns",  # since start_ns: until the first response, which may only say that the answer comes later
)
ONE_OF_EACH = ("requests", "items")  # missing in older records, where both are 1; so may first_ns be


class ResourceSample(NamedTuple):
    """CPU time and memory of one role's processes and their children at a moment of the monotonic clock."""

    t_ns: int
    role: str
    cpu_ns: int
    rss_bytes: int


GENERATOR_ROLE = "load"
