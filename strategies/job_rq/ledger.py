"""What is known of jobs beyond RQ's own records: results, effects, and counts. All of it is in Redis.

The effect of a job, its result and its counts are written in one step, and by its first run only. So a job may run
again at any time, after a kill or because nobody can tell whether it was killed, and its effect remains one.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from redis import Redis
from rq.job import Job
from rq.registry import StartedJobRegistry

from strategies.job_rq.parameters import KEPT_S
from strategies.job_rq.queues import TimedQueue

_PREFIX: Final = "job-rq:"
_DONE, _RESULT, _TOLD = _PREFIX + "done:", _PREFIX + "result:", _PREFIX + "told:"  # by job
_EFFECTS, _COUNTS, _TAKEN = _PREFIX + "effects", _PREFIX + "counts", _PREFIX + "taken"
_EFFECTS_KEPT: Final = 20_000

_STORE: Final = """
local digest, kept_s, document, result_ttl_s, id, most, taken = unpack(ARGV, 1, 7)
if not redis.call('SET', KEYS[1], digest, 'NX', 'EX', kept_s) then return 0 end
redis.call('SET', KEYS[2], document, 'EX', result_ttl_s)
redis.call('RPUSH', KEYS[3], id)
redis.call('LTRIM', KEYS[3], -most, -1)
redis.call('SET', KEYS[5], taken)
for i = 8, #ARGV, 2 do redis.call('HINCRBYFLOAT', KEYS[4], ARGV[i], ARGV[i + 1]) end
return 1
"""

# Jobs that wait, that a worker has taken, and that it has begun, without those whose result is there already.
_BACKLOG: Final = """
local backlog, seen = redis.call('LLEN', KEYS[1]), {}
local function count(id)
    if not seen[id] and redis.call('EXISTS', ARGV[1] .. id) == 0 then backlog = backlog + 1 end
    seen[id] = true
end
for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do count(id) end
for _, entry in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do count(string.match(entry, '^[^:]+')) end
return backlog
"""


class Entry(NamedTuple):
    """What is known of a job."""

    document: bytes | None  # its result, for as long as that is kept
    digest: str | None  # of the request, once it is done
    status: str | None  # RQ's, for as long as that is kept


class Ledger:
    """Reads and writes it. Every method raises RedisError."""

    def __init__(self, connection: Redis, queue: TimedQueue) -> None:
        self._redis, self._queue = connection, queue
        self._store = connection.register_script(_STORE)
        self._backlog = connection.register_script(_BACKLOG)
        self._started = StartedJobRegistry(queue=queue).key

    def begin(self, job_id: str, is_again: bool) -> tuple[bytes | None, float]:
        """Count a run. Return the result, if there is one already, and when the job before this one was taken."""
        with self._redis.pipeline() as pipe:
            pipe.get(_RESULT + job_id)
            pipe.get(_TAKEN)
            pipe.hincrby(_COUNTS, "runs", 1)
            pipe.hincrby(_COUNTS, "reruns", int(is_again))
            document, taken, *_ = pipe.execute()
        return document, float(taken or 0)

    def store(
        self, job_id: str, digest: str, document: bytes, result_ttl_s: int, taken_s: float, sums: Mapping[str, float]
    ) -> bool:
        """Write effect, result and counts. Return whether this was the first time."""
        keys = [_DONE + job_id, _RESULT + job_id, _EFFECTS, _COUNTS, _TAKEN]
        fixed: list[str | bytes | int] = [digest, KEPT_S, document, result_ttl_s, job_id, _EFFECTS_KEPT, repr(taken_s)]
        pairs = [each for name, value in sums.items() for each in (name, f"{value:.3f}")]
        return bool(self._store(keys=keys, args=[*fixed, *pairs]))

    def entry(self, job_id: str) -> Entry:
        """Return what is known of a job at one moment."""
        with self._redis.pipeline() as pipe:
            pipe.get(_RESULT + job_id)
            pipe.get(_DONE + job_id)
            pipe.hget(Job.key_for(job_id), "status")
            document, digest, status = pipe.execute()
        return Entry(document, digest and digest.decode(), status and status.decode())

    def count(self, **counts: float) -> None:
        """Add to counts."""
        with self._redis.pipeline() as pipe:
            for name, value in counts.items():
                pipe.hincrbyfloat(_COUNTS, name, value)
            pipe.execute()

    def was_told(self, job_id: str) -> bool:
        """Whether the callback of a job was delivered."""
        return bool(self._redis.exists(_TOLD + job_id))

    def told(self, job_id: str) -> None:
        self._redis.set(_TOLD + job_id, 1, ex=KEPT_S)

    def backlog(self) -> int:
        """Return how many jobs are accepted and not done."""
        keys = [self._queue.key, self._queue.intermediate_queue_key, self._started]
        return int(self._backlog(keys=keys, args=[_DONE]))

    def statistics(self) -> dict[str, Any]:
        """Return counts, the backlog, and how many effects are more than one of the same job."""
        with self._redis.pipeline() as pipe:
            pipe.hgetall(_COUNTS)
            pipe.lrange(_EFFECTS, 0, -1)
            counts, effects = pipe.execute()
        said: dict[str, Any] = {name.decode(): float(value) for name, value in counts.items()}
        return {**said, "backlog": self.backlog(), "duplicate_effects": len(effects) - len(set(effects))}
