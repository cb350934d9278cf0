"""The columns of the record's tables, and the roles in them: written and read under these names alone."""

from typing import NamedTuple

SAMPLE_COLUMNS = (  # a sample is one answer, or the failure to get one
    "users",  # how many users there were when it was asked for
    "scheduled_ns",  # monotonic clock: when it should have been sent; in a closed loop, when it was
    "start_ns",  # monotonic clock
    "latency_ns",
    "status",  # 0 if there was no answer
    "bytes",  # of the answer's body
    "ok",  # 1 if status and content are what the contract says
    "detail_s",  # the answer, empty if not ok
    "server_timing",  # the answer's Server-Timing header, as it came
    "error",
    "requests",  # HTTP requests that the answer took
    "items",  # rows that it answers
)
ONE_OF_EACH = ("requests", "items")  # 1 in records that are older than these columns


class ResourceSample(NamedTuple):
    """What one role's processes, children included, had used at a moment of the monotonic clock."""

    t_ns: int
    role: str
    cpu_ns: int
    rss_bytes: int


GENERATOR_ROLE = "load"
