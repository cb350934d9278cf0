"""Connections to the Redis that is queue, result store and book of the jobs."""

from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as Disconnected
from redis.retry import Retry

from strategies.job_huey.settings import JobSettings


def connect(settings: JobSettings, decodes: bool = False, waits_s: float = 0.0) -> ConnectionPool:
    """Return a pool for commands that wait `waits_s` at most before Redis answers.

    A connection that Redis has closed is opened anew, once. Without Redis a command fails at once.
    """
    timeout_s = settings.redis_timeout_ms / 1e3
    return ConnectionPool.from_url(
        settings.redis_url,
        decode_responses=decodes,
        socket_connect_timeout=timeout_s,
        socket_timeout=waits_s + timeout_s,
        retry=Retry(NoBackoff(), 1, (Disconnected,)),
    )
