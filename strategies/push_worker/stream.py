"""Redis Streams as a broker: messages that are delivered at least once, retries at their time, dead letters.

A message stays in its stream until it is acknowledged. Who has taken it is in the list of pending entries of the
consumer group, so one that a killed dispatcher had is found again. How often a message has failed, and when it is due
again, is kept beside the stream. All commands are those of Redis 7.0.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import hiredis  # noqa: F401 - required: without it, redis silently uses a parser that is several times slower
import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from strategies.push_worker.database import Message

MESSAGES: Final = "push:messages"
DEAD: Final = "push:dead"
_GROUP: Final = "push"
_COUNTED: Final = ("attempts", "acknowledged", "redelivered", "dead")
_PAGE: Final = 100  # entries that are read at once where all are wanted

# Moves a message into another stream, once: only who finds it unacknowledged does.
_MOVE: Final = """
if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0 end
redis.call('XADD', KEYS[2], '*', 'id', ARGV[3], 'key', ARGV[4], 'payload', ARGV[5], 'attributes', ARGV[6])
redis.call('XDEL', KEYS[1], ARGV[2])
redis.call('HINCRBY', KEYS[3], 'dead', 1)
return 1
"""


class Entry(NamedTuple):
    """A message as a stream holds it."""

    id: str  # in the stream, by which it is acknowledged; it begins with the time of publication, in ms
    message: Message
    attributes: Mapping[str, str]

    @property
    def published_ms(self) -> int:
        return int(self.id.partition("-")[0])


class Failed(NamedTuple):
    """What is known of a message that has failed: how often, and when it is due again, in Unix seconds."""

    failures: int
    due_s: float


@dataclass
class Settled:
    """What has become of messages that were delivered, to be written in one transaction."""

    acknowledged: list[str] = field(default_factory=list)  # entries
    failed: dict[str, Failed] = field(default_factory=dict)  # by entry: to be tried again
    dead: list[tuple[Entry, str]] = field(default_factory=list)  # with the reason
    counts: dict[str, float] = field(default_factory=dict)  # by which the statistics grow

    def __bool__(self) -> bool:
        return bool(self.acknowledged or self.failed or self.dead or self.counts)

    def count(self, name: str, by: float = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by


def connect(url: str, timeout_s: float = 5.0) -> "redis.Redis":
    """Return a client that tries nothing twice by itself.

    A read that was tried again would leave the messages of the first try, whose answer was lost, to nobody.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )


async def publish(client: "redis.Redis", messages: Sequence[Message]) -> None:
    """Append messages to the stream, all or none. Once it returns, they are on the broker's disk."""
    async with client.pipeline(transaction=True) as pipeline:
        for message in messages:
            pipeline.xadd(MESSAGES, _fields(message, {"key": message.key}))
        await pipeline.execute()


async def statistics(client: "redis.Redis") -> dict[str, float]:
    """Return counters of the dispatcher, and how many messages there were, and in which state they are."""
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.hgetall(_statistics_of(MESSAGES))
        pipeline.xlen(MESSAGES)
        pipeline.execute_command("XINFO", "GROUPS", MESSAGES)
        pipeline.zcard(_retries_of(MESSAGES))
        pipeline.xlen(DEAD)
        pipeline.execute_command("XINFO", "STREAM", MESSAGES)
        counted, length, groups, retries, dead, info = await pipeline.execute(raise_on_error=False)
    # As long as there is no stream, an error says so.
    pending = 0 if isinstance(groups, Exception) else sum(int(_named(group)["pending"]) for group in groups)
    published = 0 if isinstance(info, Exception) else int(_named(info)["entries-added"])
    return {
        **dict.fromkeys(_COUNTED, 0.0),
        **{_text(name): float(value) for name, value in counted.items()},
        "messages": published,
        "messages_waiting": length - pending,
        "messages_in_flight": max(pending - retries, 0),
        "messages_to_retry": retries,
        "dead_letters": dead,
    }


