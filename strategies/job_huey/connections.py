"""Connections to the Redis that is queue, result store and book of the jobs."""

from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.retry import Retry

from strategies.job_huey.settings import JobSettings

_SLACK_S = 1.0  # beyond what a blocking command waits


def connect(settings: JobSettings, decodes: bool = False) -> ConnectionPool:
    """Return a pool. A connection that Redis has closed is opened anew, once; without Redis a command fails at once."""
    return ConnectionPool.from_url(
        settings.redis_url,
        decode_responses=decodes,
        socket_connect_timeout=settings.redis_timeout_ms / 1e3,
        socket_timeout=settings.wait_s + _SLACK_S,
        retry=Retry(NoBackoff(), 1, (Disconnected,)),
    )
