"""A row for each job, which is written before the job is enqueued: what huey itself does not keep.

huey takes a task out of its queue before it works on it, and keeps nothing but results. The row says that there is
such a job, what it asks for, how far it is, and who works on it since when.
"""

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from redis import ConnectionPool, Redis

from strategies.job_huey import scripts
from strategies.job_huey.parameters import DEAD_S, LONGEST_S, STALE_S

_OPEN: Final = "jobs:open"  # ids of what is not finished, by the time of its last change
_COUNTERS: Final = "jobs:counters"
_EFFECTS: Final = "jobs:effects"  # append-only: an entry "PRIORITY NUMBER ID" for each effect
_ALIVE: Final = "jobs:alive:"  # followed by a consumer; expires without a heartbeat
_LEAST: Final = "jobs:least_wait_ms"


@dataclass(frozen=True)
class Row:
    """What is known of a job."""

    job_id: str
    number: int
    numbers: tuple[float, ...]
    priority: str
    state: str  # queued, started, or finished
    since: str  # of that state; compared as it was read
    consumer: str = ""

    @classmethod
    def from_hash(cls, job_id: str, found: Mapping[str, str]) -> "Row":
        numbers = tuple(json.loads(found["document"]))
        own = (found["priority"], found["state"], found["since"], found.get("consumer", ""))
        return cls(job_id, int(found["number"]), numbers, *own)

    def age_s(self, now_s: float) -> float:
        return now_s - float(self.since)


class Rows:
    """The rows of all jobs. Every method raises redis.RedisError without Redis."""

    def __init__(self, connections: ConnectionPool) -> None:
        self._redis: Redis = Redis(connection_pool=connections)
        register = self._redis.register_script
        self._accept, self._claim, self._effect = map(register, (scripts.ACCEPT, scripts.CLAIM, scripts.EFFECT))
        self._finish, self._requeue = map(register, (scripts.FINISH, scripts.REQUEUE))

    def close(self) -> None:
        self._redis.close()

    def accept(self, job_id: str, numbers: Sequence[float], priority: str, limit: int) -> int:
        """Write a new row and return its number; 0 if there is one with this id, -1 if `limit` are not finished."""
        args = (job_id, limit, _now(), json.dumps(numbers), priority)
        return int(self._accept(keys=_keys(job_id), args=args))

    def find(self, job_id: str) -> Row | None:
        found: Any = self._redis.hgetall(_key(job_id))
        return Row.from_hash(job_id, found) if found else None

    def claim(self, job_id: str, consumer: str, counted: Mapping[str, float]) -> bool:
        """Begin to work on a job, and count that. False if it is done, or another consumer works on it.

        The shortest wait so far is kept: it is what the way to an idle worker takes.
        """
        args = (job_id, _now(), consumer, _ALIVE, counted["waited_ms"], *_flat(counted))
        return bool(self._claim(keys=[*_keys(job_id), _LEAST], args=args))

    def write_effect(self, row: Row, only_once: bool) -> bool:
        """Write the effect of a job. Return whether it was written now."""
        entry = f"{row.priority} {row.number} {row.job_id}"
        return bool(self._effect(keys=[_key(row.job_id), _EFFECTS], args=(entry, int(only_once))))

    def finish(self, job_id: str, remember_s: int, counted: Mapping[str, float]) -> None:
        """Close a row whose result is stored, and count that. It is forgotten after `remember_s`."""
        self._finish(keys=_keys(job_id), args=(job_id, remember_s, *_flat(counted)))

    def requeue(self, row: Row) -> bool:
        """Set a row back to the queue, unless something has happened to it since it was read."""
        return bool(self._requeue(keys=_keys(row.job_id), args=(row.job_id, row.since, _now())))

    def beat(self, consumer: str) -> None:
        """Say that a consumer lives."""
        self._redis.set(_ALIVE + consumer, 1, px=int(DEAD_S * 1e3))

    def open(self) -> list[Row]:
        """Return what is not finished, the longest unchanged first."""
        ids: Any = self._redis.zrange(_OPEN, 0, -1)
        with self._redis.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hgetall(_key(job_id))
            found = pipeline.execute()
        return [Row.from_hash(job_id, each) for job_id, each in zip(ids, found, strict=True) if each]

    def astray(self, waiting: Callable[[], Collection[str]]) -> list[Row]:
        """Return what nobody works on, and nobody will: its consumer is dead, or huey's queue does not hold it.

        `waiting` returns the ids in huey's queue; it is asked only if there is a doubt. What takes longer than any
        job may is among them, too: its consumer hangs, or could not say that it is done.
        """
        rows, now_s = self.open(), time.time()
        alive = self._living({row.consumer for row in rows if row.state == "started"})
        stale = [row for row in rows if row.state == "queued" and row.age_s(now_s) > STALE_S]
        held = waiting() if stale else ()
        lost = [row for row in stale if row.job_id not in held]
        return lost + [
            row
            for row in rows
            if row.state == "started" and (row.consumer not in alive or row.age_s(now_s) > LONGEST_S)
        ]

    def _living(self, consumers: Iterable[str]) -> set[str]:
        named = sorted(consumers)
        found: Any = self._redis.mget([_ALIVE + each for each in named]) if named else []
        return {each for each, beat in zip(named, found, strict=True) if beat}

    def statistics(self) -> dict[str, float]:
        """Return all counters, and what the effect log says of order and duplicates."""
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(_COUNTERS)
            pipeline.zcard(_OPEN)
            pipeline.lrange(_EFFECTS, 0, -1)
            pipeline.zscore(_LEAST, "")
            counters, backlog, effects, least_ms = pipeline.execute()
        found = {name: float(value) for name, value in counters.items()}
        least = {} if least_ms is None else {"least_wait_ms": float(least_ms)}
        return {**found, **least, "backlog": float(backlog), **read_effects(effects)}


def read_effects(entries: Sequence[str]) -> dict[str, float]:
    """Return how many effects there are, how many twice, and how many came after one that was submitted later.

    The latter is counted among all jobs, and among those of the same priority.
    """
    late = late_within = 0
    last: dict[str, int] = {}
    for priority, number, _ in map(str.split, entries):
        late += int(number) < max(last.values(), default=0)
        late_within += int(number) < last.get(priority, 0)
        last[priority] = max(last.get(priority, 0), int(number))
    duplicates = len(entries) - len(set(entries))
    counts = {"effects": len(entries), "duplicate_effects": duplicates}
    return {name: float(n) for name, n in {**counts, "out_of_order": late, "out_of_order_within": late_within}.items()}


def _key(job_id: str) -> str:
    return f"jobs:row:{job_id}"


def _keys(job_id: str) -> list[str]:
    return [_key(job_id), _OPEN, _COUNTERS]


def _flat(counted: Mapping[str, float]) -> chain[Any]:
    return chain.from_iterable(counted.items())


def _now() -> str:
    return repr(time.time())