class Subscription:
    """One consumer of a stream: of all consumers, each message goes to one.

    `keeps` says whether messages stay in the stream when they have been acknowledged.
    """

    def __init__(self, client: "redis.Redis", stream: str, consumer: str, keeps: bool = False) -> None:
        self._redis, self._consumer, self._keeps = client, consumer, keeps
        self.stream = stream

    async def open(self) -> None:
        """Create stream and group if they are not there."""
        with contextlib.suppress(redis.ResponseError):  # BUSYGROUP: they are
            await self._redis.xgroup_create(self.stream, _GROUP, id="0", mkstream=True)

    async def take(self, count: int, wait_ms: int) -> list[Entry]:
        """Take up to `count` messages that nobody has taken yet; wait for the first."""
        reply: Any = await self._redis.xreadgroup(
            _GROUP, self._consumer, {self.stream: ">"}, count=count, block=wait_ms
        )
        return _entries(reply[0][1]) if reply else []

    async def taken(self) -> list[Entry]:
        """Return all messages that this consumer has taken, and not acknowledged."""
        found: list[Entry] = []
        while True:
            after = found[-1].id if found else "0"
            reply: Any = await self._redis.xreadgroup(_GROUP, self._consumer, {self.stream: after}, count=_PAGE)
            page = _entries(reply[0][1]) if reply else []
            found += page
            if len(page) < _PAGE:
                return found

    async def take_over(self, idle_s: float) -> list[Entry]:
        """Take the messages that another consumer has had for longer than that, as one that died."""
        found: list[Entry] = []
        place: Any = "0-0"
        while True:
            reply: Any = await self._redis.xautoclaim(
                self.stream, _GROUP, self._consumer, int(idle_s * 1e3), start_id=place, count=_PAGE
            )
            place = _text(reply[0])
            found += _entries(reply[1])
            if place == "0-0":
                return found

    async def failed(self) -> dict[str, Failed]:
        """Return what is known of the messages that have failed, by entry."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(_failures_of(self.stream))
            pipeline.zrange(_retries_of(self.stream), 0, -1, withscores=True)
            failures, retries = await pipeline.execute()
        due_s = {_text(entry): float(score) for entry, score in retries}
        return {_text(entry): Failed(int(count), due_s.get(_text(entry), 0.0)) for entry, count in failures.items()}

    async def settle(self, settled: Settled) -> None:
        """Write what has become of messages. Safe to be tried again, apart from the statistics."""
        failures, retries, counts = (of(self.stream) for of in (_failures_of, _retries_of, _statistics_of))
        ended = [*settled.acknowledged, *(entry.id for entry, _ in settled.dead)]
        async with self._redis.pipeline(transaction=True) as pipeline:
            for entry, reason in settled.dead:
                attributes = json.dumps({**entry.attributes, "reason": reason})
                message = entry.message
                moved = (_GROUP, entry.id, message.id, message.key, message.payload, attributes)
                pipeline.eval(_MOVE, 3, self.stream, DEAD, counts, *moved)
            if settled.acknowledged:
                pipeline.xack(self.stream, _GROUP, *settled.acknowledged)
                if not self._keeps:
                    pipeline.xdel(self.stream, *settled.acknowledged)
            if ended:
                pipeline.hdel(failures, *ended)
                pipeline.zrem(retries, *ended)
            if settled.failed:
                pipeline.hset(failures, mapping={entry: each.failures for entry, each in settled.failed.items()})
                pipeline.zadd(retries, {entry: each.due_s for entry, each in settled.failed.items()})
            for name, by in settled.counts.items():
                pipeline.hincrbyfloat(counts, name, by)
            await pipeline.execute()


def _fields(message: Message, attributes: Mapping[str, str]) -> dict[Any, Any]:
    attributes_json = json.dumps(dict(attributes))
    return {"id": message.id, "key": message.key, "payload": message.payload, "attributes": attributes_json}


def _entries(rows: Iterable[Any]) -> list[Entry]:
    return [_entry(_text(name), fields) for name, fields in rows if fields]


def _entry(name: str, fields: Mapping[bytes, bytes]) -> Entry:
    """Return an entry. One that no message was published as has no key: the worker refuses it, and it is given up."""
    message = Message(
        id=_text(fields.get(b"id") or name),
        key=_text(fields.get(b"key", b"")),
        payload=fields.get(b"payload", b""),
    )
    return Entry(name, message, _attributes(fields.get(b"attributes", b"{}")))


def _attributes(text: bytes) -> dict[str, str]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return {name: str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _named(values: Any) -> dict[str, Any]:
    """Return an answer of names and values, which RESP2 gives as a list, as a dictionary."""
    pairs = values.items() if isinstance(values, dict) else zip(values[::2], values[1::2], strict=True)
    return {_text(name): value for name, value in pairs}


def _failures_of(stream: str) -> str:
    return f"{stream}:failures"


def _retries_of(stream: str) -> str:
    return f"{stream}:retries"


def _statistics_of(stream: str) -> str:
    return f"{stream}:statistics"


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
